/**
 * How many tasks one worker runs and settles per second.
 *
 * @module
 */

import { costMetrics, perUnit } from "../cost.ts";
import { drain } from "../drain.ts";
import type { Counts, Scenario } from "../scenario.ts";

/** By how much is in hand at once. */
export const drains: readonly Scenario[] = [
  drained(1, { memory: 60_000, redis: 5_000 }),
  drained(10, { memory: 100_000, redis: 20_000 }),
  drained(100, { memory: 300_000, redis: 100_000 }),
];

function drained(concurrency: number, counts: Counts): Scenario {
  return {
    name: `drain-${concurrency}`,
    title: `drained at concurrency ${concurrency}`,
    metrics: costMetrics("task"),

    async measure(stage) {
      const count = counts[stage.place.storage];
      return perUnit(await drain(stage, { concurrency, count }), count);
    },
  };
}

/**
 * What it costs to carry more than two small values.
 *
 * @module
 */

import { costMetrics, perUnit } from "../cost.ts";
import { drain } from "../drain.ts";
import type { Counts, Scenario } from "../scenario.ts";

/** By how many bytes a task is called with. */
export const payloads: readonly Scenario[] = [
  payload("1k", 1_000, { memory: 100_000, redis: 20_000 }),
  payload("100k", 100_000, { memory: 5_000, redis: 1_000 }),
];

function payload(size: string, bytes: number, counts: Counts): Scenario {
  return {
    name: `payload-${size}`,
    title: `payload of ${size}B, drained at concurrency 100`,
    metrics: costMetrics("task"),

    async measure(stage) {
      const count = counts[stage.place.storage];
      return perUnit(await drain(stage, { concurrency: 100, count, bytes }), count);
    },
  };
}

/**
 * What failures cost: a tenth of the tasks throw once and run again at once.
 *
 * @module
 */

import { costMetrics, perUnit } from "../cost.ts";
import { drain } from "../drain.ts";
import type { Handler } from "../queue.ts";
import type { Counts, Scenario } from "../scenario.ts";

const COUNTS: Counts = { memory: 50_000, redis: 20_000 };

/** Drains them until the last has succeeded. */
export const retries: Scenario = {
  name: "retries",
  title: "a tenth fails once, drained at concurrency 100",
  metrics: costMetrics("task"),
  needs: ["retry"],

  async measure(stage) {
    const count = COUNTS[stage.place.storage];
    const options = { attempts: 2 };
    return perUnit(
      await drain(stage, { concurrency: 100, count, options, handler: flaky }),
      count,
    );
  },
};

function flaky(): Handler {
  const failed = new Set<number>();
  return ({ customerId }) => {
    if (customerId % 10 !== 0 || failed.has(customerId)) return;
    failed.add(customerId);
    throw new Error("whoops");
  };
}

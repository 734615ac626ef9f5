/**
 * How many tasks can be added per second.
 *
 * @module
 */

import { costMetrics, perUnit } from "../cost.ts";
import { type Customers, customers, inBulk, inFlight, oneByOne } from "../load.ts";
import type { Queue } from "../queue.ts";
import type { Counts, Scenario } from "../scenario.ts";

/** A web server that handles one request at a time. */
export const addsAwaited: Scenario = adds({
  name: "adds-awaited",
  title: "adds, awaited one by one",
  add: (queue, all) => oneByOne(queue.add, all),
  counts: { memory: 50_000, redis: 5_000 },
});

/** A busy one. */
export const addsInFlight: Scenario = adds({
  name: "adds-in-flight",
  title: "adds, 100s in flight",
  add: (queue, all) => inFlight(queue.add, all),
  counts: { memory: 200_000, redis: 200_000 }, // most of them once the code is compiled
});

/** A program that knows a thousand of them at a time. */
export const bulkAdd: Scenario = adds({
  name: "bulk-add",
  title: "adds, 1,000 in one call",
  add: (queue, all) => inBulk(queue.addAll, all),
  counts: { memory: 200_000, redis: 50_000 },
  needs: ["bulk"],
});

interface Adds extends Omit<Scenario, "metrics" | "measure"> {
  readonly add: (queue: Queue, all: Customers) => Promise<void>;
  readonly counts: Counts;
}

function adds({ add, counts, ...scenario }: Adds): Scenario {
  return {
    ...scenario,
    metrics: costMetrics("add"),

    async measure(stage) {
      const count = counts[stage.place.storage];
      const queue = await stage.open();
      await add(queue, customers(count / 10)); // warms up

      const cost = await stage.during(() => add(queue, customers(count)));

      await queue.close();
      return perUnit(cost, count);
    },
  };
}

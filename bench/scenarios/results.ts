/**
 * How many tasks are added, run by another process, and have their result read back, per second.
 *
 * @module
 */

import { costMetrics, perUnit } from "../cost.ts";
import { Crew } from "../crew.ts";
import { customers, inFlight } from "../load.ts";
import type { Scenario } from "../scenario.ts";

const COUNT = 10_000;

/** Hundreds are in flight. */
export const results: Scenario = {
  name: "results",
  title: "added and their result awaited, 100s in flight",
  metrics: costMetrics("task"),
  needs: ["result", "server"],

  async measure(stage) {
    const options = { results: true };
    const queue = await stage.open("bench", options);
    await using crew = new Crew(stage, 1, { concurrency: 100, options });
    await crew.ready();
    crew.begin();
    await inFlight(queue.call, customers(COUNT / 10)); // warms up

    const cost = await stage.during(() => inFlight(queue.call, customers(COUNT)));

    await crew.finish();
    await queue.close();
    return perUnit(cost, COUNT);
  },
};

/**
 * How soon the last of many tasks runs that are due at one instant.
 *
 * @module
 */

import { wallClock } from "../measure.ts";
import type { Scenario } from "../scenario.ts";

const COUNT = 10_000;

/** Time to schedule them all before, in milliseconds. */
const LEAD = 4_000;

/** Ten thousand at midnight. */
export const dueAtOnce: Scenario = {
  name: "due-at-once",
  title: `${COUNT.toLocaleString("en")} tasks due at one instant`,
  metrics: { all: { label: "until the last of them runs, ms" } },
  needs: ["schedule"],

  async measure(stage) {
    const now = wallClock();
    let last = 0;
    const queue = await stage.open();
    const worker = await queue.worker(100, () => {
      last = now(); // returned it would be the result
    });
    const due = Math.ceil(now()) + LEAD;
    await stage.fill({ count: COUNT, due });
    if (now() > due) throw new Error("Cannot measure: they were not all there when they were due");

    await worker.run(COUNT);

    await worker.close();
    await queue.close();
    return { all: last - due };
  },
};

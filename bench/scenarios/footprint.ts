/**
 * What tasks take up: in the server while they wait and when they have ended, and in the worker.
 *
 * @module
 */

import process from "node:process";
import { settle } from "../drain.ts";
import type { Scenario } from "../scenario.ts";
import { warmUp } from "../warm_up.ts";

const COUNT = 20_000;
const CONCURRENCY = 100;

/** Milliseconds between two looks at the worker's memory. */
const LOOK = 20;

/** Fills a queue and drains it. */
export const footprint: Scenario = {
  name: "footprint",
  title: "footprint",
  metrics: {
    pending: { label: "Redis bytes per pending task" },
    finished: { label: "Redis bytes per finished task" },
    rss: { label: "worker RSS while draining at 100, MB" },
  },
  needs: ["server"],

  async measure(stage) {
    await warmUp(stage, { concurrency: CONCURRENCY, count: 100 }); // the scripts are there
    const queue = await stage.open();
    const before = await stage.bytes();
    await stage.fill({ count: COUNT });
    const pending = await stage.bytes();

    let rss = 0;
    const looking = setInterval(() => rss = Math.max(rss, process.memoryUsage().rss), LOOK);
    await settle(stage, queue, { concurrency: CONCURRENCY, count: COUNT });
    clearInterval(looking);

    const finished = await stage.bytes();
    await queue.close();
    const perTask = (after: number) => (after - before) / COUNT;
    return { pending: perTask(pending), finished: perTask(finished), rss: rss / 1e6 };
  },
};

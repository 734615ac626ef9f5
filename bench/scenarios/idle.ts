/**
 * What a worker costs that has nothing to do.
 *
 * @module
 */

import { perUnit } from "../cost.ts";
import type { Scenario } from "../scenario.ts";

/** Milliseconds until the worker has settled down: what is looked after from time to time is looked after once by then. */
const SETTLE = 12_000;

/** How many milliseconds are measured: some look around once in a minute only. */
const SPAN = 60_000;

/** A worker with nothing to do. */
export const idle: Scenario = {
  name: "idle",
  title: "idle worker",
  metrics: {
    clientCpu: { label: "client CPU ms per second", digits: 2 },
    redisCommands: { label: "Redis commands per second", digits: 1 },
    sentCommands: { label: "of these sent by the client", digits: 1 },
  },

  async measure(stage) {
    const queue = await stage.open();
    const worker = await queue.worker(10, () => {});
    const running = worker.run(Infinity);
    await pause(SETTLE);

    const cost = await stage.during(() => pause(SPAN));

    worker.finish();
    await running;
    await worker.close();
    await queue.close();
    const { clientCpu, ...commands } = perUnit(cost, cost.seconds);
    return { ...commands, clientCpu: clientCpu / 1_000 };
  },
};

function pause(millis: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, millis));
}

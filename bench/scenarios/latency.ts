/**
 * How soon an idle worker starts a task that was just added.
 *
 * @module
 */

import { customers } from "../load.ts";
import { Probe } from "../probe.ts";
import type { Scenario } from "../scenario.ts";

/** Producer and worker share a process. */
export const latency: Scenario = {
  name: "latency",
  title: "add() to the handler's start, idle worker in the same process",
  metrics: { p50: { label: "p50 ms", digits: 2 }, p99: { label: "p99 ms", digits: 2 } },

  async measure(stage) {
    const probe = new Probe();
    const queue = await stage.open();
    const worker = await queue.worker(10, probe.hit);
    const running = worker.run(Infinity);
    const [customer] = customers(1);

    const sample = await probe.sample(() => queue.add(customer));

    worker.finish();
    await running;
    await worker.close();
    await queue.close();
    return sample;
  },
};

/**
 * How soon an idle worker starts a task that was just added.
 *
 * @module
 */

import { Worker } from "../../mod.ts";
import { Probe } from "../probe.ts";
import type { Place, Sample, Scenario } from "../scenario.ts";
import { connect } from "../work.ts";

/** Producer and worker share a process. */
export const latency: Scenario = {
  name: "latency",
  title: "add() to the handler's start, idle worker in the same process",
  metrics: { p50: { label: "p50 ms", digits: 2 }, p99: { label: "p99 ms", digits: 2 } },

  async measure(place: Place): Promise<Sample> {
    const probe = new Probe();
    function start(): void {
      probe.hit();
    }
    await using docket = await connect(place, { tasks: start });
    await using worker = new Worker(docket);
    const stop = new AbortController();
    const running = worker.runForever({ signal: stop.signal });

    const sample = await probe.sample(() => docket.add(start)());

    stop.abort();
    await running;
    return sample;
  },
};

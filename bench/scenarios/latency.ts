/**
 * How soon an idle worker starts a task that was just added.
 *
 * @module
 */

import { Worker } from "../../mod.ts";
import { percentile } from "../measure.ts";
import type { Place, Sample, Scenario } from "../scenario.ts";
import { connect } from "../work.ts";

const WARM_UP = 50;
const SAMPLES = 350;

/** Producer and worker share a process, and so a clock. */
export const latency: Scenario = {
  name: "latency",
  title: "add() to the handler's start, idle worker in the same process",
  metrics: { p50: { label: "p50 ms", digits: 2 }, p99: { label: "p99 ms", digits: 2 } },

  async measure(place: Place): Promise<Sample> {
    let started: () => void;
    function probe(): void {
      started();
    }
    await using docket = await connect(place, { tasks: probe });
    await using worker = new Worker(docket);
    const stop = new AbortController();
    const running = worker.runForever({ signal: stop.signal });

    const samples: number[] = [];
    for (let i = 0; i < WARM_UP + SAMPLES; i++) {
      const start = new Promise<number>((resolve) => started = () => resolve(performance.now()));
      const before = performance.now();
      await docket.add(probe)();
      samples.push(await start - before);
      await pause(2 + 3 * Math.random()); // the worker is idle again, and no timer of its own in step with this
    }

    stop.abort();
    await running;
    const counted = samples.slice(WARM_UP);
    return { p50: percentile(counted, 0.5), p99: percentile(counted, 0.99) };
  },
};

function pause(millis: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, millis));
}

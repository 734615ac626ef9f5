/**
 * How much later than they are due scheduled tasks start.
 *
 * @module
 */

import { Worker } from "../../mod.ts";
import { percentile, wallClock } from "../measure.ts";
import type { Place, Sample, Scenario } from "../scenario.ts";
import { connect } from "../work.ts";

const COUNT = 2_000;

/** Milliseconds from one task to the next. */
const STEP = 2;

/** Time to schedule them all before the first is due, in milliseconds. */
const LEAD = 500;

/** One task every two milliseconds. */
export const lateness: Scenario = {
  name: "lateness",
  title: `lateness of ${COUNT} tasks scheduled over ${COUNT * STEP / 1_000} s`,
  metrics: { p50: { label: "p50 ms", digits: 1 }, p99: { label: "p99 ms", digits: 1 } },

  async measure(place: Place): Promise<Sample> {
    const now = wallClock();
    const samples: number[] = [];
    const stop = new AbortController();
    function remind(due: number): void {
      samples.push(now() - due);
      if (samples.length === COUNT) stop.abort();
    }
    await using docket = await connect(place, { tasks: remind });
    await using worker = new Worker(docket);
    const running = worker.runForever({ signal: stop.signal });

    const first = Math.ceil(now()) + LEAD;
    const dues = Array.from({ length: COUNT }, (_, i) => first + i * STEP);
    await Promise.all(dues.map((due) => docket.add(remind, { when: due })(due)));
    await running;

    return { p50: percentile(samples, 0.5), p99: percentile(samples, 0.99) };
  },
};

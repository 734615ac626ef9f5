/**
 * How many no-op tasks one worker runs and settles per second.
 *
 * @module
 */

import { type Docket, Worker } from "../../mod.ts";
import { type Cost, costMetrics, perUnit } from "../cost.ts";
import { COUNTS } from "../load.ts";
import { Meter } from "../meter.ts";
import { produce } from "../producer.ts";
import type { Counts, Place, Sample, Scenario } from "../scenario.ts";
import { addInFlight, connect, type Welcome } from "../work.ts";

/** By how much is in hand at once. */
export const drains: readonly Scenario[] = [
  drain(1, COUNTS["drain-1"]),
  drain(10, COUNTS["drain-10"]),
  drain(100, COUNTS["drain-100"]),
];

function drain(concurrency: number, counts: Counts): Scenario {
  return {
    name: `drain-${concurrency}`,
    title: `drained at concurrency ${concurrency}`,
    metrics: costMetrics("task"),

    async measure(place: Place): Promise<Sample> {
      const count = counts[place.storage];
      return perUnit(await drainOnce(place, concurrency, count), count);
    },
  };
}

/** What it costs to drain so many tasks. */
export async function drainOnce(place: Place, concurrency: number, count: number): Promise<Cost> {
  using meter = new Meter(place);
  await warmUp(place, concurrency, count / 10);
  await using docket = await connect(place);
  await produce(place, count);
  return await meter.during(() => drainAll(docket, concurrency, count));
}

async function warmUp(place: Place, concurrency: number, count: number): Promise<void> {
  await using docket = await connect(place, { name: "warm-up" });
  await addInFlight(docket, count);
  await drainAll(docket, concurrency, count);
}

/** From a worker's start to its end: the last task is settled by then, and the worker has signed off. */
async function drainAll(docket: Docket, concurrency: number, count: number): Promise<void> {
  const done = new AbortController();
  let left = count;
  const welcome: Welcome = () => {
    if (--left === 0) done.abort();
  };
  docket.register({ welcome });
  await using worker = new Worker(docket, { concurrency });
  await worker.runForever({ signal: done.signal });
}

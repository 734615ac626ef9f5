/**
 * How long looking at a docket takes, and looking after it.
 *
 * @module
 */

import { systemClock } from "../../src/base/clock.ts";
import type { Storage } from "../../src/storage/contract.ts";
import { openStorage } from "../../src/storage/open.ts";
import { summarize } from "../measure.ts";
import type { Metric, Place, Sample } from "../scenario.ts";
import { connect } from "./work.ts";

/** What a worker has swept in one call, and queued. */
const MOST_SWEPT = 500;
const MOST_PROMOTED = 250;

/** The rows of {@linkcode measureLooks}. */
export const lookMetrics: Readonly<Record<string, Metric>> = {
  snapshot: { label: "`snapshot()`, ms", digits: 2 },
  execution: { label: "`execution(key)`, ms", digits: 2 },
  remaining: { label: "counting what remains, ms", digits: 2 },
  sweep: { label: "one call of the sweep, ms", digits: 2 },
  promote: { label: "one look at what is due, ms", digits: 2 },
};

/** Looks from outside, by the clock on the wall. */
export async function measureLooks(place: Place, key: string): Promise<Sample> {
  await using docket = await connect(place);
  await using storage = await open(place);
  return {
    snapshot: await least(9, () => docket.snapshot()),
    execution: await least(100, () => docket.execution(key)),
    remaining: await least(100, () => storage.remaining()),
    sweep: await measureSweep(storage),
    promote: await least(100, () => storage.promote(MOST_PROMOTED)),
  };
}

/** One page after the other, as if it were always time for the next: the middle, as pages are not alike. */
export async function measureSweep(storage: Storage): Promise<number> {
  const sweep = () => storage.sweep({ limit: MOST_SWEPT, pause: 0, silence: 60_000 });
  await sweep(); // the first brings the script
  return summarize(await spans(60, sweep)).median;
}

/** The storage of the docket that is measured, with the settings that a docket gives it. */
export function open({ url }: Place): Promise<Storage> {
  return openStorage(url, {
    docket: "bench",
    clock: systemClock,
    recordTtl: 900_000,
    commandTimeout: 60_000,
    connectTimeout: 5_000,
  });
}

/** Milliseconds of the quickest of many calls: what a busy machine adds to it is not the docket's. */
export async function least(times: number, work: () => Promise<unknown>): Promise<number> {
  return summarize(await spans(times, work)).low;
}

async function spans(times: number, work: () => Promise<unknown>): Promise<number[]> {
  const spans: number[] = [];
  for (let i = 0; i < times; i++) {
    const start = performance.now();
    await work();
    spans.push(performance.now() - start);
  }
  return spans;
}

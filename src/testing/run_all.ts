/**
 * Runs everything, however far away.
 *
 * @module
 */

import type { Millis } from "../base/clock.ts";
import { type DurationLike, toMillis } from "../base/duration.ts";
import type { Docket } from "../docket/docket.ts";
import { internalsOf } from "../docket/internals.ts";
import type { Storage } from "../storage/contract.ts";
import type { WorkerOptions } from "../worker/options.ts";
import { Worker } from "../worker/worker.ts";
import type { FakeClock } from "./clock.ts";

/** Options of {@linkcode runAll}. */
export interface RunAllOptions {
  /** The docket's fake clock: it is moved to whatever is due next. Without one, time passes as it does. */
  readonly clock?: FakeClock;
  /**
   * How far the clock is moved at most.
   *
   * @default 30 days
   */
  readonly within?: DurationLike;
  /** Options of the worker. Its lease is an hour by default, so that a fake clock has little to do. */
  readonly worker?: WorkerOptions;
}

/**
 * Runs a worker until the docket has nothing left, as `worker.runUntilFinished()` does: not waited for are the next runs
 * of `Perpetual` and `Cron` tasks, and tasks that are not registered.
 *
 * @throws {Error} When it is not over after `within`: a task that schedules itself never is.
 */
export async function runAll(
  docket: Docket,
  { clock, within = { days: 30 }, worker: options }: RunAllOptions = {},
): Promise<void> {
  await using worker = new Worker(docket, { redeliveryTimeout: "1h", gracePeriod: 0, ...options });
  if (!clock) return await worker.runUntilFinished();
  const { storage } = internalsOf(docket);
  const stop = new AbortController();
  const running = worker.runForever({ signal: stop.signal });
  try {
    await passTime(clock, toMillis("within", within), storage);
  } finally {
    stop.abort();
    await passUntil(clock, running);
  }
}

/** From one timer to the next, until nothing is left. A worker that looks whether all is done would set many more. */
async function passTime(clock: FakeClock, within: Millis, storage: Storage): Promise<void> {
  const end = clock.now() + within;
  await clock.settle(); // what is automatic is there from the start
  while (await storage.remaining() > 0) {
    // What runs may wait for something other than this clock.
    if ((await storage.survey(0)).counts.running > 0) await realTime();
    const next = clock.next ?? 0;
    if (clock.now() + next > end) {
      throw new Error(`Cannot run all there is: it is not over after ${within} ms on the clock`);
    }
    await clock.advance(next);
  }
}

/** What does not stop by itself is given up by the clock, which nobody else moves. */
async function passUntil(clock: FakeClock, stopped: Promise<void>): Promise<void> {
  let over = false;
  const watched = stopped.finally(() => over = true);
  for (await clock.settle(); !over; await clock.settle()) await clock.advance("1s");
  await watched;
}

/** Enough for what reads a file, little enough for what waits on the clock for hours. */
function realTime(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 10));
}

/**
 * Tells of runs that do harm without failing: those that keep the event loop, and those that may never end.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { type Clock, type Millis, sleep, systemClock } from "../base/clock.ts";
import { taskOf } from "../base/message.ts";
import type { Claim } from "../storage/contract.ts";
import type { Run, Running } from "./run.ts";

/** Whoever keeps the event loop for so long is told of, with a lease of four seconds or more. */
const LONGEST_PIECE: Millis = 1_000;

/** With a shorter lease it is this part of it, but not below a span that any busy machine has now and then. */
const PIECES_PER_LEASE = 4;
const SHORTEST_PIECE: Millis = 100;

/** How much more often it looks than it has to tell. */
const LOOKS_PER_PIECE = 4;

/** So many runs are named where one cannot be told from the others. */
const MOST_NAMED = 5;

const log = getLogger(["docket", "worker"]);

/** What a {@linkcode Lookout} needs. */
export interface LookoutOptions {
  /** What runs are measured with. The event loop is the machine's, whatever clock tests give. */
  readonly clock: Clock;
  readonly lease: Millis;
  readonly running: Running;
  /** What has run for so long may never end. */
  readonly stuckAfter: Millis;
}

/**
 * Looks while something runs; one timer for all that runs, and none while nothing does.
 *
 * What a handler computes before its first pause is measured, and it is named ({@linkcode kept}). What is computed after a
 * pause only shows in a timer that is late: then it is one of those that ran.
 */
export class Lookout {
  /** How long a piece may be. */
  readonly longest: Millis;
  readonly #options: LookoutOptions;
  /** Since the last look: what is known already. */
  #told: Millis = 0;

  constructor(options: LookoutOptions) {
    const piece = Math.max(SHORTEST_PIECE, options.lease / PIECES_PER_LEASE);
    this.longest = Math.min(LONGEST_PIECE, piece);
    this.#options = options;
  }

  /** Looks until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { running } = this.#options;
    while (!signal.aborted) {
      await running.busy(signal);
      await this.#watch(signal);
    }
  }

  /** The handler of this claim has kept the event loop for so long, before its first pause. */
  kept({ key, body }: Claim, span: Millis): void {
    this.#told += span;
    const blocked = Math.round(span);
    const task = taskOf(body);
    log.warn(
      "{task} {key} kept the event loop for {blocked} ms without a pause: nothing else could run here",
      { task, key, blocked },
    );
  }

  /** Until nothing has run since the last look. */
  async #watch(signal: AbortSignal): Promise<void> {
    const { running } = this.#options;
    const pause = this.longest / LOOKS_PER_PIECE;
    this.#told = 0;
    for (;;) {
      const lookedAt = systemClock.monotonic();
      await sleep(systemClock, pause, signal);
      if (signal.aborted) return;
      const still = systemClock.monotonic() - lookedAt - this.#told;
      this.#told = 0;
      const last = running.takeLast();
      if (still >= this.longest && (last || running.size > 0)) {
        this.#tellStill(still - pause / 2, last);
      }
      this.#tellStuck();
      if (running.size === 0 && !last) return;
    }
  }

  /** What kept the event loop may have ended in the same turn: so the last that ended is one of those that ran. */
  #tellStill(span: Millis, last: Run | undefined): void {
    const runs = new Set(this.#options.running);
    if (last) runs.add(last);
    const blocked = Math.round(span);
    const named = [...runs].slice(-MOST_NAMED).map(({ claim: { key, body } }) => ({
      task: taskOf(body),
      key,
    }));
    if (named.length === 1) {
      return log.warn("The event loop stood still for {blocked} ms while {task} {key} ran", {
        ...named[0],
        blocked,
      });
    }
    log.warn("The event loop stood still for {blocked} ms while {count} tasks ran: {tasks}", {
      blocked,
      count: runs.size,
      tasks: named.map(({ task, key }) => `${task} ${key}`).join(", "),
    });
  }

  #tellStuck(): void {
    const { clock, running, stuckAfter } = this.#options;
    const now = clock.monotonic();
    for (const run of running) {
      if (run.told || now - run.claimedAt < stuckAfter) continue;
      run.told = true;
      const { key, body } = run.claim;
      const ran = Math.round(now - run.claimedAt);
      log.warn("{task} {key} has run for {ran} ms and may be stuck: it keeps its place here", {
        task: taskOf(body),
        key,
        ran,
      });
    }
  }
}

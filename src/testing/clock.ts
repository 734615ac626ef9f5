/**
 * A clock that stands still until a test moves it.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import type { Clock, Millis } from "../base/clock.ts";
import { type DurationLike, type InstantLike, toInstant, toMillis } from "../base/duration.ts";

/** How often the event loop turns before things count as settled: a chain of this many macrotasks is waited for. */
const TURNS = 5;

interface Timer {
  readonly at: Millis;
  readonly callback: () => void;
}

/**
 * Time for tests: they never sleep, they move it forward.
 *
 * What it moves is the wall clock and the one that never jumps alike. Work that waits for something other than this
 * clock, such as a socket, is not waited for.
 *
 * @example
 * ```ts
 * import { deepStrictEqual as deepEqual } from "node:assert/strict";
 * import { FakeClock } from "@docket/docket/testing";
 *
 * const clock = new FakeClock(new Date("2026-01-01T00:00:00Z"));
 * const rang: number[] = [];
 * clock.timer(60_000, () => rang.push(clock.now()));
 *
 * await clock.advance({ seconds: 59 });
 * deepEqual(rang, []);
 *
 * await clock.advance("1s");
 * deepEqual(rang, [Date.UTC(2026, 0, 1, 0, 1)]);
 * ```
 */
export class FakeClock implements Clock {
  readonly #timers = new Set<Timer>();
  readonly #start: Millis;
  #elapsed: Millis = 0;
  #advancing = false;

  /**
   * Starts at an instant.
   *
   * @param start By default a fixed one, so that tests do not depend on the day they run.
   */
  constructor(start: InstantLike = Date.UTC(2026, 0, 1)) {
    this.#start = toInstant("start", start);
  }

  /** The instant that the clock shows. */
  now(): Millis {
    return this.#start + this.#elapsed;
  }

  /** How far it was moved since it was made. */
  monotonic(): Millis {
    return this.#elapsed;
  }

  /** Calls back when the clock was moved so far; the returned function calls it off. */
  timer(delay: Millis, callback: () => void): () => void {
    const timer = { at: this.#elapsed + Math.max(0, delay), callback };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /** How many timers are set: 0 when nothing waits for time to pass. */
  get pending(): number {
    return this.#timers.size;
  }

  /** How far away the next timer is, in milliseconds; `undefined` when there is none. */
  get next(): Millis | undefined {
    const timer = this.#next(Infinity);
    return timer && Math.max(0, timer.at - this.#elapsed);
  }

  /**
   * Moves time forward. Timers on the way fire at their instants, in order, and what each sets in motion settles before
   * the next, timers that it sets included.
   *
   * @throws {Error} When the clock is being advanced already: two at once would not know how late it is.
   */
  async advance(duration: DurationLike): Promise<void> {
    const target = this.#elapsed + toMillis("duration", duration);
    if (this.#advancing) throw new Error("Cannot advance the clock: it is advancing already");
    this.#advancing = true;
    try {
      await this.settle();
      for (let next = this.#next(target); next; next = this.#next(target)) {
        this.#timers.delete(next);
        this.#elapsed = Math.max(this.#elapsed, next.at);
        next.callback();
        await this.settle();
      }
      this.#elapsed = target;
    } finally {
      this.#advancing = false;
    }
  }

  /** Lets everything that is under way come to rest, without moving time. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < TURNS; turn++) {
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }

  /** The timer that fires next; of two at one instant, the one that was set first. */
  #next(target: Millis): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.at <= target && (!next || timer.at < next.at)) next = timer;
    }
    return next;
  }
}

/**
 * Queues what is due, exactly when it is due.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import type { Clock, Millis } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { Backoff } from "../base/loop.ts";
import type { Storage } from "../storage/contract.ts";

/** At most so many at once: 200,000 tasks due at one instant must not block the storage (invariant 41). */
const MAX_PROMOTED = 250;

/** A hint can get lost; this often the scheduler looks by itself. */
const POLL: Millis = 5_000;

const log = getLogger(["docket", "worker"]);

/** What a {@linkcode Scheduler} needs. */
export interface SchedulerOptions {
  readonly storage: Storage;
  readonly clock: Clock;
  /** Tasks due within so many milliseconds of each other are queued together. */
  readonly resolution: Millis;
  readonly reconnectionDelay: Millis;
}

/** Sleeps until the next task is due, or until a hint says that one is due sooner. */
export class Scheduler {
  readonly #options: SchedulerOptions;
  /** The earliest instant that was hinted at since the last look, on the monotonic clock. */
  #hint = Infinity;
  #rearm: () => void = () => {};

  constructor(options: SchedulerOptions) {
    this.#options = options;
  }

  /** A task is due in so many milliseconds. A hint that comes while a look is under way survives it. */
  hear(delay: Millis): void {
    const at = this.#options.clock.monotonic() + delay;
    if (at >= this.#hint) return;
    this.#hint = at;
    this.#rearm();
  }

  /** Looks, sleeps, and looks again, until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { storage, resolution, reconnectionDelay } = this.#options;
    const backoff = new Backoff(50, reconnectionDelay);
    while (!signal.aborted) {
      this.#hint = Infinity;
      let delay: Millis;
      try {
        const { promoted, next = Infinity } = await storage.promote(MAX_PROMOTED, { signal });
        backoff.reset();
        if (promoted >= MAX_PROMOTED) continue;
        delay = Math.max(resolution, Math.min(next, POLL));
      } catch (error) {
        if (signal.aborted) return;
        log.warn("Cannot queue what is due: {reason}; trying again", { reason: messageOf(error) });
        delay = backoff.next();
      }
      await this.#sleep(delay, signal);
    }
  }

  #sleep(delay: Millis, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    const { clock, resolution } = this.#options;
    const start = clock.monotonic();
    return new Promise((resolve) => {
      let cancel = () => {};
      const wake = () => {
        cancel();
        this.#rearm = () => {};
        signal.removeEventListener("abort", wake);
        resolve();
      };
      this.#rearm = () => {
        cancel();
        const at = Math.max(start + resolution, Math.min(start + delay, this.#hint));
        cancel = clock.timer(Math.max(0, at - clock.monotonic()), wake);
      };
      signal.addEventListener("abort", wake);
      this.#rearm();
    });
  }
}

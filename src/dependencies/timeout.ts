/**
 * `Timeout`: how long a task may run.
 *
 * @module
 */

import type { Clock, Millis } from "../base/clock.ts";
import { type DurationLike, toMillis } from "../base/duration.ts";
import { type DocketError, TimeoutError } from "../base/errors.ts";
import { Dependency, type Scope } from "./dependency.ts";

/** What a handler receives for its {@linkcode Timeout}. */
export interface TimeoutState {
  /** Starts the time anew, or adds to what is left of it. */
  extend(by?: DurationLike): void;
  /** What is left, in milliseconds; 0 when it is over. */
  remaining(): Millis;
}

/**
 * Aborts a task's `signal` when it has run too long, and fails the execution with a `TimeoutError` even if its handler
 * never settles: its slot is free again. The handler has a second to clean up after the abort. Each attempt has the
 * whole time.
 *
 * @example
 * ```ts
 * import { task, Timeout } from "@docket/docket";
 *
 * export const download = task(
 *   "download",
 *   { timeout: new Timeout({ minutes: 1 }) },
 *   async ({ timeout, signal }, urls: string[]): Promise<void> => {
 *     for (const url of urls) {
 *       await fetch(url, { signal });
 *       timeout.extend();
 *     }
 *   },
 * );
 * ```
 */
export class Timeout extends Dependency<TimeoutState> {
  readonly #after: Millis;

  /**
   * Allows each attempt so much time.
   *
   * @throws {RangeError} When the duration is zero or not valid.
   */
  constructor(after: DurationLike) {
    super();
    this.#after = toMillis("after", after);
    if (this.#after === 0) {
      throw new RangeError('Cannot use 0 for "after": a task needs some time to run');
    }
  }

  /** `"timeout"`. */
  override get policy(): string {
    return "timeout";
  }

  /** Starts the time. */
  override open({ clock, abandon, defer }: Scope): TimeoutState {
    const deadline = new Deadline(clock, this.#after, abandon);
    defer(() => deadline.close());
    return deadline;
  }
}

class Deadline implements TimeoutState {
  readonly #clock: Clock;
  readonly #after: Millis;
  #abandon?: (reason: DocketError) => void;
  #at: Millis;
  #cancel?: () => void;

  constructor(clock: Clock, after: Millis, abandon?: (reason: DocketError) => void) {
    this.#clock = clock;
    this.#after = after;
    this.#abandon = abandon;
    this.#at = clock.monotonic() + after;
    this.#arm();
  }

  extend(by?: DurationLike): void {
    const span = by === undefined ? this.#after : toMillis("by", by);
    const start = by === undefined ? this.#clock.monotonic() : this.#at;
    this.#at = start + span;
    this.#arm();
  }

  remaining(): Millis {
    return Math.max(0, this.#at - this.#clock.monotonic());
  }

  close(): void {
    this.#cancel?.();
    this.#abandon = undefined; // a late extend() must not arm it again
  }

  #arm(): void {
    this.#cancel?.();
    if (!this.#abandon) return;
    this.#cancel = this.#clock.timer(this.remaining(), () => {
      this.#abandon?.(new TimeoutError(`The task ran longer than ${this.#after} ms`));
    });
  }
}

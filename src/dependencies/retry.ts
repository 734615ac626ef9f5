/**
 * `Retry` and `ExponentialRetry`: what to do when a task throws.
 *
 * @module
 */

import type { Millis } from "../base/clock.ts";
import { type DurationLike, type InstantLike, toInstant, toMillis } from "../base/duration.ts";
import { NonRetryableError } from "../base/errors.ts";
import { type OptionNames, refuseUnknownOptions } from "../base/options.ts";
import type { Due } from "../storage/contract.ts";
import { type Decision, Dependency, type Failure, type Scope } from "./dependency.ts";

/** Options of {@linkcode Retry}. */
export interface RetryOptions {
  /**
   * How many times the task runs in all, from 1.
   *
   * @default 1
   */
  readonly attempts?: number;
  /**
   * How long to wait between two attempts.
   *
   * @default 0
   */
  readonly delay?: DurationLike;
  /** Whether this error is worth another attempt; by default every error is. */
  readonly retryIf?: (error: unknown) => boolean;
}

/** Options of {@linkcode ExponentialRetry}. */
export interface ExponentialRetryOptions extends Omit<RetryOptions, "delay"> {
  /**
   * The first delay.
   *
   * @default 1 second
   */
  readonly minimumDelay?: DurationLike;
  /**
   * No delay is longer.
   *
   * @default 64 seconds
   */
  readonly maximumDelay?: DurationLike;
  /**
   * Each delay is so many times the one before.
   *
   * @default 2
   */
  readonly factor?: number;
  /**
   * Takes a random part off each delay: 0 for none, 1 for anything down to zero.
   *
   * @default 0
   */
  readonly jitter?: number;
}

/** Tells the worker when to try again; thrown by the handler, from {@linkcode RetryState}. */
export class RetryRequest extends Error {
  /** `"RetryRequest"`. */
  override readonly name = "RetryRequest";
  /** When to try again. */
  readonly due: Due;

  /** Made by `retry.after()` and `retry.at()`. */
  constructor(due: Due) {
    super("The task asked to be tried again");
    this.due = due;
  }
}

/** What a handler receives for its {@linkcode Retry}. */
export interface RetryState {
  /** Which attempt this is, from 1. */
  readonly attempt: number;
  /** How many there are at most; `Infinity` for ever. */
  readonly attempts: number;
  /** Throw what this returns to try again after a delay of your own; it counts as an attempt. */
  after(delay: DurationLike): RetryRequest;
  /** Throw what this returns to try again at an instant; one in the past is now. */
  at(when: InstantLike): RetryRequest;
}

const OPTIONS: OptionNames<RetryOptions> = { attempts: true, delay: true, retryIf: true };

const EXPONENTIAL_OPTIONS: OptionNames<ExponentialRetryOptions> = {
  attempts: true,
  retryIf: true,
  minimumDelay: true,
  maximumDelay: true,
  factor: true,
  jitter: true,
};

/**
 * Runs a task that threw again, after a fixed delay. `attempts: n` gives n runs and n − 1 delays.
 *
 * @example
 * ```ts
 * import { Retry, task } from "@docket/docket";
 *
 * export const flaky = task(
 *   "flaky",
 *   { retry: new Retry({ attempts: 5, delay: { seconds: 3 } }) },
 *   ({ retry }): void => {
 *     if (retry.attempt < 4) throw new Error("whoops");
 *   },
 * );
 * ```
 */
export class Retry extends Dependency<RetryState> {
  /** How many times the task runs in all. */
  readonly attempts: number;
  readonly #delay: Millis;
  readonly #retryIf: (error: unknown) => boolean;

  /**
   * Checks the options where the task is declared, not where it fails.
   *
   * @throws {RangeError} When `attempts` is not a whole number from 1, or the delay is not valid.
   * @throws {TypeError} When `retryIf` is no function, or an option has a name that is not known.
   */
  constructor(options: RetryOptions = {}) {
    super();
    refuseUnknownOptions("a Retry", options, OPTIONS);
    const { attempts = 1, delay = 0, retryIf = () => true } = options;
    if (attempts !== Infinity && !(Number.isSafeInteger(attempts) && attempts >= 1)) {
      throw new RangeError(
        `Cannot use ${attempts} for "attempts": it must be a whole number from 1`,
      );
    }
    if (typeof retryIf !== "function") {
      throw new TypeError('Cannot use this for "retryIf": it must be a function');
    }
    this.attempts = attempts;
    this.#delay = toMillis("delay", delay);
    this.#retryIf = retryIf;
  }

  /** Tries again for ever, after a fixed delay. */
  static forever(options: Omit<RetryOptions, "attempts"> = {}): Retry {
    return new Retry({ ...options, attempts: Infinity });
  }

  /** `"retry"`. */
  override get policy(): string {
    return "retry";
  }

  /** Gives the attempt, and the means to choose the next one's time. */
  override open({ context }: Scope): RetryState {
    const { attempt } = context;
    return {
      attempt,
      attempts: this.attempts,
      after: (delay) => new RetryRequest({ after: toMillis("delay", delay) }),
      at: (when) => new RetryRequest({ at: toInstant("when", when) }),
    };
  }

  /** Again, while there are attempts left and the error is worth one. */
  override decide({ error, attempt }: Failure): Decision {
    if (attempt >= this.attempts || error instanceof NonRetryableError) return { kind: "fail" };
    if (error instanceof RetryRequest) return { kind: "retry", due: error.due };
    if (!this.#retryIf(error)) return { kind: "fail" };
    const delay = this.delayAfter(attempt);
    return { kind: "retry", due: delay > 0 ? { after: delay } : undefined }; // 0 is queued at once (42)
  }

  /** How long to wait after an attempt, in milliseconds. */
  delayAfter(_attempt: number): Millis {
    return this.#delay;
  }
}

/**
 * Runs a task that threw again, after delays that grow: the minimum, then `factor` times as long each time, up to the
 * maximum.
 *
 * @example
 * ```ts
 * import { deepEqual } from "node:assert/strict";
 * import { ExponentialRetry } from "@docket/docket";
 *
 * const retry = new ExponentialRetry({ attempts: 5, minimumDelay: "2s", maximumDelay: "32s" });
 * deepEqual([1, 2, 3, 4].map((n) => retry.delayAfter(n)), [2_000, 4_000, 8_000, 16_000]);
 * ```
 */
export class ExponentialRetry extends Retry {
  readonly #minimum: Millis;
  readonly #maximum: Millis;
  readonly #factor: number;
  readonly #jitter: number;

  /**
   * Checks the options where the task is declared, not where it fails.
   *
   * @throws {RangeError} When an option is out of range.
   * @throws {TypeError} When `retryIf` is no function, or an option has a name that is not known.
   */
  constructor(options: ExponentialRetryOptions = {}) {
    super({ attempts: options.attempts, retryIf: options.retryIf });
    refuseUnknownOptions("an ExponentialRetry", options, EXPONENTIAL_OPTIONS);
    const { minimumDelay = 1_000, maximumDelay = 64_000, factor = 2, jitter = 0 } = options;
    this.#minimum = toMillis("minimumDelay", minimumDelay);
    this.#maximum = toMillis("maximumDelay", maximumDelay);
    if (this.#maximum < this.#minimum) {
      throw new RangeError('Cannot use a "maximumDelay" that is shorter than "minimumDelay"');
    }
    if (!(factor >= 1 && factor < Infinity)) {
      throw new RangeError(`Cannot use ${factor} for "factor": it must be at least 1`);
    }
    if (!(jitter >= 0 && jitter <= 1)) {
      throw new RangeError(`Cannot use ${jitter} for "jitter": it must be from 0 to 1`);
    }
    this.#factor = factor;
    this.#jitter = jitter;
  }

  /** How long to wait after an attempt, in milliseconds. */
  override delayAfter(attempt: number): Millis {
    const delay = Math.min(this.#maximum, this.#minimum * this.#factor ** (attempt - 1));
    return delay * (1 - this.#jitter * Math.random());
  }
}

/**
 * `RateLimit`: at most so many within any span of time.
 *
 * @module
 */

import type { Millis } from "../base/clock.ts";
import { type DurationLike, toMillis } from "../base/duration.ts";
import { type OptionNames, refuseUnknownOptions, wholeNumber } from "../base/options.ts";
import type { Gate } from "../storage/contract.ts";
import { type GateOptions, GatePolicy } from "./gate.ts";

/** Options of {@linkcode RateLimit}. */
export interface RateLimitOptions<Args extends readonly unknown[]> extends GateOptions<Args> {
  /** How many may begin within any span of `per`. */
  readonly max: number;
  /** The span. */
  readonly per: DurationLike;
  /**
   * What becomes of the rest: they come later, each at the first time that is free, or end `cancelled` with the reason
   * `"dropped"`.
   *
   * @default "wait"
   */
  readonly excess?: "wait" | "drop";
}

const OPTIONS: OptionNames<RateLimitOptions<readonly unknown[]>> = {
  max: true,
  per: true,
  excess: true,
  by: true,
  scope: true,
};

/**
 * At most `max` runs begin within any span of `per`, over all workers, by the storage's clock: of the task, or for each
 * value of an argument. The rest are scheduled for the first time that is free, in the order in which they came. A retry
 * counts as another run; what was begun counts also when it fails.
 *
 * @example
 * ```ts
 * import { deepEqual } from "node:assert/strict";
 * import { RateLimit, task } from "@docket/docket";
 * import { FakeClock, memoryDocket, runAll } from "@docket/docket/testing";
 *
 * const clock = new FakeClock();
 * const start = clock.now();
 * const seconds: number[] = [];
 * const call = task(
 *   "call",
 *   { rate: new RateLimit({ max: 2, per: "1s" }) },
 *   (): void => void seconds.push((clock.now() - start) / 1_000),
 * );
 *
 * await using docket = await memoryDocket({ clock });
 * for (let i = 0; i < 5; i++) await docket.add(call)();
 * await runAll(docket, { clock });
 * deepEqual(seconds, [0, 0, 1, 1, 2]);
 * ```
 */
export class RateLimit<Args extends readonly unknown[] = readonly unknown[]>
  extends GatePolicy<Args> {
  /** Whether it drops the excess. */
  override readonly mayDrop: boolean;
  readonly #max: number;
  readonly #per: Millis;
  readonly #excess: "wait" | "drop";

  /**
   * Checks the options where the task is declared.
   *
   * @throws {RangeError} When `max` is not a whole number from 1, or `per` not a span of at least a millisecond.
   * @throws {TypeError} For another option that cannot be used.
   */
  constructor(options: RateLimitOptions<Args>) {
    super(options);
    refuseUnknownOptions("a RateLimit", options, OPTIONS);
    const { excess = "wait" } = options;
    if (excess !== "wait" && excess !== "drop") {
      throw new TypeError(`Cannot use ${String(excess)} for "excess": give "wait" or "drop"`);
    }
    this.#max = wholeNumber("max", options.max);
    this.#per = spanOf("per", options.per);
    this.#excess = excess;
    this.mayDrop = excess === "drop";
  }

  /** `"rate limit"`. */
  override get policy(): string {
    return "rate limit";
  }

  /** So many in a sliding window. */
  protected override gateOf(id: string): Gate {
    return { kind: "rate", id, max: this.#max, per: this.#per, excess: this.#excess };
  }
}

/** At least a millisecond, in whole ones. */
export function spanOf(option: string, value: DurationLike): Millis {
  const span = Math.ceil(toMillis(option, value));
  if (span >= 1) return span;
  throw new RangeError(`Cannot use 0 for "${option}": it must be at least 1 ms`);
}

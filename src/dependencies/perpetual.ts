/**
 * `Perpetual`: a task that comes again and again.
 *
 * @module
 */

import type { Millis } from "../base/clock.ts";
import { type DurationLike, type InstantLike, toInstant, toMillis } from "../base/duration.ts";
import { type OptionNames, refuseUnknownOptions } from "../base/options.ts";
import type { Due } from "../storage/contract.ts";
import {
  type Beginning,
  Dependency,
  type RunEnd,
  type Succession,
  type supplies,
} from "./dependency.ts";

/** Options of {@linkcode Perpetual}. */
export interface PerpetualOptions {
  /**
   * How long from the start of one run, or of its last attempt, to the start of the next; when it takes longer, the next
   * comes at once.
   *
   * @default 0
   */
  readonly every?: DurationLike;
  /**
   * Whether workers keep it going by themselves, under the task's name as key: it is scheduled when a worker starts, and
   * again whenever its chain is severed, for as long as workers live. Such a task takes no required arguments. A chain
   * that was cancelled stays so until somebody adds it again under that key, which is its usual one; one that is parked as
   * dead is left alone.
   *
   * @default false
   */
  readonly automatic?: boolean;
  /**
   * Whether the chain goes on after a run that failed for good, with its retries exhausted.
   *
   * @default "continue"
   */
  readonly onExhausted?: "continue" | "stop";
}

/** What a handler receives for its {@linkcode Perpetual}. */
export interface PerpetualState<Args extends readonly unknown[] = readonly unknown[]> {
  /** From the start of this run to the start of the next, read in milliseconds. What is assigned counts for this time only. */
  every: DurationLike;
  /** Gives the next run, and those after it, other arguments. */
  perpetuate(...args: Args): void;
  /** The next run comes so long after the end of this one. */
  after(delay: DurationLike): void;
  /** The next run comes at an instant; one in the past is at once. */
  at(when: InstantLike): void;
  /** Ends the chain with this run. A replacement that somebody scheduled meanwhile is not touched (invariant 48). */
  cancel(): void;
}

/** A run that never reached its body comes again after this at the soonest: nothing in it could slow it down. */
const SLOWEST_SKIP: Millis = 1_000;

const OPTIONS: OptionNames<PerpetualOptions> = { every: true, automatic: true, onExhausted: true };

/**
 * Makes a task perpetual: whenever a run ends, well or badly, the next one is scheduled in the same step, under the same
 * key and with the same arguments. Retries come first. The chain ends when it is cancelled.
 *
 * A run that never got to the task's body, because it was struck, its arguments could not be read, or a dependency could
 * not be opened, is followed by the next one after `every`, but not sooner than after a second.
 *
 * @example
 * ```ts
 * import { deepEqual } from "node:assert/strict";
 * import { Docket, Perpetual, task, Worker } from "@docket/docket";
 *
 * const seen: number[] = [];
 * const countUp = task(
 *   "countUp",
 *   { perpetual: new Perpetual<[from: number]>({ every: "5ms" }) },
 *   ({ perpetual }, from: number): void => {
 *     seen.push(from);
 *     if (from === 3) perpetual.cancel();
 *     else perpetual.perpetuate(from + 1);
 *   },
 * );
 *
 * await using docket = await Docket.connect({ url: "memory://perpetual-example" });
 * await docket.add(countUp, { key: "counter" })(1);
 *
 * await using worker = new Worker(docket);
 * await worker.runAtMost({ counter: 3 });
 * deepEqual(seen, [1, 2, 3]);
 * ```
 */
export class Perpetual<Args extends readonly unknown[] = readonly unknown[]>
  extends Dependency<PerpetualState<Args>> {
  /** Carries `Args` for the compiler: what it gives the next run must suit the task. Never there at run time. */
  declare readonly [supplies]: Args;
  /** Whether workers keep it going by themselves. */
  readonly automatic: boolean;
  readonly #every: Millis;
  readonly #onExhausted: "continue" | "stop";

  /**
   * Checks the options where the task is declared.
   *
   * @throws {RangeError} When `every` is not valid.
   * @throws {TypeError} For another kind of option.
   */
  constructor(options: PerpetualOptions = {}) {
    super();
    refuseUnknownOptions("a Perpetual", options, OPTIONS);
    const { every = 0, automatic = false, onExhausted = "continue" } = options;
    if (typeof automatic !== "boolean") {
      throw new TypeError(`Cannot use ${String(automatic)} for "automatic": give true or false`);
    }
    if (onExhausted !== "continue" && onExhausted !== "stop") {
      throw new TypeError(
        `Cannot use ${String(onExhausted)} for "onExhausted": give "continue" or "stop"`,
      );
    }
    this.automatic = automatic;
    this.#every = toMillis("every", every);
    this.#onExhausted = onExhausted;
  }

  /** `"perpetual"`. */
  override get policy(): string {
    return "perpetual";
  }

  /** Gives the means to choose when, with what, and whether the next run comes. */
  override open(): PerpetualState<Args> {
    return new Plan<Args>(this.#every);
  }

  /** At once: automatic tasks start with the worker. */
  override seed(): Beginning | undefined {
    return this.automatic ? { due: undefined } : undefined;
  }

  /** After `every`, unless a run decides otherwise; of one without a pause nothing can be told. */
  override forecast(startedAt: Millis): Millis | undefined {
    return this.#every > 0 ? startedAt + this.#every : undefined;
  }

  /** The next run; or the end of the chain. */
  override succeed(end: RunEnd, state: PerpetualState<Args> | undefined): Succession {
    if (end.outcome === "failed" && this.#onExhausted === "stop") return { kind: "stop" };
    if (end.began && state instanceof Plan) return state.succession(end);
    const every = Math.max(this.#every, SLOWEST_SKIP);
    return { kind: "next", due: { at: end.startedAt + every } };
  }
}

class Plan<Args extends readonly unknown[]> implements PerpetualState<Args> {
  #every: Millis;
  #due?: Due;
  #args?: Args;
  #cancelled = false;

  constructor(every: Millis) {
    this.#every = every;
  }

  get every(): Millis {
    return this.#every;
  }

  set every(every: DurationLike) {
    this.#every = toMillis("every", every);
    this.#due = undefined;
  }

  perpetuate(...args: Args): void {
    this.#args = args;
  }

  after(delay: DurationLike): void {
    this.#due = { after: Math.ceil(toMillis("delay", delay)) };
  }

  at(when: InstantLike): void {
    this.#due = { at: toInstant("when", when) };
  }

  cancel(): void {
    this.#cancelled = true;
  }

  succession({ startedAt }: RunEnd): Succession {
    if (this.#cancelled) return { kind: "stop" };
    // From start to start, on the storage's clock (invariant 79): what a run takes does not add up.
    const due = this.#due ?? { at: startedAt + this.#every };
    return { kind: "next", due, args: this.#args };
  }
}

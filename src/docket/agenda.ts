/**
 * `Agenda`: work to be spread over a window of time.
 *
 * @module
 */

import type { Millis } from "../base/clock.ts";
import { type DurationLike, type InstantLike, toInstant, toMillis } from "../base/duration.ts";
import { type OptionNames, refuseUnknownOptions } from "../base/options.ts";
import type { Docket, NameOf, Schedulable } from "./docket.ts";
import type { Execution } from "./execution.ts";
import { type CallOptions, validateKey } from "./options.ts";
import type { PlannedCall } from "./planned_call.ts";
import type { AnyFunction } from "./registry.ts";

/** Options of {@linkcode Agenda.add}. */
export type AgendaOptions = Pick<CallOptions, "key" | "ttl">;

/** Options of {@linkcode Agenda.scatter}. */
export interface ScatterOptions {
  /** How long the window is: the first call is due at its start, the last at its end. */
  readonly over: DurationLike;
  /**
   * When the window begins.
   *
   * @default now, by the docket's clock
   */
  readonly start?: InstantLike;
  /**
   * How much earlier or later each call may be, at random; never before the window begins.
   *
   * @default 0
   */
  readonly jitter?: DurationLike;
  /** Gives up waiting for the storage. Some tasks may have been scheduled. */
  readonly signal?: AbortSignal;
}

/** What {@linkcode Agenda.add} returns: call it with the task's arguments. */
export interface Item<Args extends readonly unknown[]> {
  (...args: Args): void;
  /** Refuses to be awaited. */
  then(reminder: "call what add() returned with the task's arguments"): void;
}

/**
 * Collects calls, and spreads them evenly over a window of time, so that what comes at once does not have to be done at
 * once. A single call is due in the middle.
 *
 * @example
 * ```ts
 * import { deepEqual } from "node:assert/strict";
 * import { Agenda, Docket } from "@docket/docket";
 *
 * function remind(customerId: number): number {
 *   return customerId;
 * }
 *
 * const agenda = new Agenda();
 * for (const id of [1, 2, 3]) agenda.add(remind, { key: `remind-${id}` })(id);
 *
 * await using docket = await Docket.connect({ url: "memory://agenda-example" });
 * const start = new Date("2100-01-01T09:00Z");
 * const executions = await agenda.scatter(docket, { over: "1h", start });
 * deepEqual(executions.map(({ when }) => when?.toISOString().slice(11, 16)), ["09:00", "09:30", "10:00"]);
 *
 * // Once more changes nothing: the keys are taken.
 * const [again] = await agenda.scatter(docket, { over: "1h" });
 * deepEqual(again.disposition, "exists");
 * ```
 */
export class Agenda {
  readonly #items: ((docket: Docket, due: CallOptions) => PlannedCall)[] = [];

  /** How many calls it holds. */
  get size(): number {
    return this.#items.length;
  }

  /**
   * Notes a call, as {@linkcode Docket.add} would schedule it: `agenda.add(task, options)(…args)`.
   *
   * @throws {TypeError} For options that cannot be used.
   * @throws {RangeError} For a key that is too long.
   */
  add<Args extends readonly unknown[], Result>(
    task: Schedulable<Args, Result>,
    options?: AgendaOptions,
  ): Item<Args>;
  /** Notes a call by name, as {@linkcode Docket.add} adds by name. */
  add<T extends (...args: never) => unknown = (...args: unknown[]) => unknown>(
    name: NameOf<T>,
    options?: AgendaOptions,
  ): Item<Parameters<T>>;
  add(task: AnyFunction | string, options: AgendaOptions = {}): Item<readonly unknown[]> {
    refuseUnknownOptions("Agenda.add()", options, ADD_OPTIONS);
    if (options.key !== undefined) validateKey(options.key);
    const note = (...args: readonly unknown[]): void => {
      this.#items.push((docket, due) =>
        docket.call(task as AnyFunction, { ...options, ...due })(...args)
      );
    };
    return Object.assign(note, { then: forgotten });
  }

  /**
   * Schedules what it holds, in the order in which it was added. Everything is checked before the first is scheduled
   * (invariant 12); with keys of its own it can be repeated, and each execution tells by its disposition what it did.
   *
   * @throws {TypeError} For options that cannot be used.
   * @throws {RangeError} For a time or duration out of range.
   * @throws What {@linkcode Docket.addAll} throws.
   */
  async scatter(docket: Docket, options: ScatterOptions): Promise<Execution[]> {
    refuseUnknownOptions("Agenda.scatter()", options, SCATTER_OPTIONS);
    const over = toMillis("over", options.over);
    const jitter = toMillis("jitter", options.jitter ?? 0);
    const start = options.start === undefined ? undefined : toInstant("start", options.start);
    const calls = this.#items.map((plan, i) => {
      const offset = offsetOf(i, this.size, over) + (2 * Math.random() - 1) * jitter;
      const after = Math.max(0, offset);
      // A delay begins on the storage's clock (invariant 79).
      return plan(docket, start === undefined ? { delay: after } : { when: start + after });
    });
    return await docket.addAll(calls, { signal: options.signal });
  }
}

/** Evenly, both ends included; a single one in the middle. */
function offsetOf(index: number, size: number, over: Millis): Millis {
  return size === 1 ? over / 2 : over * index / (size - 1);
}

function forgotten(): never {
  throw new TypeError("Cannot await add(): call what it returned with the task's arguments");
}

const ADD_OPTIONS: OptionNames<AgendaOptions> = { key: true, ttl: true };
const SCATTER_OPTIONS: OptionNames<ScatterOptions> = {
  over: true,
  start: true,
  jitter: true,
  signal: true,
};

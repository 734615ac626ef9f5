/**
 * A call that is to be scheduled, checked and encoded.
 *
 * @module
 */

import type { Call, Due } from "../storage/contract.ts";

/** Where a planned call carries the type of its task's result; never there at run time. */
export declare const returns: unique symbol;

/** What goes to the storage. */
export interface Plan {
  readonly mode: Call["mode"];
  readonly task: string;
  readonly key: string;
  readonly args: readonly unknown[];
  readonly due: Due;
  readonly body: string;
}

/** What {@linkcode Docket.call} makes and {@linkcode Docket.addAll} schedules: a task with its arguments and options. */
export class PlannedCall<Result = unknown> {
  /** Carries `Result` for the compiler; never there at run time. */
  declare readonly [returns]: Result;
  readonly #plan: Plan;

  /** Made by the docket. */
  constructor(plan: Plan) {
    this.#plan = plan;
  }

  /** The name of the task. */
  get task(): string {
    return this.#plan.task;
  }

  /** The key it will have. */
  get key(): string {
    return this.#plan.key;
  }

  /** What it will be called with. */
  get args(): readonly unknown[] {
    return this.#plan.args;
  }

  /**
   * What goes to the storage.
   *
   * @throws {TypeError} When something else is given for a planned call.
   */
  static planOf(call: PlannedCall): Plan {
    if (call instanceof PlannedCall) return call.#plan;
    throw new TypeError("Cannot schedule this: give what docket.call(task)(…args) returned");
  }
}

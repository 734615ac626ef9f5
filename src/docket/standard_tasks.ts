/**
 * Tasks that every `docket worker` knows.
 *
 * @module
 */

import { type Clock, sleep as sleepOn } from "../base/clock.ts";
import { Dependency, type Scope } from "../dependencies/dependency.ts";
import { type Task, task } from "./task.ts";

/** What {@linkcode standardTasks} holds. */
export type StandardTasks = {
  /** Logs a message at the level of information. */
  readonly trace: Task<"trace", [message: string], void, Record<never, never>>;
  /** Throws an `Error` with a message. */
  readonly fail: Task<"fail", [message: string], void, Record<never, never>>;
  /**
   * Waits so many seconds, whole or fractional. When its signal aborts it throws the signal's reason. A number that is
   * negative or not finite is a `RangeError`.
   */
  readonly sleep: Task<"sleep", [seconds: number], void, Record<never, never>>;
};

/** Lets `sleep` wait on the docket's clock. */
class Time extends Dependency<Clock> {
  override open({ clock }: Scope): Clock {
    return clock;
  }
}

const trace = task("trace", ({ log }, message: string): void => {
  log.info("{message}", { message }); // as it is: braces in it are no placeholders
});

const fail = task("fail", (_context, message: string): void => {
  throw new Error(message);
});

const sleep = task(
  "sleep",
  { clock: new Time() },
  async ({ clock, signal }, seconds: number): Promise<void> => {
    if (!(Number.isFinite(seconds) && seconds >= 0)) {
      const shown = typeof seconds === "number" ? seconds : `a ${typeof seconds} of`;
      throw new RangeError(
        `Cannot sleep for ${shown} seconds: it must be a finite number that is not negative`,
      );
    }
    await sleepOn(clock, seconds * 1_000, signal);
    signal.throwIfAborted();
  },
);

/**
 * Three tasks for trying out a docket: `trace` logs, `fail` throws, `sleep` waits. `docket worker` always knows them, so
 * that a task can be added from the command line, or a deployment smoke-tested, before there is any code. Register them
 * to have them elsewhere.
 *
 * @example
 * ```ts
 * import { rejects } from "node:assert/strict";
 * import { Docket, standardTasks, Worker } from "@docket/docket";
 *
 * await using docket = await Docket.connect({ url: "memory://standard", tasks: standardTasks });
 * const execution = await docket.add(standardTasks.fail)("whoops");
 *
 * await using worker = new Worker(docket);
 * await worker.runUntilFinished();
 * await rejects(execution.result(), { code: "EXECUTION_FAILED" });
 * ```
 */
export const standardTasks: StandardTasks = Object.freeze({ trace, fail, sleep });

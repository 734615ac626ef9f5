/**
 * What a task declares and the worker supplies.
 *
 * @module
 */

import type { Clock, Millis } from "../base/clock.ts";
import type { DocketError } from "../base/errors.ts";
import type { Docket } from "../docket/docket.ts";
import type { Execution } from "../docket/execution.ts";
import type { Due, Gate } from "../storage/contract.ts";
import type { Worker } from "../worker/worker.ts";
import type { SharedPool } from "./pool.ts";
import type { Progress } from "./progress.ts";

/** Where a dependency carries the type of its value; never there at run time. */
export declare const resolved: unique symbol;

/** Where a dependency carries the arguments it can work with; never there at run time. */
export declare const accepts: unique symbol;

/** Where a dependency carries the arguments that it may give to later runs; never there at run time. */
export declare const supplies: unique symbol;

/** What every handler is given, before what its task declares. */
export interface TaskContext {
  /** The docket that the task runs on, to schedule more work. */
  readonly docket: Docket;
  /** The worker that runs it. */
  readonly worker: Worker;
  /** This execution. */
  readonly execution: Execution;
  /** Its key. */
  readonly key: string;
  /** Which attempt this is, from 1. */
  readonly attempt: number;
  /**
   * Aborts with a typed reason: `TimeoutError`, `CancelledError`, `LeaseLostError` or `ShutdownError`.
   */
  readonly signal: AbortSignal;
  /** A logger that carries docket, worker, task, key and attempt. */
  readonly log: TaskLogger;
  /** Tells whoever follows this execution how far it is. */
  readonly progress: Progress;
  /**
   * The argument of a parameter, by its name: for a factory of `Depends`, which is not called with the arguments.
   * `undefined` when it was not given.
   *
   * @throws {TypeError} When the task has no parameter of that name.
   */
  argument(name: string): unknown;
}

/**
 * Writes to the program's log; silent until the program configures LogTape, whose `Logger` this is. Properties fill the
 * placeholders of the message: `log.info("Sent {count} letters", { count })`.
 */
export interface TaskLogger {
  /** The finest steps. */
  trace(message: string, properties?: Record<string, unknown>): void;
  /** What helps to find a mistake. */
  debug(message: string, properties?: Record<string, unknown>): void;
  /** What an operator may want to know. */
  info(message: string, properties?: Record<string, unknown>): void;
  /** What went wrong and was dealt with. */
  warn(message: string, properties?: Record<string, unknown>): void;
  /** What failed. */
  error(message: string, properties?: Record<string, unknown>): void;
  /** What the program does not survive. */
  fatal(message: string, properties?: Record<string, unknown>): void;
}

/** Names that a record of dependencies may not use: they are the context's, now or in a coming version. */
export type ContextName = keyof TaskContext;

/** The names of {@linkcode ContextName}, for checking at run time. */
export const CONTEXT_NAMES: ReadonlySet<string> = new Set<ContextName>([
  "docket",
  "worker",
  "execution",
  "key",
  "attempt",
  "signal",
  "log",
  "progress",
  "argument",
]);

/** One execution's view of the world while its dependencies are being opened. */
export interface Scope {
  /** What the handler will be given too. */
  readonly context: TaskContext;
  /** For whatever measures time. */
  readonly clock: Clock;
  /**
   * Ends the execution with this error although its handler has not settled; its signal aborts with it. Absent when a
   * task is called directly: policies then give their value and enforce nothing.
   */
  readonly abandon?: (reason: DocketError) => void;
  /** What all executions of the worker share. */
  readonly pool: SharedPool;
  /** Calls back when the execution is over, before it is settled; the last deferred goes first. */
  defer(close: Close): void;
  /** The value of another dependency: one per identity and execution, however many ask. */
  open<Value>(dependency: Dependency<Value>): Promise<Value>;
  /** The values of a record, with the context beside them. */
  openAll<D extends Dependencies>(dependencies: D): Promise<TaskContext & Resolved<D>>;
}

/** Closes something that an execution used. `failure` is there when the execution threw. */
export type Close = (failure?: Failure) => void | Promise<void>;

/** What an execution threw. */
export interface Failure {
  /** Whatever was thrown. */
  readonly error: unknown;
  /** Which attempt threw it, from 1. */
  readonly attempt: number;
}

/** What a policy wants done about a failure. */
export type Decision =
  | { readonly kind: "fail" }
  | { readonly kind: "retry"; readonly due: Due };

/** How a run ended, for those who decide what comes after it. */
export interface RunEnd {
  /** `"skipped"`: it was struck, and did not run. */
  readonly outcome: "completed" | "failed" | "skipped";
  /** Whether the handler was called: not so when its arguments could not be read, or a dependency not be opened. */
  readonly began: boolean;
  /** When it started, on the storage's clock. */
  readonly startedAt: Millis;
  /** The instant it was asked for, or that its last attempt was; absent when that was "now". */
  readonly due?: Millis;
  /** The instant that it stands for, where its chain planned it so: the same for all its attempts. */
  readonly planned?: Millis;
}

/** What comes after a run: the next of a chain, with the same arguments unless it names others; or nothing, on purpose. */
export type Succession =
  | {
    readonly kind: "next";
    readonly due: Due;
    readonly args?: readonly unknown[];
    /** Whether the run is told the instant that it is due at, however often it is tried: {@linkcode RunEnd.planned}. */
    readonly planned?: boolean;
  }
  | { readonly kind: "stop" };

/** When an automatic task is first due: in itself, or by the time that it is on the storage's clock. */
export interface Beginning {
  /** When; a function is given the time. */
  readonly due: Due | ((now: Millis) => Due);
  /** Whether the run is told the instant that it is due at, however often it is tried: {@linkcode RunEnd.planned}. */
  readonly planned?: boolean;
}

/**
 * Something a task declares and the worker supplies. Extend it to make your own.
 *
 * `Value` is what the handler receives. `Args` are the arguments of the tasks that it can work with: a dependency that
 * looks at the wrong argument does not compile.
 *
 * @example A dependency that measures how long its task takes
 * ```ts
 * import { ok } from "node:assert/strict";
 * import { Dependency, type Scope, task } from "@docket/docket";
 *
 * class Stopwatch extends Dependency<{ elapsed(): number }> {
 *   override open({ clock, defer }: Scope): { elapsed(): number } {
 *     const start = clock.monotonic();
 *     defer((failure) => console.log(failure ? "failed" : "done", clock.monotonic() - start));
 *     return { elapsed: () => clock.monotonic() - start };
 *   }
 * }
 *
 * const measured = task("measured", { watch: new Stopwatch() }, ({ watch }): boolean => {
 *   return watch.elapsed() >= 0;
 * });
 * ok(await measured());
 * ```
 */
export abstract class Dependency<Value, Args extends readonly unknown[] = readonly unknown[]> {
  /** Carries `Value` for the compiler; never there at run time. */
  declare readonly [resolved]: Value;
  /** Carries `Args` for the compiler; never there at run time. */
  declare readonly [accepts]: (...args: Args) => void;

  /**
   * Which policy this is, such as `"retry"`: a record holds one of each. Policies are opened before everything else,
   * so that they also govern how the rest is opened.
   */
  get policy(): string | undefined {
    return undefined;
  }

  /** Opens the value for one execution. What it throws fails the execution. */
  abstract open(scope: Scope): Value | Promise<Value>;

  /**
   * Decides about a failure, without doing anything: the worker carries the decision to the storage. Of several
   * dependencies in a record the first that decides is heard.
   */
  decide?(failure: Failure): Decision;

  /**
   * Decides what comes after a run that ended and is not tried again, without doing anything. `value` is what was opened
   * for it; `undefined` when it did not come so far. Of several dependencies in a record the first that decides is heard.
   */
  succeed?(end: RunEnd, value: Value | undefined): Succession | undefined;

  /**
   * The gate that a call must pass before it may begin, as data: the worker has the storage enter all gates of a run in one
   * step. What it throws fails the execution.
   */
  gate?(task: string, args: readonly unknown[]): Gate;

  /** Whether its gate may drop a run for good: such a one has no place in a chain, which would end with it. */
  readonly mayDrop?: boolean;

  /**
   * When the run after one that starts at an instant is due, as far as that can be told beforehand: for
   * `docket.preview()`.
   */
  forecast?(startedAt: Millis): Millis | undefined;

  /** How a task begins that workers schedule by themselves; `undefined` when they do not. */
  seed?(): Beginning | undefined;
}

/** Any dependency, whatever it gives. */
// deno-lint-ignore no-explicit-any -- the widest there is
export type AnyDependency = Dependency<any, any>;

/** Named dependencies; names that every task has already cannot be declared again. */
export type Dependencies =
  & { readonly [name: string]: AnyDependency }
  & { readonly [Name in ContextName]?: never };

/** What the handler receives for a record of dependencies. */
export type Resolved<D> = {
  readonly [Name in keyof D]: D[Name] extends Dependency<infer Value, infer _> ? Value : never;
};

/** Points at any dependency that cannot work with the arguments of its task. */
export type Fits<D, Args extends readonly unknown[]> = [Args] extends [never] ? unknown // not inferred yet
  : {
    readonly [Name in keyof D]: D[Name] extends { readonly [supplies]: infer Supplies }
      ? unknown[] extends Supplies ? D[Name]
      : Supplies extends Args ? D[Name]
      : "does not fit the arguments of this task"
      : D[Name] extends { readonly [accepts]: infer Accepts }
        ? Accepts extends (...args: Args) => void ? D[Name]
        : "does not fit the arguments of this task"
      : D[Name];
  };

/**
 * Refuses records that cannot work, where they were written.
 *
 * @throws {TypeError} For a name of the context, two of one policy, or something that is no dependency.
 */
export function validateDependencies(task: string, dependencies: Dependencies): void {
  const policies = new Map<string, string>();
  for (const [name, dependency] of Object.entries<unknown>(dependencies)) {
    if (CONTEXT_NAMES.has(name)) {
      throw new TypeError(`Cannot declare "${name}" in "${task}": every task has it already`);
    }
    if (!(dependency instanceof Dependency)) {
      throw new TypeError(`Cannot declare "${name}" in "${task}": it is not a Dependency`);
    }
    const { policy } = dependency;
    if (policy === undefined) continue;
    const other = policies.get(policy);
    if (other !== undefined) {
      throw new TypeError(
        `Cannot declare "${name}" in "${task}": "${other}" is its ${policy} policy already`,
      );
    }
    policies.set(policy, name);
  }
}

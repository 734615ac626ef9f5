/**
 * Options of a worker and of its runs, and what they mean.
 *
 * @module
 */

import { hostname } from "node:os";
import { pid } from "node:process";
import type { Millis } from "../base/clock.ts";
import { type DurationLike, toMillis } from "../base/duration.ts";
import { type OptionNames, refuseUnknownOptions, wholeNumber } from "../base/options.ts";
import {
  type AnyDependency,
  type Dependencies,
  Dependency,
  validateDependencies,
} from "../dependencies/dependency.ts";
import type { Replacement } from "../dependencies/resolve.ts";
import type { Execution } from "../docket/execution.ts";
import type { Worker } from "./worker.ts";

/** Options of a {@linkcode Worker}. */
export interface WorkerOptions {
  /**
   * A label for people; several workers may share one.
   *
   * @default host and process id, such as "web-1#4711"
   */
  readonly name?: string;
  /**
   * How many tasks run at once.
   *
   * @default 10
   */
  readonly concurrency?: number;
  /**
   * The lease: how long after a worker's death its tasks are given to others. It is renewed while a task runs, so it need
   * not exceed the longest task. Give all workers of a docket the same: each judges the leases of the others by its own.
   *
   * @default 30 seconds
   */
  readonly redeliveryTimeout?: DurationLike;
  /**
   * Keeps the leases of what runs from a thread with a connection of its own while a handler computes without a pause, so
   * that what computes for longer than the lease is not run by another worker meanwhile. Only on Redis, opened by a URL.
   * `true` is `{}`.
   *
   * @default false
   */
  readonly leaseThread?: boolean | LeaseThreadOptions;
  /**
   * A run that takes longer may be stuck, and is told of in the log, once. It goes on, and keeps its place: to end it is for
   * `Timeout`.
   *
   * @default 1 hour
   */
  readonly stuckAfter?: DurationLike;
  /**
   * The longest pause before a call that failed is tried again; pauses grow up to it, with jitter.
   *
   * @default 5 seconds
   */
  readonly reconnectionDelay?: DurationLike;
  /**
   * How long one blocking read lasts at most.
   *
   * @default 1 second
   */
  readonly minimumCheckInterval?: DurationLike;
  /**
   * Tasks that are due within this of each other are queued together.
   *
   * @default 2 milliseconds
   */
  readonly schedulingResolution?: DurationLike;
  /**
   * A task that was handed out so often without ever being settled is parked as dead.
   *
   * @default 5
   */
  readonly maxDeliveries?: number;
  /**
   * How long running tasks may go on when the worker stops. Then their signals abort, and what is not finished is given
   * back, nothing charged.
   *
   * @default 25 seconds
   */
  readonly gracePeriod?: DurationLike;
  /**
   * Whether this worker keeps automatic tasks going: see `Perpetual`.
   *
   * @default true
   */
  readonly scheduleAutomaticTasks?: boolean;
  /**
   * Executions of tasks that no worker knows wait for one that does, and are dead after this.
   *
   * @default 24 hours
   */
  readonly unknownTaskTtl?: DurationLike;
  /**
   * Dependencies around those of every task, such as a `Retry` or a `Timeout` for those that have none: opened first and
   * closed last. The task's own wins, over one of the same name and over one that is the same policy.
   */
  readonly dependencies?: Dependencies;
  /**
   * What stands in for a `Depends` or a `Shared`, wherever it is nested: its identity, and what to give instead. For tests
   * of whole workers.
   */
  readonly replace?: readonly Replacement[];
  /** Runs executions of tasks that are not registered here, instead of leaving them to others. */
  readonly fallback?: (execution: Execution) => unknown;
  /**
   * Called with whatever makes a task fail, whether or not it will be tried again. It is not waited for, and what it
   * throws itself is only logged.
   */
  readonly onError?: (error: unknown, execution: Execution) => unknown;
}

/** Options of {@linkcode WorkerOptions.leaseThread}. */
export interface LeaseThreadOptions {
  /**
   * How long a handler may compute without a pause. After that it is taken for an endless loop: its worker's leases are
   * renewed no longer, and others take over what ran there.
   *
   * @default 1 hour
   */
  readonly patience?: DurationLike;
}

/** Options of {@linkcode Worker.close}. */
export interface CloseOptions {
  /**
   * How long running tasks may go on at most, where that is less than the worker's own `gracePeriod`.
   *
   * @default the worker's
   */
  readonly gracePeriod?: DurationLike;
}

/** Options of {@linkcode Worker.run}. */
export interface ProgramOptions extends WorkerOptions {
  /**
   * Whether to end once the docket has nothing left to run, as `runUntilFinished` does.
   *
   * @default false
   */
  readonly untilFinished?: boolean;
  /** Called with the worker before it claims anything: to ask it for its `health()`, say. */
  readonly onStart?: (worker: Worker) => void;
}

/** How a worker is: what `Worker.health()` tells. */
export interface WorkerHealth {
  /** Whether it runs, as `Worker.live` tells. */
  readonly live: boolean;
  /** Whether it claims tasks: claiming worked when it was tried last, it does not drain, and the storage answers now. */
  readonly ready: boolean;
  /** Why it is not ready: `"no answer"` is about the storage. */
  readonly reason?: "not running" | "draining" | "cannot claim" | "no answer";
}

/** Options of {@linkcode Worker.runForever} and {@linkcode Worker.runUntilFinished}. */
export interface RunOptions {
  /** Drains the worker: running tasks finish, nothing new is claimed, and the promise resolves. */
  readonly signal?: AbortSignal;
}

/** Options of a worker once they are checked. */
export interface Settings extends Pick<WorkerOptions, "fallback" | "onError"> {
  readonly name: string;
  readonly concurrency: number;
  readonly maxDeliveries: number;
  /** How long a claim counts that nobody renews. */
  readonly lease: Millis;
  /** For how long a thread keeps leases in the place of this one, if at all. */
  readonly leaseThread?: { readonly patience: Millis };
  readonly stuckAfter: Millis;
  readonly reconnectionDelay: Millis;
  readonly minimumCheckInterval: Millis;
  readonly schedulingResolution: Millis;
  readonly gracePeriod: Millis;
  readonly unknownTaskTtl: Millis;
  readonly scheduleAutomaticTasks: boolean;
  readonly dependencies: Dependencies;
  readonly replace: readonly Replacement[];
}

const OPTIONS: OptionNames<WorkerOptions> = {
  name: true,
  concurrency: true,
  redeliveryTimeout: true,
  leaseThread: true,
  stuckAfter: true,
  reconnectionDelay: true,
  minimumCheckInterval: true,
  schedulingResolution: true,
  maxDeliveries: true,
  gracePeriod: true,
  scheduleAutomaticTasks: true,
  unknownTaskTtl: true,
  dependencies: true,
  replace: true,
  fallback: true,
  onError: true,
};

/**
 * Checks the options of a {@linkcode Worker}.
 *
 * @throws {RangeError} When an option is out of range.
 * @throws {TypeError} When an option is of the wrong kind.
 */
export function toSettings(options: WorkerOptions): Settings {
  refuseUnknownOptions("a Worker", options, OPTIONS);
  return {
    name: validateName(options.name ?? defaultName()),
    concurrency: wholeNumber("concurrency", options.concurrency ?? 10),
    maxDeliveries: wholeNumber("maxDeliveries", options.maxDeliveries ?? 5),
    lease: atLeast("redeliveryTimeout", options.redeliveryTimeout ?? 30_000, 10),
    leaseThread: toLeaseThread(options.leaseThread),
    stuckAfter: toMillis("stuckAfter", options.stuckAfter ?? { hours: 1 }),
    reconnectionDelay: atLeast("reconnectionDelay", options.reconnectionDelay ?? 5_000, 1),
    minimumCheckInterval: atLeast("minimumCheckInterval", options.minimumCheckInterval ?? 1_000, 1),
    schedulingResolution: toMillis("schedulingResolution", options.schedulingResolution ?? 2),
    gracePeriod: toMillis("gracePeriod", options.gracePeriod ?? 25_000),
    unknownTaskTtl: toMillis("unknownTaskTtl", options.unknownTaskTtl ?? { hours: 24 }),
    scheduleAutomaticTasks: options.scheduleAutomaticTasks ?? true,
    dependencies: toDependencies(options.dependencies ?? {}),
    replace: toReplacements(options.replace ?? []),
    fallback: validateHook("fallback", options.fallback),
    onError: validateHook("onError", options.onError),
  };
}

/**
 * For how long running tasks may go on, as {@linkcode Worker.close} is told.
 *
 * @throws {RangeError} When it is out of range.
 * @throws {TypeError} For an option that does not exist.
 */
export function toGracePeriod(options: CloseOptions): Millis | undefined {
  refuseUnknownOptions("Worker.close()", options, { gracePeriod: true });
  const { gracePeriod } = options;
  return gracePeriod === undefined ? undefined : toMillis("gracePeriod", gracePeriod);
}

function toLeaseThread(given: WorkerOptions["leaseThread"] = false): Settings["leaseThread"] {
  if (given === false) return undefined;
  if (given !== true && (typeof given !== "object" || given === null)) {
    throw new TypeError(
      `Cannot use ${JSON.stringify(given)} for "leaseThread": give true, or { patience }`,
    );
  }
  const options = given === true ? {} : given;
  refuseUnknownOptions("leaseThread", options, { patience: true });
  return { patience: toMillis("leaseThread.patience", options.patience ?? { hours: 1 }) };
}

function toDependencies(dependencies: Dependencies): Dependencies {
  validateDependencies("a Worker", dependencies);
  for (const [name, { succeed, seed }] of Object.entries<AnyDependency>(dependencies)) {
    if (!succeed && !seed) continue;
    throw new TypeError(`Cannot have every task come again: "${name}" is for tasks, not workers`);
  }
  return dependencies;
}

function toReplacements(replace: readonly Replacement[]): readonly Replacement[] {
  const sound = Array.isArray(replace) &&
    replace.every((one) =>
      Array.isArray(one) && one[0] instanceof Dependency && typeof one[1] === "function"
    );
  if (sound) return replace;
  throw new TypeError('Cannot use this for "replace": give pairs [dependency, () => instead]');
}

function defaultName(): string {
  try {
    return `${hostname()}#${pid}`;
  } catch {
    return `worker#${pid}`; // without the permission to ask for the host's name
  }
}

function validateName(name: string): string {
  // deno-lint-ignore no-control-regex -- a name is shown in terminals and stored between bars
  if (typeof name === "string" && /^[^\x00-\x1f\x7f|~]{1,128}$/.test(name)) return name;
  throw new TypeError(
    `Cannot use ${
      JSON.stringify(name)
    } as a worker's name: give 1 to 128 characters without "|", "~" and controls`,
  );
}

function atLeast(option: string, value: DurationLike, least: Millis): Millis {
  const millis = toMillis(option, value);
  if (millis >= least) return millis;
  throw new RangeError(`Cannot use ${millis} ms for "${option}": it must be at least ${least} ms`);
}

function validateHook<Hook>(option: string, hook: Hook): Hook {
  if (hook === undefined || typeof hook === "function") return hook;
  throw new TypeError(`Cannot use this for "${option}": it must be a function`);
}

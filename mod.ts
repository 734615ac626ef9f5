/**
 * Distributed background tasks: put work on a docket, for now or for later, and have any number of workers run it, on
 * Redis streams or in memory.
 *
 * @example
 * ```ts
 * import { equal } from "node:assert/strict";
 * import { Docket, Worker } from "@docket/docket";
 *
 * function greet(name: string, greeting = "Hello"): string {
 *   return `${greeting}, ${name}!`;
 * }
 *
 * await using docket = await Docket.connect({ name: "greetings", url: "memory://greetings" });
 * const now = await docket.add(greet)("Jane");
 * const soon = await docket.add(greet, { delay: "20ms" })("John", "Howdy");
 *
 * await using worker = new Worker(docket);
 * await worker.runUntilFinished();
 * equal(await now.result(), "Hello, Jane!");
 * equal(await soon.result(), "Howdy, John!");
 * ```
 *
 * @module
 */

export {
  Docket,
  type ExecutionsOf,
  type NameOf,
  type Planner,
  type Schedulable,
  type Scheduler,
} from "./src/docket/docket.ts";
export type {
  AddAllOptions,
  AddOptions,
  CallOptions,
  DocketOptions,
  Durability,
  ExecutionTtl,
  ListOptions,
  ReplaceOptions,
} from "./src/docket/options.ts";
export type { StrikeOfTask } from "./src/docket/striker.ts";
export { PlannedCall, type returns } from "./src/docket/planned_call.ts";
export { Agenda, type AgendaOptions, type Item, type ScatterOptions } from "./src/docket/agenda.ts";
export type { ExpectedRun, PreviewOptions } from "./src/docket/preview.ts";
export type { Snapshot } from "./src/docket/snapshot.ts";
export type { WorkerInfo } from "./src/docket/presence.ts";
export {
  type Disposition,
  Execution,
  type ExecutionSeed,
  type ExecutionState,
  type ResultOptions,
} from "./src/docket/execution.ts";
export type { ExecutionEvent, ProgressEvent, StateEvent } from "./src/docket/events.ts";
export {
  type AnyTask,
  type ArgsOf,
  type Handler,
  type ResultOf,
  type Task,
  task,
} from "./src/docket/task.ts";
export { type AnyFunction, type Tasks } from "./src/docket/registry.ts";
export { type StandardTasks, standardTasks } from "./src/docket/standard_tasks.ts";
export { Worker } from "./src/worker/worker.ts";
export type {
  CloseOptions,
  LeaseThreadOptions,
  ProgramOptions,
  RunOptions,
  WorkerHealth,
  WorkerOptions,
} from "./src/worker/options.ts";

export {
  type accepts,
  type AnyDependency,
  type Beginning,
  type Close,
  type ContextName,
  type Decision,
  type Dependencies,
  Dependency,
  type Failure,
  type Fits,
  type Resolved,
  type resolved,
  type RunEnd,
  type Scope,
  type Succession,
  type supplies,
  type TaskContext,
  type TaskLogger,
} from "./src/dependencies/dependency.ts";
export {
  ConcurrencyLimit,
  type ConcurrencyLimitOptions,
} from "./src/dependencies/concurrency_limit.ts";
export { Cooldown, type CooldownOptions } from "./src/dependencies/cooldown.ts";
export { Debounce, type DebounceOptions } from "./src/dependencies/debounce.ts";
export { type GateOptions, GatePolicy } from "./src/dependencies/gate.ts";
export { RateLimit, type RateLimitOptions } from "./src/dependencies/rate_limit.ts";
export type { Gate } from "./src/storage/contract.ts";
export { Cron, type CronOptions, type CronState } from "./src/dependencies/cron.ts";
export { Depends } from "./src/dependencies/depends.ts";
export type { Given, Yielded } from "./src/dependencies/given.ts";
export type { SharedContext, SharedPool, SharedScope, Sharing } from "./src/dependencies/pool.ts";
export { Shared, type SharedDependencies, type SharedValues } from "./src/dependencies/shared.ts";
export type { Replacement } from "./src/dependencies/resolve.ts";
export { logged, loggedLength, type LoggedParam, Params } from "./src/dependencies/params.ts";
export {
  Perpetual,
  type PerpetualOptions,
  type PerpetualState,
} from "./src/dependencies/perpetual.ts";
export {
  type ExecutionProgress,
  Progress,
  type ProgressUpdate,
} from "./src/dependencies/progress.ts";
export {
  ExponentialRetry,
  type ExponentialRetryOptions,
  Retry,
  type RetryOptions,
  RetryRequest,
  type RetryState,
} from "./src/dependencies/retry.ts";
export { Timeout, type TimeoutState } from "./src/dependencies/timeout.ts";

export type { Strike, StrikeOperator } from "./src/base/strikes.ts";
export type { Clock, Millis } from "./src/base/clock.ts";
export type { Codec } from "./src/base/codec.ts";
export type {
  DurationFields,
  DurationLike,
  InstantLike,
  TemporalDuration,
} from "./src/base/duration.ts";
export {
  type AnyDocketError,
  CancelledError,
  type CancelReason,
  ConnectionError,
  DependencyError,
  type DependencyFailure,
  DocketError,
  type ErrorCode,
  ExecutionCancelledError,
  ExecutionExpiredError,
  ExecutionFailedError,
  LeaseLostError,
  NonRetryableError,
  NotReplicatedError,
  PayloadTooLargeError,
  ProtocolError,
  ResultTimeoutError,
  SerializationError,
  ShutdownError,
  StorageFullError,
  TimeoutError,
  UnknownTaskError,
} from "./src/base/errors.ts";

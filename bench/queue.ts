/**
 * What the scenarios need of a queue of tasks, whoever's it is.
 *
 * @module
 */

import type { Customer } from "./load.ts";

/** What a contender does for each task. */
export type Handler = (customer: Customer) => unknown;

/** Settings of a queue. Both sides get the same. */
export interface QueueOptions {
  /** How often a task runs at most; it is tried again at once. @default 1 */
  readonly attempts?: number;
  /** Whether results are awaited. @default false */
  readonly results?: boolean;
}

/** Opens a queue of that name on a server. */
export type Open = (url: string, name: string, options?: QueueOptions) => Promise<Queue>;

/** A queue, connected. What a contender {@linkcode Contender.lacks} is not called. */
export interface Queue {
  /** Adds one task. */
  add(customer: Customer): Promise<unknown>;
  /** Adds one that is due at an instant, in milliseconds of the epoch. */
  schedule(customer: Customer, due: number): Promise<unknown>;
  /** Adds many at once, in the way that the contender has for that. */
  addAll(customers: readonly Customer[], due?: number): Promise<unknown>;
  /** Adds one and gives its result. */
  call(customer: Customer): Promise<unknown>;
  /** A worker that is connected and does nothing yet. */
  worker(concurrency: number, handler: Handler): Promise<QueueWorker>;
  close(): Promise<unknown>;
}

/** A worker of a queue. */
export interface QueueWorker {
  /** Works until so many tasks are settled, or nothing is left to settle after {@linkcode finish}. */
  run(count: number, settled?: () => void): Promise<unknown>;
  /** Says that no more tasks are to be expected. */
  finish(): void;
  close(): Promise<unknown>;
}

/** What a contender may be unable to do. */
export type Ability =
  /** Tasks that are due later. */
  | "schedule"
  /** Many tasks in one call. */
  | "bulk"
  /** Trying again what threw. */
  | "retry"
  /** Results. */
  | "result"
  /** Handlers that take their time, side by side. */
  | "wait"
  /** Several processes at one queue. */
  | "server"
  /** Everything else that only the docket has. */
  | "docket";

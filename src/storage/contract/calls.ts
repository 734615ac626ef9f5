/**
 * What is asked for: tasks to schedule, to keep there, to run again, to cancel.
 *
 * @module
 */

import type { Millis } from "../../base/clock.ts";
import type { Due, LiveTask } from "./tasks.ts";

/** Options of every verb that waits. */
export interface Waiting {
  /** Gives up: the verb rejects with the signal's reason, or returns early where it says so. */
  readonly signal?: AbortSignal;
}

/** One add or replace. */
export interface Call {
  /** The key, any well-formed string. */
  readonly key: string;
  /** The request's own random id, 22 characters; becomes the generation when accepted. */
  readonly generation: string;
  /** What to do about a live task with the same key: keep it, or put this in its place. */
  readonly mode: "add" | "replace";
  /** When to run. */
  readonly due: Due;
  /** Opaque. */
  readonly body: string;
}

/** The answer to a {@linkcode Call}. */
export type Verdict =
  | { readonly kind: "scheduled" }
  /** A replacement of a running task: it waits for that run to end. */
  | { readonly kind: "deferred" }
  /** Nothing was written: this task is live under the key. */
  | { readonly kind: "exists"; readonly live: LiveTask }
  /** Nothing was written: there are newer strikes than the caller has looked at. */
  | { readonly kind: "outdated" };

/** Options of {@linkcode Storage.schedule}. */
export interface Scheduling extends Waiting {
  /** The version of the strikes that the caller has looked at; `""` when it knows of none. Absent: it does not mind. */
  readonly strikes?: string;
  /** How safe what is scheduled has to be when the verb resolves; it rejects with `NotReplicatedError` when it is not. */
  readonly replication?: Replication;
}

/** Copies to wait for. A storage that loses nothing before its process ends has none, and does not wait. */
export interface Replication {
  /** How many replicas have to confirm, from 1. */
  readonly replicas: number;
  /** How long they may take, from 1 millisecond. */
  readonly timeout: Millis;
}

/** One task that is to be there always: see {@linkcode Storage.seed}. */
export type Seed = Omit<Call, "mode">;

/**
 * What became of a {@linkcode Seed}: it was scheduled, or nothing was written because a task is live under the key, one
 * is parked as dead under it, or its chain was stopped on purpose.
 */
export type Seeding = "seeded" | "live" | "parked" | "stopped";

/** A task that ended badly, to be run again: see {@linkcode Storage.requeue}. */
export interface Requeue {
  /** The key of the task. */
  readonly key: string;
  /** Which generation failed, or is parked. */
  readonly generation: string;
  /** The request's own random id, 22 characters; becomes the generation when accepted. */
  readonly as: string;
}

/** The answer to a {@linkcode Requeue}. */
export type Requeued =
  | { readonly kind: "scheduled" }
  /** Nothing was written: this task is live under the key. */
  | { readonly kind: "exists"; readonly live: LiveTask }
  /** Nothing was written: no such generation failed or is parked, as far as records go. */
  | { readonly kind: "gone" };

/** A task that ended badly, to be forgotten: see {@linkcode Storage.discard}. */
export type Discard = Omit<Requeue, "as">;

/** What to cancel: whatever is live under a key, or one generation of it. */
export interface Target {
  /** The key of the task. */
  readonly key: string;
  /** Only this one; absent: whatever is live, and what waits for it to end. */
  readonly generation?: string;
}

/**
 * What a docket keeps: tasks that live, wait to take another's place, or have ended.
 *
 * @module
 */

import type { Millis } from "../../base/clock.ts";
import type { CancelReason } from "../../base/errors.ts";

/** When a task should run: at an instant, after a delay on the storage's clock, or now when absent. */
export type Due = { readonly at: Millis } | { readonly after: Millis } | undefined;

/** A task that has not ended. */
export interface LiveTask {
  /** What identifies the task while it lives. */
  readonly key: string;
  /** The id of the request that made it. */
  readonly generation: string;
  /** Where it stands: due later, waiting to be claimed, claimed, or in line before a gate. */
  readonly state: "scheduled" | "queued" | "running" | "waiting";
  /** From 1; grows with each retry. */
  readonly attempt: number;
  /** How often the present attempt was handed to a worker. */
  readonly deliveries: number;
  /** The instant it was asked for; absent when that was "now". */
  readonly due?: Millis;
  /** Since when it was queued, on the storage's clock; of what is queued, or was before it was claimed. */
  readonly queuedAt?: Millis;
  /** When the present run was claimed. */
  readonly startedAt?: Millis;
  /** Who runs it. */
  readonly consumer?: string;
  /** The claim it runs under. */
  readonly token?: string;
  /** Whether somebody wants it cancelled. */
  readonly cancelled: boolean;
  /** Present when it is in the background. */
  readonly background?: true;
  /** Since when no worker that was given it knew its task. */
  readonly heldSince?: Millis;
  /** What its present run has reported; told by {@linkcode Storage.load} and {@linkcode Storage.survey} only. */
  readonly progress?: Progress;
  /** As it was scheduled; opaque. */
  readonly body: string;
}

/** A replacement that waits for a running task to end. */
export interface DeferredTask {
  /** The id of the request that made it. */
  readonly generation: string;
  /** When it is to run; now when that has passed before its turn. */
  readonly due: Due;
  /** As it was scheduled; opaque. */
  readonly body: string;
}

/** What is left of a generation that ended. */
export interface EndedTask {
  /** Which generation of the key ended. */
  readonly generation: string;
  /** How it ended. */
  readonly state: "completed" | "failed" | "cancelled" | "dead";
  /** When it ended, on the storage's clock. */
  readonly endedAt: Millis;
  /** What the worker had to say; of one that the storage ended itself the attempt it was at, or `""` when that was the first. */
  readonly text: string;
  /** Why it was cancelled. */
  readonly reason?: CancelReason;
  /** What it takes to run it again, of what failed or is parked; opaque. Told of a parked one by its grave. */
  readonly body?: string;
}

/** Everything known under a key. */
export interface Found {
  /** The generation that has not ended. */
  readonly live?: LiveTask;
  /** What takes its place when it ends. */
  readonly deferred?: DeferredTask;
  /** The generation that ended last, while its record is kept. */
  readonly ended?: EndedTask;
  /** A parked task waits for a person; a later generation of its key may live beside it. */
  readonly dead?: EndedTask;
}

/** How far a run has come, in its own words. */
export interface Progress {
  /** How much is done. */
  readonly current: number;
  /** How much there is to do. */
  readonly total: number;
  /** What it is at. */
  readonly message?: string;
}

/** How long whoever waits for a task that was parked as dead can still learn of it, in milliseconds. It stays parked. */
export const DEAD_RECORD_TTL: Millis = 7 * 86_400_000;

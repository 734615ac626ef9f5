/**
 * What is told: to workers, and to those who watch.
 *
 * @module
 */

import type { Millis } from "../../base/clock.ts";
import type { CancelReason } from "../../base/errors.ts";
import type { EndedTask, LiveTask, Progress } from "./tasks.ts";

/** What workers hear: a hint that can get lost, never the only way to learn something. */
export type Notice =
  /** A task is due sooner than anything before, in so many milliseconds. */
  | { readonly kind: "due"; readonly in: Millis }
  /** A running task is to be cancelled. */
  | { readonly kind: "cancel"; readonly key: string; readonly generation: string }
  /** For a while nothing was heard: whoever listens looks for itself. */
  | { readonly kind: "gap" };

/** What those who watch hear. A hint too. */
export type Change =
  | StateChange
  /** It runs, and somebody wants it cancelled. */
  | { readonly kind: "cancelling"; readonly key: string; readonly generation: string }
  /** Its run told how far it is. */
  | {
    readonly kind: "progress";
    readonly key: string;
    readonly generation: string;
    readonly at: Millis;
    readonly progress: Progress;
  }
  /** Somebody has loaded with this mark, after everything that was heard before and before everything that comes. */
  | { readonly kind: "mark"; readonly mark: string };

/** A generation has come to another state, or to the same one again. */
export interface StateChange {
  /** Tells it from the other changes. */
  readonly kind: "state";
  /** The key of the task. */
  readonly key: string;
  /** Which generation changed. */
  readonly generation: string;
  /** What it changed to. A retry is queued or scheduled (invariant 42); a deferred replacement is waiting. */
  readonly state: LiveTask["state"] | "waiting" | EndedTask["state"];
  /** When, on the storage's clock. */
  readonly at: Millis;
  /** Which attempt it is at, from 1. */
  readonly attempt: number;
  /** Who runs it, or ran it to its end, where that is known. */
  readonly consumer?: string;
  /** Why it was cancelled. */
  readonly reason?: CancelReason;
}

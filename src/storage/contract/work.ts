/**
 * What workers do: claim, settle, keep their leases, take over, queue what is due.
 *
 * @module
 */

import type { Millis } from "../../base/clock.ts";
import type { CancelReason } from "../../base/errors.ts";
import type { Held } from "./gates.ts";
import type { Due, LiveTask, Progress } from "./tasks.ts";

/** Where a {@linkcode Storage.step} reads: what nobody holds yet. */
export const NEW = ">";

/**
 * Where a {@linkcode Storage.step} reads: what this consumer holds already, from the oldest on. The leases of what is told
 * are renewed: they are at least as young as the first time that the step was sent.
 */
export const OWN = "0";

/** Commits what finished, then takes what there is room for. */
export interface Step {
  /** Who asks: unique to one worker. */
  readonly consumer: string;
  /** Which of the consumer's sequences of calls. At most one call of a lane is under way at a time. */
  readonly lane: number;
  /** Rises by one with each call of the lane. The same number again repeats the first answer. */
  readonly call: number;
  /** The claim that tasks taken by this call are held under, 22 random characters. */
  readonly token: string;
  /** What finished since the last step. */
  readonly commits: readonly Commit[];
  /** At most so many tasks. */
  readonly want: number;
  /** {@linkcode NEW}, {@linkcode OWN}, or a cursor from {@linkcode Storage.wait} or from an earlier reply. */
  readonly from: string;
  /** Past so many deliveries a task is dead instead. */
  readonly maxDeliveries: number;
}

/** The answer to a {@linkcode Step}. */
export interface StepReply {
  /** For each commit, whether it counted. `undefined`: all did. A stale token is fenced and writes nothing. */
  readonly committed?: readonly boolean[];
  /**
   * What this consumer now holds. A claim that bears another token than the step's is one that the consumer holds
   * already: the reply that brought it may have been lost, or its process stalled.
   */
  readonly claims: readonly Claim[];
  /** Whether asking again at once, from `cursor`, may bring more. */
  readonly more: boolean;
  /** Where asking again reads `from`. */
  readonly cursor: string;
  /** The version of the strikes that there are: what was claimed must be looked at in their light. */
  readonly strikes: string;
  /** What was to be claimed, and was parked instead; absent where nothing was. Told once, not when it is asked again. */
  readonly parked?: readonly ParkedTask[];
}

/** A task that was parked where it was to be claimed. */
export interface ParkedTask {
  /** What identified the task. */
  readonly key: string;
  /** As it was scheduled, or how that begins: the whole may be what kills workers. `""` where nothing is left of it. */
  readonly body: string;
  /** It was handed out as often as allowed, and came to no end; or what is stored of it cannot be read. */
  readonly reason: "deliveries" | "illegible";
}

/** A task that is now this consumer's. */
export interface Claim extends LiveTask {
  /** It runs, from now on. */
  readonly state: "running";
  /** The claim to settle, renew or release it under. */
  readonly token: string;
  /** When it was claimed, on the storage's clock. */
  readonly startedAt: Millis;
}

/** A settlement under the token of its claim. */
export interface Commit {
  /** The key of the task. */
  readonly key: string;
  /** The claim it ran under: without it the commit is fenced. */
  readonly token: string;
  /** What is to become of it. */
  readonly settlement: Settlement;
  /** The concurrency gates that it holds: left in the same step, and the next in line are woken (invariant 35). */
  readonly leaves?: readonly Held[];
}

/** What a worker wants done with a task that it holds. `ttl` is how long the record stays, in milliseconds. */
export type Settlement =
  | {
    readonly kind: "completed" | "failed";
    readonly text: string;
    readonly ttl: Millis;
    /** Its chain ends on purpose: it is not seeded again until somebody schedules it. */
    readonly stops?: boolean;
  }
  | {
    readonly kind: "cancelled";
    readonly reason: CancelReason;
    readonly text: string;
    readonly ttl: Millis;
  }
  /** Parked for a person to look at. */
  | { readonly kind: "dead"; readonly text: string }
  /** Again, one attempt more. A wanted cancel wins over this and the next two (invariant 28): a chain ends, as it stands. */
  | { readonly kind: "retried"; readonly due: Due; readonly ttl?: Millis }
  /**
   * Given back, nothing charged: neither the attempt nor the delivery. `held`: because nobody here knows the task; while
   * it is scheduled it is in the background, and since when it is held is remembered from hold to hold.
   */
  | {
    readonly kind: "released";
    readonly due: Due;
    readonly held?: boolean;
    readonly ttl?: Millis;
  }
  /** Ended, and the next of a chain takes its place in the same step: in the background while it is scheduled. */
  | {
    readonly kind: "succeeded";
    readonly state: "completed" | "failed" | "cancelled";
    /** Of a cancelled one. */
    readonly reason?: CancelReason;
    readonly text: string;
    readonly ttl: Millis;
    readonly generation: string;
    readonly due: Due;
    readonly body: string;
  };

/** Takes over tasks whose lease ran out. */
export interface Reclaim {
  /** Who asks: unique to one worker. */
  readonly consumer: string;
  /** The claim that tasks taken over are held under, 22 random characters. */
  readonly token: string;
  /** Tasks whose claim was not renewed for so long, in milliseconds. */
  readonly lease: Millis;
  /** `""` at first, then the cursor of the last reply, so that long live leases do not hide dead ones (invariant 33). */
  readonly cursor: string;
  /** At most so many tasks. */
  readonly want: number;
  /** Past so many deliveries a task is dead instead. */
  readonly maxDeliveries: number;
}

/** The answer to a {@linkcode Reclaim}. */
export interface ReclaimReply {
  /** What this consumer now holds. One that bears another token than asked for was its own already. */
  readonly claims: readonly Claim[];
  /** `""` when everything was looked at. */
  readonly cursor: string;
  /** As in a {@linkcode StepReply}. */
  readonly strikes: string;
  /** As in a {@linkcode StepReply}. */
  readonly parked?: readonly ParkedTask[];
}

/** A claim to keep. */
export interface Lease {
  /** The key of the task. */
  readonly key: string;
  /** The claim it runs under. */
  readonly token: string;
}

/** What became of a lease: kept, kept although a cancel is wanted, or no longer this consumer's. */
export type Renewal = "kept" | "cancel" | "lost";

/** How far a run is: see {@linkcode Storage.report}. */
export interface Report {
  /** The key of the task. */
  readonly key: string;
  /** The claim it runs under. */
  readonly token: string;
  /** All that is to be shown of it. */
  readonly progress: Progress;
}

/** The answer to {@linkcode Storage.promote}. */
export interface Promotion {
  /** How many tasks were taken from what is due. As many as asked for: there may be more. */
  readonly promoted: number;
  /** Milliseconds until the next task is due; `undefined` when there is none. */
  readonly next?: Millis;
}

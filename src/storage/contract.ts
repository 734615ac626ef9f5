/**
 * What a docket asks of a storage. The verbs are the docket's, not the database's: each is one atomic step, bounded,
 * and may be sent again after an unknown outcome without changing anything (invariant 27).
 *
 * ## The life of a task
 *
 * A docket's live tasks are identified by their **key**; at most one generation of a key is live.
 *
 * ```text
 *            schedule                     step                      step, with a settlement
 *   nothing ──────────► scheduled ─┐   ┌────────► running ──────────────────────► nothing, and a record
 *               │           promote│   │             │ retried, released, next
 *               └─────────► queued ◄───┘◄────────────┘ (or scheduled, when it is due later)
 * ```
 *
 * - A **generation** is one accepted schedule, or one run of a chain. Its id is the random id of the request that made
 *   it, so a request that is sent again is recognised while its task lives and while its record does.
 * - A **claim** gives a task to a consumer under a random **token**. Only the bearer of the token may settle, renew or
 *   release it, compared by equality (invariant 19). A claim lasts as long as its **lease** is renewed; afterwards
 *   {@linkcode Storage.reclaim} gives the task to somebody else under another token.
 * - A **delivery** is counted before the body is handed over (invariant 40), apart from attempts.
 * - A **replacement** of a running task is deferred: it waits beside the task and takes its place when that run ends,
 *   whatever the run wanted (invariant 14).
 * - A **cancelled** running task keeps its key until its body ends; it is never run again (invariants 28, 55).
 * - A task is in the **background** while it is scheduled as the next of a chain, or is held because nobody knows it: it
 *   is as live as any other, but runs until all is done do not wait for it (invariant 51).
 * - **Strikes** are rules that keep tasks from running. The storage keeps them, and does not look inside. They have a
 *   version: whoever schedules says which one it has looked at, and is refused when there are newer ones (invariant 56).
 *
 * One storage object serves one docket. `now` is always the storage's clock (invariant 79).
 *
 * The conformance suite in `@docket/docket/testing` is this contract as tests.
 *
 * @module
 */

import type { Millis } from "../base/clock.ts";
import type { CancelReason } from "../base/errors.ts";

/** When a task should run: at an instant, after a delay on the storage's clock, or now when absent. */
export type Due = { readonly at: Millis } | { readonly after: Millis } | undefined;

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

/** How far a run has come, in its own words. */
export interface Progress {
  /** How much is done. */
  readonly current: number;
  /** How much there is to do. */
  readonly total: number;
  /** What it is at. */
  readonly message?: string;
}

/** A task that has not ended. */
export interface LiveTask {
  /** What identifies the task while it lives. */
  readonly key: string;
  /** The id of the request that made it. */
  readonly generation: string;
  /** Where it stands: due later, waiting to be claimed, or claimed. */
  readonly state: "scheduled" | "queued" | "running";
  /** From 1; grows with each retry. */
  readonly attempt: number;
  /** How often the present attempt was handed to a worker. */
  readonly deliveries: number;
  /** The instant it was asked for; absent when that was "now". */
  readonly due?: Millis;
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
  /** What the worker had to say; for a cancelled one that never ran, `""`. */
  readonly text: string;
  /** Why it was cancelled. */
  readonly reason?: CancelReason;
  /** What it takes to run it again, of what failed or is parked; opaque. Told of a parked one by its grave. */
  readonly body?: string;
}

/** What to cancel: whatever is live under a key, or one generation of it. */
export interface Target {
  /** The key of the task. */
  readonly key: string;
  /** Only this one; absent: whatever is live, and what waits for it to end. */
  readonly generation?: string;
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
  /** Again, one attempt more. A wanted cancel wins over this and the next two (invariant 28). */
  | { readonly kind: "retried"; readonly due: Due }
  /**
   * Given back, nothing charged: neither the attempt nor the delivery. `held`: because nobody here knows the task; while
   * it is scheduled it is in the background, and since when it is held is remembered from hold to hold.
   */
  | { readonly kind: "released"; readonly due: Due; readonly held?: boolean }
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

/** A settlement under the token of its claim. */
export interface Commit {
  /** The key of the task. */
  readonly key: string;
  /** The claim it ran under: without it the commit is fenced. */
  readonly token: string;
  /** What is to become of it. */
  readonly settlement: Settlement;
}

/** How long whoever waits for a task that was parked as dead can still learn of it, in milliseconds. It stays parked. */
export const DEAD_RECORD_TTL: Millis = 7 * 86_400_000;

/** Where a {@linkcode Storage.step} reads: what nobody holds yet. */
export const NEW = ">";

/** Where a {@linkcode Storage.step} reads: what this consumer holds already, from the oldest on. */
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

/** A task that is now this consumer's. */
export interface Claim extends LiveTask {
  /** It runs, from now on. */
  readonly state: "running";
  /** The claim to settle, renew or release it under. */
  readonly token: string;
  /** When it was claimed, on the storage's clock. */
  readonly startedAt: Millis;
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
}

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

/** The answer to {@linkcode Storage.promote}. */
export interface Promotion {
  /** How many tasks were taken from what is due. As many as asked for: there may be more. */
  readonly promoted: number;
  /** Milliseconds until the next task is due; `undefined` when there is none. */
  readonly next?: Millis;
}

/** What workers hear: a hint that can get lost, never the only way to learn something. */
export type Notice =
  /** A task is due sooner than anything before, in so many milliseconds. */
  | { readonly kind: "due"; readonly in: Millis }
  /** A running task is to be cancelled. */
  | { readonly kind: "cancel"; readonly key: string; readonly generation: string };

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

/** How far a run is: see {@linkcode Storage.report}. */
export interface Report {
  /** The key of the task. */
  readonly key: string;
  /** The claim it runs under. */
  readonly token: string;
  /** All that is to be shown of it. */
  readonly progress: Progress;
}

/** How many tasks there are, by state. */
export interface Counts {
  /** Due later. */
  readonly scheduled: number;
  /** Due, and not claimed. */
  readonly queued: number;
  /** Claimed. */
  readonly running: number;
  /** Replacements that wait for a run to end. */
  readonly waiting: number;
  /** Parked. */
  readonly dead: number;
}

/** What is on a docket: see {@linkcode Storage.survey}. */
export interface Survey {
  /** When, on the storage's clock. */
  readonly at: Millis;
  /** Exact, as of that instant, also where the lists are cut short. */
  readonly counts: Counts;
  /** Those that are due first. */
  readonly scheduled: readonly LiveTask[];
  /** Those that are claimed next. */
  readonly queued: readonly LiveTask[];
  /** Those that were claimed first. */
  readonly running: readonly LiveTask[];
  /** In no order. */
  readonly waiting: readonly (DeferredTask & { readonly key: string })[];
}

/** A worker that says it can claim. */
export interface Presence {
  /** Unique to one worker. */
  readonly consumer: string;
  /** When it said so last, on the storage's clock. */
  readonly seenAt: Millis;
  /** What it says of itself; opaque. */
  readonly text: string;
}

/** What a {@linkcode Storage.sweep} is to look at. */
export interface Sweep {
  /** At most so many tasks. */
  readonly limit: number;
  /** How long after it the docket need not be swept again, whoever wants to; in milliseconds. */
  readonly pause: Millis;
  /** Consumers that hold nothing, are not advertised and have not been heard of for so long are forgotten. */
  readonly silence: Millis;
}

/** What a {@linkcode Storage.sweep} did. */
export interface Swept {
  /** How many tasks have a place to wait again that had lost it. */
  readonly repaired: number;
  /** How many consumers were forgotten. */
  readonly retired: number;
  /** How long to wait before the next one. */
  readonly next: Millis;
}

/** Options of every verb that waits. */
export interface Waiting {
  /** Gives up: the verb rejects with the signal's reason, or returns early where it says so. */
  readonly signal?: AbortSignal;
}

/**
 * Where one docket's tasks live.
 *
 * Failures: a verb rejects with `ConnectionError` when its outcome is unknown after retrying for as long as the storage
 * was told to (with a `signal`: until it aborts), with `StorageFullError` when nothing could be written.
 */
export interface Storage extends AsyncDisposable {
  /** What the storage is, without secrets. */
  readonly url: string;

  /**
   * Schedules or replaces, in the order given, also for one key twice. All or nothing (invariant 17).
   *
   * A replaced task ends `cancelled` with reason `"replaced"`.
   */
  schedule(calls: readonly Call[], options?: Scheduling): Promise<readonly Verdict[]>;

  /**
   * Schedules what is to be there always, where it is not: unless something is live or parked under the key, or its chain
   * was stopped by a cancel or by itself. A chain that was stopped counts as going on once something is found live under
   * its key. From the first call on the keys are remembered as those of chains (invariant 49).
   */
  seed(seeds: readonly Seed[], options?: Waiting): Promise<readonly Seeding[]>;

  /** Runs what failed or is parked again, under its key and with its body; it is neither failed nor parked any more. */
  requeue(requests: readonly Requeue[], options?: Waiting): Promise<readonly Requeued[]>;

  /**
   * Ends what is scheduled, queued or waiting, `cancelled` with reason `"cleared"`, and leaves what runs; in bounded calls
   * from cursor `""` until that is what comes back. `request` is the same for all of them, 22 random characters.
   */
  clear(
    request: string,
    cursor: string,
    options?: Waiting,
  ): Promise<{ readonly cleared: number; readonly cursor: string }>;

  /**
   * Ends what waits (`"cancelled"`), asks what runs to stop and drops its deferred replacement (`"requested"`). With a
   * generation, only that one: a deferred replacement of that generation is `"cancelled"` and what runs goes on.
   * Repeating changes nothing.
   */
  cancel(
    targets: readonly Target[],
    options?: Waiting,
  ): Promise<readonly ("cancelled" | "requested" | "none")[]>;

  /**
   * Everything known under each key, as of one instant. With a `mark`, whoever watches hears of it between what changed
   * before that instant and what changed after it.
   */
  load(
    keys: readonly string[],
    options?: Waiting & { readonly mark?: string },
  ): Promise<readonly Found[]>;

  /** How many tasks are live. */
  count(options?: Waiting): Promise<number>;

  /** How many tasks are live and not in the background. */
  remaining(options?: Waiting): Promise<number>;

  /** What is on the docket: all counts, and at most `limit` tasks for each state. */
  survey(limit: number, options?: Waiting): Promise<Survey>;

  /** What failed, while its record stays, or what is parked: at most `limit`, the newest first. */
  parked(
    which: "failed" | "dead",
    limit: number,
    options?: Waiting,
  ): Promise<readonly (EndedTask & { readonly key: string })[]>;

  /** Settles and claims in one call; see {@linkcode Step}. */
  step(step: Step, options?: Waiting): Promise<StepReply>;

  /**
   * Waits until a step may bring something. What it returns is where that step reads `from`; `undefined` when nothing
   * came or the signal aborted. Up to `want` tasks may have been set aside for this consumer: they are its own to claim,
   * also when the outcome was unknown (then it returns {@linkcode OWN}, once).
   *
   * @param timeout How long a storage that may miss an arrival waits at most, in milliseconds. One that cannot miss any
   * waits as long as nothing comes.
   */
  wait(
    consumer: string,
    want: number,
    timeout: Millis,
    options?: Waiting,
  ): Promise<string | undefined>;

  /** Takes over what nobody renews; see {@linkcode Reclaim}. */
  reclaim(reclaim: Reclaim, options?: Waiting): Promise<ReclaimReply>;

  /** Renews leases that are still the consumer's. Nothing is stolen back, no delivery counted (invariant 31). */
  renew(
    consumer: string,
    leases: readonly Lease[],
    options?: Waiting,
  ): Promise<readonly Renewal[]>;

  /** Queues at most `limit` tasks that are due (invariant 41), keeping every field of them (invariant 16). */
  promote(limit: number, options?: Waiting): Promise<Promotion>;

  /** Shows how far runs are, while their claims count; a stale token writes nothing. A new claim begins anew (invariant 25). */
  report(reports: readonly Report[], options?: Waiting): Promise<void>;

  /**
   * Advertises a consumer for so many milliseconds more. Without `text` what it said of itself last is kept; false: nothing
   * is known of it, say it again.
   */
  advertise(
    consumer: string,
    span: Millis,
    text: string | undefined,
    options?: Waiting,
  ): Promise<boolean>;

  /** Advertises a consumer no longer. */
  withdraw(consumer: string, options?: Waiting): Promise<void>;

  /** Who is advertised, in no order. */
  workers(options?: Waiting): Promise<readonly Presence[]>;

  /**
   * Adds a rule to the strikes, or takes it out: true when that changed something; then `request`, 22 random characters,
   * is their new version. Repeating changes nothing.
   */
  strike(
    rule: string,
    struck: boolean,
    request: string,
    options?: Waiting,
  ): Promise<boolean>;

  /** All strikes, and their version; `""` before the first one. */
  strikes(
    options?: Waiting,
  ): Promise<{ readonly version: string; readonly rules: readonly string[] }>;

  /**
   * Repairs what strangers broke, some tasks at a time, and forgets the consumers of the dead. Whatever is live can be
   * claimed, or comes due, after one pass; what is sound is not touched (invariants 17, 37).
   */
  sweep(sweep: Sweep, options?: Waiting): Promise<Swept>;

  /** Forgets a consumer, unless it still holds something; tidies up. */
  retire(consumer: string, options?: Waiting): Promise<boolean>;

  /** Calls `notice` with what workers hear, until the signal aborts. Resolves once listening. */
  listen(
    notice: (notice: Notice) => void,
    options: { readonly signal: AbortSignal },
  ): Promise<void>;

  /** Calls `change` with what waiters hear, until the signal aborts. Resolves once listening: what changes after that is heard. */
  watch(change: (change: Change) => void, options: { readonly signal: AbortSignal }): Promise<void>;

  /** Always returns, whatever the server does (invariant 74). Verbs under way reject. */
  [Symbol.asyncDispose](): Promise<void>;
}

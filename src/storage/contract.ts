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
 *   it, so a request that is sent again is recognised while its task lives and while its record does. A storage that sends
 *   one again says that its outcome is unknown when a later generation has overwritten a record meanwhile.
 * - A **claim** gives a task to a consumer under a random **token**. Only the bearer of the token may settle, renew or
 *   release it, compared by equality (invariant 19). A claim lasts as long as its **lease** is renewed; afterwards
 *   {@linkcode Storage.reclaim} gives the task to somebody else under another token.
 * - A **delivery** is counted before the body is handed over (invariant 40), apart from attempts.
 * - A **replacement** of a running task is deferred: it waits beside the task and takes its place when that run ends,
 *   whatever the run wanted (invariant 14).
 * - A **cancelled** running task keeps its key until its body ends; it is never run again (invariants 28, 55).
 * - A task is in the **background** while it is scheduled as the next of a chain, or as the first of one that is to be
 *   there always, or is held because nobody knows it: it is as live as any other, but runs until all is done do not wait
 *   for it (invariant 51).
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
import type { EndedTask, Found } from "./contract/tasks.ts";
import type {
  Call,
  Discard,
  Requeue,
  Requeued,
  Scheduling,
  Seed,
  Seeding,
  Target,
  Verdict,
  Waiting,
} from "./contract/calls.ts";
import type {
  Lease,
  Promotion,
  Reclaim,
  ReclaimReply,
  Renewal,
  Report,
  Step,
  StepReply,
} from "./contract/work.ts";
import type { Entry, Passage } from "./contract/gates.ts";
import type { Change, Notice } from "./contract/news.ts";
import type { Examination, Inspection } from "./contract/inspection.ts";
import type { Presence, Survey, Sweep, Swept } from "./contract/overview.ts";

export * from "./contract/tasks.ts";
export * from "./contract/calls.ts";
export * from "./contract/work.ts";
export * from "./contract/gates.ts";
export * from "./contract/news.ts";
export * from "./contract/inspection.ts";
export * from "./contract/overview.ts";

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
   *
   * With `replication` it resolves when the tasks, those that were there too, are on so many replicas of the storage.
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
   * Forgets what failed or is parked, also when the storage is full; tells of each whether it was there. Its record stays
   * for 10 seconds, with nothing in it but how it ended. What is live under the key is not touched.
   */
  discard(discards: readonly Discard[], options?: Waiting): Promise<readonly boolean[]>;

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

  /** The time on the storage's clock. */
  now(options?: Waiting): Promise<Millis>;

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
   * Has claimed runs pass their gates, in the order given, all of a run's or none; see {@linkcode Entry}. A run that is to
   * be cancelled, or replaced, ends here. Asked again under the same claim it repeats `"passed"`, whatever is wanted of the
   * run by then, and says `"fenced"` of what does not run.
   */
  enter(entries: readonly Entry[], options?: Waiting): Promise<readonly Passage[]>;

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

  /**
   * Whether it is fit to keep tasks: what a worker warns of when it starts. Changes nothing, and asks little; what it may
   * not look at it says.
   */
  inspect(options?: Waiting): Promise<Inspection>;

  /**
   * As {@linkcode Storage.inspect}, and what it keeps; in bounded calls that change nothing, for whoever looks for a fault.
   *
   * @param options `silence`: consumers that are not advertised and have not been heard of for so long are without a worker;
   * a minute, if not given.
   */
  examine(options?: Waiting & { readonly silence?: Millis }): Promise<Examination>;

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

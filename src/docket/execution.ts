/**
 * One generation of a task: what became of it, and what it returned.
 *
 * @module
 */

import type { Millis } from "../base/clock.ts";
import { type DurationLike, toMillis } from "../base/duration.ts";
import {
  type CancelReason,
  ConnectionError,
  ExecutionCancelledError,
  ExecutionExpiredError,
  ExecutionFailedError,
  messageOf,
  ResultTimeoutError,
} from "../base/errors.ts";
import { decodeFailure } from "../base/failure.ts";
import { randomId } from "../base/ids.ts";
import { decodeArgs, decodeEnding, decodeMessage, type Ending } from "../base/message.ts";
import type { EndedTask, Found, LiveTask } from "../storage/contract.ts";
import type { ExecutionProgress } from "../dependencies/progress.ts";
import { eventsOf, type ExecutionEvent } from "./events.ts";
import { type Internals, internalsOf } from "./internals.ts";
import type { Docket } from "./docket.ts";
import { workerOf } from "./presence.ts";

/** Where an execution stands. It ends in exactly one of the last four. */
export type ExecutionState =
  | "scheduled"
  | "queued"
  | "running"
  | "waiting"
  | "completed"
  | "failed"
  | "cancelled"
  | "dead";

/**
 * What an add or replace did: it `"scheduled"` the task, found that one `"exists"` under the key (then the handle is the
 * live one's), `"deferred"` a replacement until the running task has ended, or wrote nothing because it is `"struck"`.
 */
export type Disposition = "scheduled" | "exists" | "deferred" | "struck";

/** Options of {@linkcode Execution.result}. */
export interface ResultOptions {
  /** How long to wait before giving up with a `ResultTimeoutError`. For ever by default. */
  readonly timeout?: DurationLike;
  /** Stops waiting: the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** How an {@linkcode Execution} begins. */
export interface ExecutionSeed {
  /** The docket it is on. */
  readonly docket: Docket;
  /** Its key. */
  readonly key: string;
  /** Which generation of the key. */
  readonly generation: string;
  /** What the call that made it did. */
  readonly disposition?: Disposition;
  /** Known without reading it back: what the caller just scheduled. */
  readonly scheduled?: {
    readonly task: string;
    readonly args: readonly unknown[];
    readonly when: Millis;
    readonly state: ExecutionState;
  };
  /** What the storage told. */
  readonly found?: Found;
}

/**
 * A handle of one generation: one accepted add or replace, or one run of a chain. It shows what was known when it was
 * made; {@linkcode Execution.refresh} looks again.
 */
export class Execution<Result = unknown> {
  /** The docket's key for this work. */
  readonly key: string;
  /** What the call that gave this handle did; absent when the handle was looked up. */
  readonly disposition?: Disposition;
  readonly #docket: Docket;
  readonly #generation: string;
  #task = "";
  #args: readonly unknown[] = [];
  #body?: string;
  /** Whether task and arguments are known. */
  #known = false;
  #when?: Millis;
  #state: ExecutionState = "scheduled";
  #live?: LiveTask;
  #ended?: EndedTask;
  #ending?: Ending;

  /** Made by the docket; users get theirs from `add`, `replace`, `execution` and the context. */
  constructor({ docket, key, generation, disposition, scheduled, found }: ExecutionSeed) {
    this.#docket = docket;
    this.key = key;
    this.#generation = generation;
    this.disposition = disposition;
    if (scheduled) {
      this.#task = scheduled.task;
      this.#args = scheduled.args;
      this.#when = scheduled.when;
      this.#state = scheduled.state;
      this.#known = true;
    }
    if (found) this.#apply(found);
  }

  /** The name of the task; `""` when its record does not tell. */
  get task(): string {
    return this.#task;
  }

  /**
   * What it is called with. Of one that was looked up after it had ended: empty, unless it failed or is dead.
   *
   * @throws {SerializationError} When this runtime cannot read them.
   */
  get args(): readonly unknown[] {
    if (this.#body !== undefined) {
      this.#args = decodeArgs(decodeMessage(this.#body), this.#internals.codec);
      this.#body = undefined;
    }
    return this.#args;
  }

  /** When it is, or was, due: after a `delay`, by this machine's clock until the handle is refreshed. */
  get when(): Date | undefined {
    return this.#when === undefined ? undefined : new Date(this.#when);
  }

  /** Where it stands. */
  get state(): ExecutionState {
    return this.#state;
  }

  /** Which attempt it is at, from 1. */
  get attempt(): number {
    return this.#live?.attempt ?? (this.#ending?.attempt || 1);
  }

  /** How often this attempt was handed to a worker. */
  get deliveries(): number {
    return this.#live?.deliveries ?? 0;
  }

  /** Whether this attempt was handed out before: its worker died, or lost its lease. */
  get redelivered(): boolean {
    return this.deliveries > 1;
  }

  /**
   * Identifies the claim it runs under, the same for nobody else ever: give it to your own database to refuse what a
   * worker that lost its lease still tries to write.
   */
  get fence(): string | undefined {
    return this.#live?.token;
  }

  /** The name of the worker that runs, or ran, it. */
  get worker(): string | undefined {
    // Of a task that died by its deliveries the storage tells the consumer, having no other name.
    const worker = this.#live?.consumer ?? this.#ending?.worker;
    return worker === undefined ? undefined : workerOf(worker);
  }

  /** When the present, or the last, attempt started. */
  get startedAt(): Date | undefined {
    const at = this.#live?.startedAt ?? this.#ending?.startedAt;
    return at === undefined ? undefined : new Date(at);
  }

  /** When it ended. */
  get completedAt(): Date | undefined {
    return this.#ended && new Date(this.#ended.endedAt);
  }

  /** Why it was cancelled. */
  get reason(): CancelReason | undefined {
    return this.#ended?.reason;
  }

  /** What it threw, when it failed. */
  get error(): unknown {
    if (this.#state !== "failed" && this.#state !== "dead") return undefined;
    const value = this.#ending?.value ?? "";
    if (value !== "") return decodeFailure(value); // may well be undefined, or null: they can be thrown
    return new Error(
      this.#state === "dead"
        ? "It was handed to workers too often and never settled"
        : "What it threw was not kept",
    );
  }

  /** How far its present run said it is; absent when it said nothing, or does not run. */
  get progress(): ExecutionProgress | undefined {
    return this.#live?.progress;
  }

  /**
   * Looks again.
   *
   * @throws {ExecutionExpiredError} When nothing is known of it any more.
   * @throws {ConnectionError} When the storage does not answer.
   */
  async refresh(): Promise<this> {
    if (this.disposition === "struck") return this; // nothing was written: that is all there is
    const [found] = await this.#internals.storage.load([this.key]);
    if (!this.#apply(found)) throw this.#expired();
    return this;
  }

  /**
   * Cancels this generation, and no later one of its key: `"cancelled"` when it never runs, `"requested"` when it runs
   * and its signal aborts, `"none"` when there is nothing to cancel.
   */
  async cancel(): Promise<"cancelled" | "requested" | "none"> {
    const target = { key: this.key, generation: this.#generation };
    return await this.#internals.producer.cancel(target, this.task || undefined);
  }

  /**
   * Runs it again, after it failed or was parked as dead: under its key and with its arguments, as a new execution, whose
   * handle this gives. When the key was taken meanwhile, nothing is scheduled: the handle is that task's, and its
   * disposition `"exists"`.
   *
   * @throws {TypeError} When it has neither failed nor died.
   * @throws {ExecutionExpiredError} When nothing is known of it any more, or it has run again.
   * @throws {StorageFullError} When the storage has no room left; nothing was written.
   * @throws {ConnectionError} When the storage does not answer.
   */
  async retry({ signal }: { readonly signal?: AbortSignal } = {}): Promise<Execution<Result>> {
    const { storage } = this.#internals;
    const docket = this.#docket;
    const { key } = this;
    const as = randomId();
    if (this.#ended === undefined) await this.refresh();
    if (this.#state !== "failed" && this.#state !== "dead") {
      throw new TypeError(`Cannot retry ${quote(key)}: it is ${this.#state}`);
    }
    const generation = this.#generation;
    const [answer] = await storage.requeue([{ key, generation, as }], { signal });
    switch (answer.kind) {
      case "gone":
        throw this.#expired();
      case "exists":
        return existing(docket, answer.live);
      case "scheduled": {
        const [found] = await storage.load([key], { signal });
        return new Execution({ docket, key, generation: as, disposition: "scheduled", found });
      }
    }
  }

  /**
   * Forgets it, after it failed or was parked as dead: it is on no list any more, and cannot be retried. False when it
   * was not there, or is forgotten already. What is live under its key is not touched; an automatic task that was dead is
   * started anew by its workers.
   *
   * @throws {ConnectionError} When the storage does not answer.
   */
  async discard({ signal }: { readonly signal?: AbortSignal } = {}): Promise<boolean> {
    const { key } = this;
    const discards = [{ key, generation: this.#generation }];
    const [found] = await this.#internals.storage.discard(discards, { signal });
    return found;
  }

  /**
   * Follows this execution: its present state comes first, then every change, then it ends with the execution. Leaving the
   * loop ends the subscription; an aborted signal ends the loop.
   *
   * @throws {ExecutionExpiredError} When nothing is known of it any more.
   * @throws {ConnectionError} When the storage does not answer, or the docket is closed meanwhile.
   *
   * @example
   * ```ts
   * import { deepEqual } from "node:assert/strict";
   * import { Docket, task, Worker } from "@docket/docket";
   *
   * const count = task("count", ({ progress }): void => progress.update({ current: 1, total: 2 }));
   *
   * await using docket = await Docket.connect({ url: "memory://events-example" });
   * await using worker = new Worker(docket);
   * const execution = await docket.add(count, { delay: "10ms" })();
   * let running: Promise<void> | undefined;
   *
   * const seen: string[] = [];
   * for await (const event of execution.events()) {
   *   running ??= worker.runUntilFinished();
   *   seen.push(event.kind === "state" ? event.state : `${event.current} of ${event.total}`);
   * }
   * deepEqual(seen, ["scheduled", "queued", "running", "1 of 2", "completed"]);
   * await running;
   * ```
   */
  events(
    { signal }: { readonly signal?: AbortSignal } = {},
  ): AsyncIterableIterator<ExecutionEvent> {
    const { watcher, closed, clock } = this.#internals;
    return eventsOf({
      key: this.key,
      generation: this.#generation,
      ended: this.#ended,
      watcher,
      clock,
      closed,
      signal,
      expired: () => this.#expired(),
    });
  }

  /**
   * Waits for the end and gives what the handler returned.
   *
   * @throws {ExecutionFailedError} When it failed or was parked as dead; `cause` is the task's error.
   * @throws {ExecutionCancelledError} When it was cancelled or replaced.
   * @throws {ExecutionExpiredError} When its record is gone, or a later run of the key overwrote it.
   * @throws {ResultTimeoutError} After `timeout`.
   */
  async result({ timeout, signal }: ResultOptions = {}): Promise<Result> {
    if (!this.#ended) await this.#untilEnded(timeout, signal);
    switch (this.#state) {
      case "failed":
      case "dead": {
        const { error } = this;
        throw new ExecutionFailedError(
          `Cannot give the result of ${quote(this.key)}: it is ${this.#state}: ${messageOf(error)}`,
          this.key,
          { cause: error },
        );
      }
      case "cancelled":
        throw new ExecutionCancelledError(
          `Cannot give the result of ${quote(this.key)}: it was ${this.reason}`,
          this.key,
          this.reason ?? "cancelled",
        );
    }
    const value = this.#ending?.value ?? "";
    return (value === "" ? undefined : this.#internals.codec.decode(value)) as Result;
  }

  async #untilEnded(
    timeout: DurationLike | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { watcher, closed, clock } = this.#internals;
    const giveUp = new AbortController();
    const cancelTimer = timeout === undefined ? undefined : clock.timer(
      toMillis("timeout", timeout),
      () =>
        giveUp.abort(
          new ResultTimeoutError(`Cannot wait longer for ${quote(this.key)}: it goes on`, this.key),
        ),
    );
    const pass = (from: AbortSignal, reason: unknown) => giveUp.abort(reason ?? from.reason);
    const onSignal = () => pass(signal!, undefined);
    const onClosed = () =>
      pass(closed, new ConnectionError("Cannot wait for a result: the docket is closed"));
    if (signal?.aborted) onSignal();
    if (closed.aborted) onClosed();
    signal?.addEventListener("abort", onSignal);
    closed.addEventListener("abort", onClosed);
    try {
      await watcher.until(this.key, this.#generation, (found) => {
        if (!this.#apply(found)) throw this.#expired();
        return this.#ended;
      }, giveUp.signal);
    } finally {
      cancelTimer?.();
      signal?.removeEventListener("abort", onSignal);
      closed.removeEventListener("abort", onClosed);
    }
  }

  get #internals(): Internals {
    return internalsOf(this.#docket);
  }

  #expired(): ExecutionExpiredError {
    return new ExecutionExpiredError(
      `Cannot tell what became of ${quote(this.key)}: its record is gone`,
      this.key,
    );
  }

  /** Takes over what was found; false when this generation is not among it. */
  #apply({ live, deferred, ended, dead }: Found): boolean {
    const isLive = [live, deferred].some((one) => one?.generation === this.#generation);
    if (isLive && this.#ended) return true; // an older answer came late: what has ended does not live again
    if (live?.generation === this.#generation) {
      this.#live = live;
      this.#state = live.state;
      this.#when = live.due ?? this.#when;
      this.#remember(live.body);
      return true;
    }
    if (deferred?.generation === this.#generation) {
      this.#state = "waiting";
      if (deferred.due && "at" in deferred.due) this.#when = deferred.due.at;
      this.#remember(deferred.body);
      return true;
    }
    // The grave tells more, where there is one.
    const end = [dead, ended].find((end) => end?.generation === this.#generation);
    if (!end) return false;
    this.#live = undefined;
    this.#ended = end;
    this.#ending = decodeEnding(end.text);
    this.#state = end.state;
    this.#task ||= this.#ending.task ?? "";
    if (end.body !== undefined) this.#remember(end.body);
    return true;
  }

  #remember(body: string): void {
    if (this.#known) return;
    this.#known = true;
    this.#body = body; // the arguments are decoded when somebody asks
    try {
      this.#task = decodeMessage(body).task;
    } catch {
      this.#body = undefined; // malformed: a worker parks it, and says why (invariant 39)
    }
  }
}

/** The handle of the task that is live under a key, for whoever wanted another one there. */
export function existing<Result>(docket: Docket, live: LiveTask): Execution<Result> {
  const { key, generation } = live;
  return new Execution({ docket, key, generation, disposition: "exists", found: { live } });
}

function quote(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}

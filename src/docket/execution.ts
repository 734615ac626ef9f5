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
import { decodeArgs, decodeEnding, decodeMessage, type Ending } from "../base/message.ts";
import type { EndedTask, Found, LiveTask } from "../storage/contract.ts";
import { type Internals, internalsOf } from "./internals.ts";
import type { Docket } from "./docket.ts";

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
 * live one's), or `"deferred"` a replacement until the running task has ended.
 */
export type Disposition = "scheduled" | "exists" | "deferred";

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
    }
    if (found) this.#apply(found);
  }

  /** The name of the task; `""` when its record does not tell. */
  get task(): string {
    return this.#task;
  }

  /**
   * What it is called with; empty once the execution has ended and the handle was looked up afterwards.
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

  /**
   * Looks again.
   *
   * @throws {ExecutionExpiredError} When nothing is known of it any more.
   * @throws {ConnectionError} When the storage does not answer.
   */
  async refresh(): Promise<this> {
    const [found] = await this.#internals.storage.load([this.key]);
    if (!this.#apply(found)) throw this.#expired();
    return this;
  }

  /**
   * Cancels this generation, and no later one of its key: `"cancelled"` when it never runs, `"requested"` when it runs
   * and its signal aborts, `"none"` when there is nothing to cancel.
   */
  async cancel(): Promise<"cancelled" | "requested" | "none"> {
    const { storage } = this.#internals;
    const [answer] = await storage.cancel([{ key: this.key, generation: this.#generation }]);
    return answer;
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
    const { watcher, closed, clock, codec } = this.#internals;
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
    return (value === "" ? undefined : codec.decode(value)) as Result;
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
    const end = [ended, dead].find((end) => end?.generation === this.#generation);
    if (!end) return false;
    this.#live = undefined;
    this.#ended = end;
    this.#ending = decodeEnding(end.text);
    this.#state = end.state;
    this.#task ||= this.#ending.task ?? "";
    return true;
  }

  #remember(body: string): void {
    if (this.#task !== "") return;
    this.#body = body; // the arguments are decoded when somebody asks
    try {
      this.#task = decodeMessage(body).task;
    } catch {
      this.#body = undefined; // malformed: a worker parks it, and says why (invariant 39)
    }
  }
}

/** A consumer is the worker's name, a tilde, and a random id; the name is a label (invariant 76). */
function workerOf(consumer: string): string {
  const tilde = consumer.lastIndexOf("~");
  return tilde < 0 ? consumer : consumer.slice(0, tilde);
}

function quote(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}

/**
 * One opener's hold on a memory: the verbs as promises, and the only things that outlast a call, its waits and listeners.
 *
 * @module
 */

import type { Millis } from "../../base/clock.ts";
import { ConnectionError } from "../../base/errors.ts";
import { redactUrl } from "../../base/redact.ts";
import {
  type Call,
  type Change,
  type Discard,
  type EndedTask,
  type Entry,
  type Examination,
  type Found,
  type Inspection,
  type Lease,
  NEW,
  type Notice,
  type Passage,
  type Presence,
  type Promotion,
  type Reclaim,
  type ReclaimReply,
  type Renewal,
  type Report,
  type Requeue,
  type Requeued,
  type Scheduling,
  type Seed,
  type Seeding,
  type Step,
  type StepReply,
  type Storage,
  type Survey,
  type Sweep,
  type Swept,
  type Target,
  type Verdict,
  type Waiting,
} from "../contract.ts";
import type { StorageOptions } from "../open.ts";
import { Memory } from "./memory.ts";

/** What {@linkcode openMemory} needs to know. */
export type MemoryOptions = Pick<StorageOptions, "docket" | "clock" | "recordTtl">;

/** By place and docket. A map, and JSON for the pair: `a` and `a.b` share nothing (invariant 8). */
const memories = new Map<string, Memory>();

/**
 * Opens the memory of a URL such as `memory://name` for one docket.
 *
 * @throws {TypeError} When it is open already with another clock: the storage has one time for everybody (invariant 79).
 */
export function openMemory(url: URL, { docket, clock, recordTtl }: MemoryOptions): Storage {
  const place = JSON.stringify([url.host, url.pathname, docket]);
  const memory = memories.get(place) ?? new Memory(clock);
  if (memory.clock !== clock) {
    throw new TypeError(
      `Cannot open "memory://${url.host}${url.pathname}" for docket "${docket}": it is open with another clock`,
    );
  }
  memories.set(place, memory);
  return new MemoryStorage(url, memory, recordTtl);
}

/** A {@linkcode Storage} in this process. Disposing of it ends what it waits for; the tasks stay. */
export class MemoryStorage implements Storage {
  readonly url: string;
  readonly #memory: Memory;
  readonly #recordTtl: Millis;
  /** Aborts when this handle is disposed of. */
  readonly #closing = new AbortController();

  constructor(url: URL, memory: Memory, recordTtl: Millis) {
    this.url = redactUrl(url);
    this.#memory = memory;
    this.#recordTtl = recordTtl;
  }

  schedule(calls: readonly Call[], options?: Scheduling): Promise<readonly Verdict[]> {
    return this.#do(
      options,
      ({ requests }) => requests.schedule(calls, this.#recordTtl, options?.strikes),
    );
  }

  seed(seeds: readonly Seed[], options?: Waiting): Promise<readonly Seeding[]> {
    return this.#do(options, ({ upkeep }) => upkeep.seed(seeds));
  }

  requeue(requests: readonly Requeue[], options?: Waiting): Promise<readonly Requeued[]> {
    return this.#do(options, ({ upkeep }) => upkeep.requeue(requests));
  }

  discard(discards: readonly Discard[], options?: Waiting): Promise<readonly boolean[]> {
    return this.#do(options, ({ upkeep }) => upkeep.discard(discards));
  }

  clear(
    request: string,
    _cursor: string, // one call does it all
    options?: Waiting,
  ): Promise<{ readonly cleared: number; readonly cursor: string }> {
    return this.#do(options, ({ upkeep }) => upkeep.clear(request, this.#recordTtl));
  }

  cancel(
    targets: readonly Target[],
    options?: Waiting,
  ): Promise<readonly ("cancelled" | "requested" | "none")[]> {
    return this.#do(options, ({ requests }) => requests.cancel(targets, this.#recordTtl));
  }

  load(
    keys: readonly string[],
    options?: Waiting & { readonly mark?: string },
  ): Promise<readonly Found[]> {
    return this.#do(options, ({ requests }) => requests.load(keys, options?.mark));
  }

  enter(entries: readonly Entry[], options?: Waiting): Promise<readonly Passage[]> {
    return this.#do(options, ({ work }) => work.enter(entries, this.#recordTtl));
  }

  now(options?: Waiting): Promise<Millis> {
    return this.#do(options, ({ upkeep }) => upkeep.now());
  }

  count(options?: Waiting): Promise<number> {
    return this.#do(options, ({ upkeep }) => upkeep.count());
  }

  remaining(options?: Waiting): Promise<number> {
    return this.#do(options, ({ upkeep }) => upkeep.remaining());
  }

  survey(limit: number, options?: Waiting): Promise<Survey> {
    return this.#do(options, ({ upkeep }) => upkeep.survey(limit));
  }

  parked(
    which: "failed" | "dead",
    limit: number,
    options?: Waiting,
  ): Promise<readonly (EndedTask & { readonly key: string })[]> {
    return this.#do(options, ({ upkeep }) => upkeep.parked(which, limit));
  }

  step(step: Step, options?: Waiting): Promise<StepReply> {
    return this.#do(options, ({ work }) => work.step(step, this.#recordTtl));
  }

  reclaim(reclaim: Reclaim, options?: Waiting): Promise<ReclaimReply> {
    return this.#do(options, ({ work }) => work.reclaim(reclaim, this.#recordTtl));
  }

  renew(
    consumer: string,
    leases: readonly Lease[],
    options?: Waiting,
  ): Promise<readonly Renewal[]> {
    return this.#do(options, ({ work }) => work.renew(consumer, leases));
  }

  promote(limit: number, options?: Waiting): Promise<Promotion> {
    return this.#do(options, ({ work }) => work.promote(limit));
  }

  report(reports: readonly Report[], options?: Waiting): Promise<void> {
    return this.#do(options, ({ work }) => work.report(reports));
  }

  advertise(
    consumer: string,
    span: Millis,
    text: string | undefined,
    options?: Waiting,
  ): Promise<boolean> {
    return this.#do(options, ({ upkeep }) => upkeep.advertise(consumer, span, text));
  }

  withdraw(consumer: string, options?: Waiting): Promise<void> {
    return this.#do(options, ({ upkeep }) => upkeep.withdraw(consumer));
  }

  workers(options?: Waiting): Promise<readonly Presence[]> {
    return this.#do(options, ({ upkeep }) => upkeep.workers());
  }

  strike(
    rule: string,
    struck: boolean,
    request: string,
    options?: Waiting,
  ): Promise<boolean> {
    return this.#do(options, ({ upkeep }) => upkeep.strike(rule, struck, request));
  }

  strikes(
    options?: Waiting,
  ): Promise<{ readonly version: string; readonly rules: readonly string[] }> {
    return this.#do(options, ({ upkeep }) => upkeep.strikes());
  }

  sweep(sweep: Sweep, options?: Waiting): Promise<Swept> {
    return this.#do(options, ({ upkeep }) => upkeep.sweep(sweep));
  }

  /** There is nothing that could be set wrong. */
  inspect(options?: Waiting): Promise<Inspection> {
    return this.#do(options, () => ({ findings: [], unknown: [] }));
  }

  examine(options?: Waiting): Promise<Examination> {
    return this.#do(options, ({ upkeep }) => {
      const { counts } = upkeep.survey(0);
      const { queued, running } = counts;
      const families = Object.entries(counts).filter(([, keys]) => keys > 0)
        .map(([name, keys]) => ({ name, holds: "tasks", keys }));
      const queue = { entries: queued + running, pending: running };
      return { findings: [], unknown: [], families, partial: false, queue, consumers: [] };
    });
  }

  retire(consumer: string, options?: Waiting): Promise<boolean> {
    return this.#do(options, ({ work }) => work.retire(consumer));
  }

  wait(
    _consumer: string,
    _want: number,
    _timeout: Millis, // nothing can be missed here
    { signal }: Waiting = {},
  ): Promise<string | undefined> {
    const memory = this.#memory;
    const closing = this.#closing.signal;
    return new Promise((resolve, reject) => {
      closing.throwIfAborted();
      if (signal?.aborted) return resolve(undefined);
      if (memory.work.ready) return resolve(NEW);
      const arrived = () => end(resolve, NEW);
      const nothing = () => end(resolve, undefined);
      const closed = () => end(reject, closing.reason);
      const offArrival = memory.hints.wait(arrived);
      signal?.addEventListener("abort", nothing);
      closing.addEventListener("abort", closed);

      function end<T>(settle: (how: T) => void, how: T): void {
        offArrival();
        signal?.removeEventListener("abort", nothing);
        closing.removeEventListener("abort", closed);
        settle(how);
      }
    });
  }

  listen(
    notice: (notice: Notice) => void,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<void> {
    return this.#do({}, ({ hints }) => this.#until(signal, () => hints.listen(notice)));
  }

  watch(
    change: (change: Change) => void,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<void> {
    return this.#do({}, ({ hints }) => this.#until(signal, () => hints.watch(change)));
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new ConnectionError(`Cannot reach ${this.url}: the storage is closed`));
    return Promise.resolve();
  }

  /** A verb is over before its promise exists; what it throws rejects. */
  #do<T>(options: Waiting | undefined, verb: (memory: Memory) => T): Promise<T> {
    return new Promise((resolve) => {
      this.#closing.signal.throwIfAborted();
      options?.signal?.throwIfAborted();
      resolve(verb(this.#memory));
    });
  }

  /** Keeps something on until the signal aborts or this handle closes, and leaves nothing on either signal. */
  #until(signal: AbortSignal, turnOn: () => () => void): void {
    if (signal.aborted) return;
    const closing = this.#closing.signal;
    const turnOff = turnOn();
    const over = () => {
      turnOff();
      signal.removeEventListener("abort", over);
      closing.removeEventListener("abort", over);
    };
    signal.addEventListener("abort", over);
    closing.addEventListener("abort", over);
  }
}

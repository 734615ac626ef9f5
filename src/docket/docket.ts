/**
 * The docket: where work is put, now or for later.
 *
 * @module
 */

import { randomId } from "../base/ids.ts";
import { ConnectionError } from "../base/errors.ts";
import type { Strike } from "../base/strikes.ts";
import { otelReady } from "../instrumentation/api.ts";
import { meters } from "../instrumentation/meters.ts";
import { openStorage, type Reopening } from "../storage/open.ts";
import { Execution } from "./execution.ts";
import { type Internals, keepInternals } from "./internals.ts";
import {
  type AddAllOptions,
  type AddOptions,
  type CallOptions,
  type DocketOptions,
  type ListOptions,
  type ReplaceOptions,
  type Settings,
  toLimit,
  toReplication,
  toSending,
  toSettings,
  validateKey,
} from "./options.ts";
import { PlannedCall, type returns } from "./planned_call.ts";
import { listWorkers, type WorkerInfo } from "./presence.ts";
import {
  type ExpectedRun,
  expectedRuns,
  type PreviewOptions,
  toPreviewSettings,
} from "./preview.ts";
import { Producer } from "./producer.ts";
import { type AnyFunction, Registry, type Tasks } from "./registry.ts";
import { type Snapshot, toExecutions, toSnapshot } from "./snapshot.ts";
import { StrikeBook } from "./strike_book.ts";
import { type StrikeOfTask, Striker } from "./striker.ts";
import { Watcher } from "./watcher.ts";
import type { Storage } from "../storage/contract.ts";

/**
 * What `add` and `replace` return: call it with the task's arguments. Awaiting it instead does not compile (TS1320), and
 * throws a `TypeError`: the second call was forgotten.
 */
export interface Scheduler<Args extends readonly unknown[], Result> {
  (...args: Args): Promise<Execution<Result>>;
  /** Refuses to be awaited. */
  then(reminder: "call what add() returned with the task's arguments"): void;
}

/** What {@linkcode Docket.call} returns: call it with the task's arguments. Awaiting it does not compile either. */
export interface Planner<Args extends readonly unknown[], Result> {
  (...args: Args): PlannedCall<Result>;
  /** Refuses to be awaited. */
  then(reminder: "call what call() returned with the task's arguments"): void;
}

/** Anything that can be scheduled: a task, or a plain named function. */
export type Schedulable<Args extends readonly unknown[], Result> = (
  ...args: Args
) => Result | Promise<Result>;

/** The name of a task given as `typeof task`; any name for a plain function. */
export type NameOf<T> = T extends { readonly name: infer Name extends string } ? Name : string;

/** The executions that calls become, each with its own result. */
export type ExecutionsOf<Calls extends readonly PlannedCall[]> = {
  -readonly [I in keyof Calls]: Execution<Calls[I][typeof returns]>;
};

/**
 * A docket of work, shared by all who connect with the same name and URL.
 *
 * @example
 * ```ts
 * import { equal } from "node:assert/strict";
 * import { Docket, Worker } from "@docket/docket";
 *
 * function greet(name: string, greeting = "Hello"): string {
 *   return `${greeting}, ${name}!`;
 * }
 *
 * await using docket = await Docket.connect({ name: "orders", url: "memory://example" });
 * const execution = await docket.add(greet, { delay: "5ms" })("Jane");
 *
 * await using worker = new Worker(docket);
 * await worker.runUntilFinished();
 * equal(await execution.result(), "Hello, Jane!");
 * ```
 */
export class Docket implements AsyncDisposable {
  /** The name that all who share this work use. */
  readonly name: string;
  readonly #internals: Internals;
  readonly #striker: Striker;
  readonly #close = new AbortController();
  #closing?: Promise<void>;

  private constructor(settings: Settings, storage: Storage, reopening?: Reopening) {
    const { name, clock, codec, retention, liveness, maxPayloadBytes } = settings;
    this.name = name;
    const parts = { name, storage, reopening, clock, codec, retention, liveness };
    const internals: Internals = {
      ...parts,
      registry: new Registry(),
      book: new StrikeBook(storage),
      watcher: new Watcher(storage, clock),
      closed: this.#close.signal,
      workers: new Set(),
      get producer() {
        return producer;
      },
    };
    const producer = new Producer(this, internals, maxPayloadBytes);
    this.#internals = internals;
    this.#striker = new Striker(storage, internals.registry);
    keepInternals(this, internals);
  }

  /**
   * Connects to a docket.
   *
   * @throws {ConnectionError} When nothing answers; the URL in its message shows no password.
   * @throws {TypeError} For a name, URL or option that cannot be used.
   * @throws {RangeError} For a duration or size out of range.
   */
  static async connect(options: DocketOptions = {}): Promise<Docket> {
    const settings = toSettings(options);
    const { tasks, lazy, signal, redis } = options;
    if (tasks !== undefined) new Registry().register(tasks); // refused before anything is opened
    const { name, url, clock, retention, connectTimeout, commandTimeout } = settings;
    const watched = otelReady(); // what is done first is not to be missed
    const recordTtl = retention.cancelled;
    const opening = { docket: name, recordTtl, connectTimeout, commandTimeout, redis };
    const storage = options.storage ?? await openStorage(url, { ...opening, clock, lazy, signal });
    await watched;
    const reopening = options.storage ? undefined : { ...opening, url: `${url}` };
    const docket = new Docket(settings, storage, reopening);
    if (tasks !== undefined) docket.register(tasks);
    return docket;
  }

  /** The names of the tasks registered here. */
  get tasks(): readonly string[] {
    return this.#internals.registry.names();
  }

  /**
   * Tells this docket's workers which tasks there are: one, a list, or a record or module namespace whose keys name plain
   * functions. Whatever is added by reference is registered too.
   *
   * @throws {TypeError} For an anonymous function, or another function under a name that is taken.
   */
  register(tasks: Tasks): void {
    this.#internals.registry.register(tasks);
  }

  /**
   * Schedules a task, for now or later: `await docket.add(task, options)(…args)`. The first of two live tasks with one
   * key wins; the handle's `disposition` tells.
   *
   * @throws {TypeError} For an anonymous function, or options that cannot be used.
   * @throws {RangeError} For a time or duration out of range.
   * @throws {SerializationError} From the second call, when an argument cannot be carried.
   * @throws {PayloadTooLargeError} From the second call, when the arguments are larger than `maxPayloadBytes`.
   * @throws {StorageFullError} From the second call, when the storage has no room left; nothing was written.
   * @throws {NotReplicatedError} From the second call, when `durability` asks for more than is so; the task may exist.
   * @throws {ConnectionError} From the second call, when the storage does not answer; the task may exist.
   */
  add<Args extends readonly unknown[], Result>(
    task: Schedulable<Args, Result>,
    options?: AddOptions,
  ): Scheduler<Args, Result>;
  /** Schedules a task by name; `add<typeof task>("name")` keeps its types without importing its code. */
  add<T extends (...args: never) => unknown = (...args: unknown[]) => unknown>(
    name: NameOf<T>,
    options?: AddOptions,
  ): Scheduler<Parameters<T>, Awaited<ReturnType<T>>>;
  add(
    task: AnyFunction | string,
    options: AddOptions = {},
  ): Scheduler<readonly unknown[], unknown> {
    return this.#scheduler("add", task, options);
  }

  /**
   * Schedules a task in the place of whatever is live under its key. On nothing it is `add`. While the old one runs, the
   * replacement is `"deferred"`: it waits until that run has ended, and then runs once.
   *
   * @throws What {@linkcode Docket.add} throws.
   */
  replace<Args extends readonly unknown[], Result>(
    task: Schedulable<Args, Result>,
    options: ReplaceOptions,
  ): Scheduler<Args, Result>;
  /** Replaces by name, as {@linkcode Docket.add} adds by name. */
  replace<T extends (...args: never) => unknown = (...args: unknown[]) => unknown>(
    name: NameOf<T>,
    options: ReplaceOptions,
  ): Scheduler<Parameters<T>, Awaited<ReturnType<T>>>;
  replace(
    task: AnyFunction | string,
    options: ReplaceOptions,
  ): Scheduler<readonly unknown[], unknown> {
    if (options?.key === undefined) {
      throw new TypeError('Cannot replace without a "key": it says what to replace');
    }
    return this.#scheduler("replace", task, options);
  }

  /**
   * Plans a call without scheduling it: `docket.call(task, options)(…args)`, for {@linkcode Docket.addAll}.
   *
   * @throws What {@linkcode Docket.add} throws for bad input, already here.
   */
  call<Args extends readonly unknown[], Result>(
    task: Schedulable<Args, Result>,
    options?: CallOptions,
  ): Planner<Args, Result>;
  /** Plans a call by name, as {@linkcode Docket.add} adds by name. */
  call<T extends (...args: never) => unknown = (...args: unknown[]) => unknown>(
    name: NameOf<T>,
    options?: CallOptions,
  ): Planner<Parameters<T>, Awaited<ReturnType<T>>>;
  call(
    task: AnyFunction | string,
    options: CallOptions = {},
  ): Planner<readonly unknown[], unknown> {
    const plan = this.#internals.producer.plan("call", task, options);
    const make = (...args: readonly unknown[]) => new PlannedCall(plan(args));
    return Object.assign(make, { then: forgotten });
  }

  /**
   * Adds many tasks in one round trip, up to a thousand in each. They are scheduled in the order given, and each has its own
   * disposition.
   *
   * @throws {TypeError} When one of them is not a planned call, or for options that cannot be used.
   * @throws What {@linkcode Docket.add} throws when the storage is full or does not answer.
   *
   * @example
   * ```ts
   * import { deepEqual } from "node:assert/strict";
   * import { Docket } from "@docket/docket";
   *
   * function greet(name: string): string {
   *   return `Hello, ${name}!`;
   * }
   *
   * await using docket = await Docket.connect({ url: "memory://add-all-example" });
   * const executions = await docket.addAll([
   *   docket.call(greet, { key: "jane" })("Jane"),
   *   docket.call(greet, { key: "jane" })("Jane, again"),
   *   docket.call(greet)("John"),
   * ]);
   * const dispositions = executions.map(({ disposition }) => disposition);
   * deepEqual(dispositions, ["scheduled", "exists", "scheduled"]);
   * ```
   */
  async addAll<const Calls extends readonly PlannedCall[]>(
    calls: Calls,
    options: AddAllOptions = {},
  ): Promise<ExecutionsOf<Calls>> {
    const plans = calls.map(PlannedCall.planOf);
    const { producer } = this.#internals;
    return await producer.scheduleAll(plans, toSending(options)) as ExecutionsOf<Calls>;
  }

  /**
   * Cancels what is live under a key: `"cancelled"` when it was scheduled, queued or waiting and never runs,
   * `"requested"` when it runs: its signal aborts, and a deferred replacement is dropped; `"none"` when there is nothing.
   *
   * @throws {ConnectionError} When the storage does not answer.
   */
  async cancel(key: string): Promise<"cancelled" | "requested" | "none"> {
    validateKey(key);
    return await this.#internals.producer.cancel({ key });
  }

  /**
   * The execution under a key, whether or not its task is registered here: the live one, else the last that ended.
   * `undefined` when nothing is known.
   *
   * @throws {ConnectionError} When the storage does not answer.
   */
  async execution<T extends (...args: never) => unknown = (...args: never) => unknown>(
    key: string,
  ): Promise<Execution<Awaited<ReturnType<T>>> | undefined> {
    validateKey(key);
    const [found] = await this.#internals.storage.load([key]);
    const generation = (found.live ?? found.ended ?? found.dead)?.generation;
    if (generation === undefined) return undefined;
    return new Execution({ docket: this, key, generation, found });
  }

  /**
   * Strikes what matches: from now on it is neither scheduled nor run, anywhere, until it is restored. What runs goes on;
   * what is scheduled or queued ends `cancelled` with reason `"struck"` when its time comes. A strike skips a run, not a
   * chain: the next run of a perpetual task is scheduled.
   *
   * True when this was not struck yet. A strike on a task or parameter that no live worker knows is kept, and a warning is logged.
   *
   * @throws {TypeError} For a strike that could never match: neither task nor parameter, an unknown operator, no value.
   * @throws {RangeError} For a range whose end is before its beginning.
   * @throws {ConnectionError} When the storage does not answer.
   *
   * @example
   * ```ts
   * import { deepEqual, equal } from "node:assert/strict";
   * import { Docket } from "@docket/docket";
   *
   * function remind(customerId: number): number {
   *   return customerId;
   * }
   *
   * await using docket = await Docket.connect({ url: "memory://strike-example" });
   * await docket.strike({ task: "remind", parameter: "customerId", value: 12345 });
   *
   * equal((await docket.add(remind)(12345)).disposition, "struck");
   * equal((await docket.add(remind)(67890)).disposition, "scheduled");
   *
   * await docket.restore({ task: "remind", parameter: "customerId", value: 12345 });
   * deepEqual(await docket.strikes(), []);
   * ```
   */
  strike(strike: Strike | StrikeOfTask): Promise<boolean> {
    return this.#striker.change(strike, true);
  }

  /** Takes a strike back, given as it was struck. True when there was one. */
  restore(strike: Strike | StrikeOfTask): Promise<boolean> {
    return this.#striker.change(strike, false);
  }

  /** What is struck now. */
  strikes(): Promise<Strike[]> {
    return this.#striker.list();
  }

  /**
   * What is on the docket: exact counts, and at most `limit` executions of each state.
   *
   * @throws {ConnectionError} When the storage does not answer.
   */
  async snapshot(options: ListOptions = {}): Promise<Snapshot> {
    const limit = toLimit("snapshot()", options);
    const { storage } = this.#internals;
    const [survey, dead] = await Promise.all([
      storage.survey(limit, options),
      storage.parked("dead", limit, options),
    ]);
    return toSnapshot(this, survey, dead);
  }

  /**
   * What will run until an instant, the soonest first: what is on the docket, and what will follow it in the chains of
   * `Cron` and `Perpetual` tasks that are registered here, as far as nothing decides otherwise meanwhile. No more than
   * 10,000 of each state are looked at.
   *
   * @throws {ConnectionError} When the storage does not answer.
   * @throws {TypeError} For an option that cannot be used.
   * @throws {RangeError} For one out of range.
   *
   * @example
   * ```ts
   * import { deepEqual } from "node:assert/strict";
   * import { Docket, Perpetual, task } from "@docket/docket";
   *
   * const sweep = task("sweep", { perpetual: new Perpetual({ every: "6h" }) }, (): void => {});
   *
   * await using docket = await Docket.connect({ url: "memory://preview-example", tasks: [sweep] });
   * const when = new Date(Date.now() + 3_600_000);
   * await docket.add(sweep, { key: "sweep", when })();
   *
   * const hours = (await docket.preview()).map((run) => (run.when.getTime() - when.getTime()) / 3_600_000);
   * deepEqual(hours, [0, 6, 12, 18]);
   * ```
   */
  async preview(options: PreviewOptions = {}): Promise<ExpectedRun[]> {
    const settings = toPreviewSettings(options);
    const { registry } = this.#internals;
    const taken = await this.snapshot({ limit: 10_000, signal: options.signal });
    return expectedRuns(taken, (task) => registry.get(task), settings);
  }

  /** What failed for good, the newest first, while its record is kept: at most 10,000. */
  async failed(options: ListOptions = {}): Promise<Execution[]> {
    const limit = toLimit("failed()", options);
    return toExecutions(this, await this.#internals.storage.parked("failed", limit, options));
  }

  /** What was parked as dead, the newest first: at most 10,000. */
  async dead(options: ListOptions = {}): Promise<Execution[]> {
    const limit = toLimit("dead()", options);
    return toExecutions(this, await this.#internals.storage.parked("dead", limit, options));
  }

  /** The workers that live and can claim. */
  workers(): Promise<WorkerInfo[]> {
    return listWorkers(this.#internals.storage);
  }

  /** Those of the workers that know a task. */
  async taskWorkers(task: AnyFunction | string): Promise<WorkerInfo[]> {
    const name = typeof task === "string" ? task : this.#internals.registry.nameOf(task);
    return (await this.workers()).filter(({ tasks }) => Object.hasOwn(tasks, name));
  }

  /**
   * Cancels everything that is scheduled, queued or waiting, with reason `"cleared"`; what runs goes on, strikes stay.
   * Tells how many those were. The automatic tasks of live workers come back.
   *
   * @throws {ConnectionError} When the storage does not answer.
   */
  async clear({ signal }: { readonly signal?: AbortSignal } = {}): Promise<number> {
    const { storage } = this.#internals;
    const request = randomId();
    let total = 0;
    let cursor = "";
    do {
      const page = await storage.clear(request, cursor, { signal });
      total += page.cleared;
      cursor = page.cursor;
    } while (cursor !== "");
    if (meters.look()) meters.count("docket_tasks_cancelled", { docket: this.name }, total);
    return total;
  }

  /** Closes the docket's own workers, then its connections. Returns always, whatever the storage does. */
  close(): Promise<void> {
    return this.#closing ??= (async () => {
      const { workers } = this.#internals;
      // Until there is none: a task that still runs may make another.
      while (workers.size > 0) {
        await Promise.allSettled([...workers].map((worker) => worker[Symbol.asyncDispose]()));
      }
      this.#close.abort(new ConnectionError("The docket is closed"));
      this.#internals.watcher.close();
      await this.#internals.storage[Symbol.asyncDispose]();
    })();
  }

  /** {@linkcode Docket.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #scheduler(
    mode: "add" | "replace",
    task: AnyFunction | string,
    options: AddOptions,
  ): Scheduler<readonly unknown[], unknown> {
    const { producer } = this.#internals;
    const plan = producer.plan(mode, task, options);
    const { signal, durability } = options;
    // The options themselves where that will do: adding is to make nothing that is not needed.
    const sending = durability === undefined
      ? options
      : { signal, replication: toReplication(durability) };
    const schedule = (...args: readonly unknown[]) => producer.add(plan, args, sending);
    return Object.assign(schedule, { then: forgotten });
  }
}

function forgotten(): never {
  throw new TypeError(
    "Cannot await what add(), replace() or call() returned: call it with the task's arguments first, as in add(task)(…args)",
  );
}

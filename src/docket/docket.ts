/**
 * The docket: where work is put, now or for later.
 *
 * @module
 */

import { env } from "node:process";
import { type Clock, type Millis, systemClock } from "../base/clock.ts";
import { type Codec, defaultCodec } from "../base/codec.ts";
import { type DurationLike, type InstantLike, toInstant, toMillis } from "../base/duration.ts";
import { ConnectionError, PayloadTooLargeError } from "../base/errors.ts";
import { randomId, timeOrderedId } from "../base/ids.ts";
import { encodeMessage } from "../base/message.ts";
import { type OptionNames, refuseUnknownOptions } from "../base/options.ts";
import type { Call, Due, Storage } from "../storage/contract.ts";
import { openStorage } from "../storage/open.ts";
import { Execution } from "./execution.ts";
import { type Internals, keepInternals, type Retention } from "./internals.ts";
import { type AnyFunction, Registry, type Tasks } from "./registry.ts";
import { Watcher } from "./watcher.ts";

/** Options of {@linkcode Docket.connect}. */
export interface DocketOptions {
  /**
   * The name that all who share this work use: letters, digits, dots, underscores and dashes, at most 128.
   *
   * @default "docket"
   */
  readonly name?: string;
  /**
   * Where the work is kept: `memory://<name>` (in this process, until it ends), `redis://`, `rediss://`, `unix://`,
   * `valkey://` or `valkeys://`.
   *
   * @default the variable DOCKET_URL, else "redis://localhost:6379/0"
   */
  readonly url?: string | URL;
  /** Tasks to register at once. */
  readonly tasks?: Tasks;
  /**
   * How long the records and results of what ended stay: one duration, or one for each end.
   *
   * @default 15 minutes when completed or cancelled, 7 days when failed
   */
  readonly executionTtl?: DurationLike | ExecutionTtl;
  /** How arguments and results become text, instead of the built-in way. */
  readonly codec?: Codec;
  /**
   * Larger arguments are refused, in bytes.
   *
   * @default 1 MiB
   */
  readonly maxPayloadBytes?: number;
  /** More options for the Redis client, such as `tls`. */
  readonly redis?: Readonly<Record<string, unknown>>;
  /** A storage of your own, instead of a URL. The docket closes it. */
  readonly storage?: Storage;
  /** The clock to live by: tests give a fake one. With Redis the server's clock decides all the same. */
  readonly clock?: Clock;
  /** Connects at first use instead of now. */
  readonly lazy?: boolean;
  /** Gives up connecting. It has no effect afterwards. */
  readonly signal?: AbortSignal;
  /**
   * How long connecting may take.
   *
   * @default 5 seconds
   */
  readonly connectTimeout?: DurationLike;
  /**
   * How long a call is tried again while the storage does not answer.
   *
   * @default 5 seconds
   */
  readonly commandTimeout?: DurationLike;
}

/** How long records stay, for each end. */
export interface ExecutionTtl {
  /**
   * Of what completed.
   *
   * @default 15 minutes
   */
  readonly completed?: DurationLike;
  /**
   * Of what was cancelled.
   *
   * @default 15 minutes
   */
  readonly cancelled?: DurationLike;
  /**
   * Of what failed.
   *
   * @default 7 days
   */
  readonly failed?: DurationLike;
}

/** Options of {@linkcode Docket.add}. */
export interface AddOptions {
  /** When to run, by the storage's clock; the past is now. Not together with `delay`. */
  readonly when?: InstantLike;
  /** How long from now to run, by the storage's clock. Not together with `when`. */
  readonly delay?: DurationLike;
  /**
   * What makes this work unique: while a task with this key is live, adding another does nothing. Any string of at most
   * 1,024 bytes.
   *
   * @default a random UUID
   */
  readonly key?: string;
  /** Gives up waiting for the storage. The task may have been scheduled. */
  readonly signal?: AbortSignal;
}

/** Options of {@linkcode Docket.replace}. */
export interface ReplaceOptions extends AddOptions {
  /** The key of the task to replace. */
  readonly key: string;
}

/**
 * What `add` and `replace` return: call it with the task's arguments. Awaiting it instead does not compile (TS1320), and
 * throws a `TypeError`: the second call was forgotten.
 */
export interface Scheduler<Args extends readonly unknown[], Result> {
  (...args: Args): Promise<Execution<Result>>;
  /** Refuses to be awaited. */
  then(reminder: "call what add() returned with the task's arguments"): void;
}

/** Anything that can be scheduled: a task, or a plain named function. */
export type Schedulable<Args extends readonly unknown[], Result> = (
  ...args: Args
) => Result | Promise<Result>;

/** The name of a task given as `typeof task`; any name for a plain function. */
export type NameOf<T> = T extends { readonly name: infer Name extends string } ? Name : string;

const CONNECT_OPTIONS: OptionNames<DocketOptions> = {
  name: true,
  url: true,
  tasks: true,
  executionTtl: true,
  codec: true,
  maxPayloadBytes: true,
  redis: true,
  storage: true,
  clock: true,
  lazy: true,
  signal: true,
  connectTimeout: true,
  commandTimeout: true,
};
const ADD_OPTIONS: OptionNames<AddOptions> = { when: true, delay: true, key: true, signal: true };
const DEFAULT_URL = "redis://localhost:6379/0";
const DEFAULT_MAX_PAYLOAD = 1_048_576;
const MAX_KEY_BYTES = 1_024;
const MINUTES: Millis = 60_000;
const DAYS: Millis = 86_400_000;

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
  readonly #maxPayloadBytes: number;
  readonly #close = new AbortController();
  #closing?: Promise<void>;

  private constructor(
    name: string,
    parts: Pick<Internals, "storage" | "clock" | "codec" | "retention">,
    maxPayloadBytes: number,
  ) {
    this.name = name;
    this.#maxPayloadBytes = maxPayloadBytes;
    this.#internals = {
      ...parts,
      name,
      registry: new Registry(),
      watcher: new Watcher(parts.storage, parts.clock),
      closed: this.#close.signal,
      workers: new Set(),
    };
    keepInternals(this, this.#internals);
  }

  /**
   * Connects to a docket.
   *
   * @throws {ConnectionError} When nothing answers; the URL in its message shows no password.
   * @throws {TypeError} For a name, URL or option that cannot be used.
   * @throws {RangeError} For a duration or size out of range.
   */
  static async connect(options: DocketOptions = {}): Promise<Docket> {
    refuseUnknownOptions("Docket.connect()", options, CONNECT_OPTIONS);
    const {
      name = "docket",
      url = env.DOCKET_URL ?? DEFAULT_URL,
      codec = defaultCodec,
      clock = systemClock,
      maxPayloadBytes = DEFAULT_MAX_PAYLOAD,
      connectTimeout = 5_000,
      commandTimeout = 5_000,
    } = options;
    if (!/^[A-Za-z0-9._-]{1,128}$/.test(name)) {
      throw new TypeError(
        `Cannot use ${
          JSON.stringify(name)
        } as a docket's name: give 1 to 128 letters, digits, ".", "_" or "-"`,
      );
    }
    if (!(Number.isSafeInteger(maxPayloadBytes) && maxPayloadBytes > 0)) {
      throw new RangeError(
        `Cannot use ${maxPayloadBytes} for "maxPayloadBytes": it must be a whole number from 1`,
      );
    }
    const retention = toRetention(options.executionTtl);
    const registry = new Registry();
    if (options.tasks !== undefined) registry.register(options.tasks); // refused before anything is opened
    const storage = options.storage ?? await openStorage(url, {
      docket: name,
      clock,
      recordTtl: retention.cancelled,
      connectTimeout: toMillis("connectTimeout", connectTimeout),
      commandTimeout: toMillis("commandTimeout", commandTimeout),
      lazy: options.lazy,
      signal: options.signal,
      redis: options.redis,
    });
    const docket = new Docket(name, { storage, clock, codec, retention }, maxPayloadBytes);
    if (options.tasks !== undefined) docket.register(options.tasks);
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
   * @throws {StorageFullError} From the second call, when the storage has no memory left; nothing was written.
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
   * Cancels what is live under a key: `"cancelled"` when it was scheduled, queued or waiting and never runs,
   * `"requested"` when it runs: its signal aborts, and a deferred replacement is dropped; `"none"` when there is nothing.
   *
   * @throws {ConnectionError} When the storage does not answer.
   */
  async cancel(key: string): Promise<"cancelled" | "requested" | "none"> {
    validateKey(key);
    const [answer] = await this.#internals.storage.cancel([{ key }]);
    return answer;
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
    mode: Call["mode"],
    task: AnyFunction | string,
    options: AddOptions,
  ): Scheduler<readonly unknown[], unknown> {
    const name = typeof task === "string" ? task : this.#internals.registry.add(task).name;
    if (name === "") throw new TypeError('Cannot add a task without a name: give one, not ""');
    refuseUnknownOptions(`${mode}()`, options, ADD_OPTIONS);
    const due = toDue(options);
    const { key = timeOrderedId(), signal } = options;
    validateKey(key);
    const schedule = (...args: readonly unknown[]) =>
      this.#schedule(mode, name, key, due, args, signal);
    return Object.assign(schedule, { then: forgotten });
  }

  async #schedule(
    mode: Call["mode"],
    task: string,
    key: string,
    due: Due,
    args: readonly unknown[],
    signal: AbortSignal | undefined,
  ): Promise<Execution> {
    signal?.throwIfAborted();
    if (this.#close.signal.aborted) throw this.#close.signal.reason;
    const { storage, clock, codec } = this.#internals;
    const encoded = codec.encode(args, "args");
    this.#refuseLarge(task, encoded);
    const body = encodeMessage(task, encoded, codec, undefined);
    const generation = randomId();
    const [verdict] = await storage.schedule([{ key, generation, mode, due, body }], { signal });
    if (verdict.kind === "exists") {
      const { live } = verdict;
      return new Execution({
        docket: this,
        key,
        generation: live.generation,
        disposition: "exists",
        found: { live },
      });
    }
    const now = clock.now();
    const when = due === undefined ? now : "at" in due ? due.at : now + due.after;
    const state = verdict.kind === "deferred" ? "waiting" : when > now ? "scheduled" : "queued";
    return new Execution({
      docket: this,
      key,
      generation,
      disposition: verdict.kind,
      scheduled: { task, args, when, state },
    });
  }

  #refuseLarge(task: string, encoded: string): void {
    const limit = this.#maxPayloadBytes;
    if (encoded.length * 3 <= limit) return; // no character takes more than three bytes
    const bytes = new TextEncoder().encode(encoded).length;
    if (bytes <= limit) return;
    throw new PayloadTooLargeError(
      `Cannot schedule "${task}": its arguments take ${bytes} bytes, more than the ${limit} allowed`,
      bytes,
      limit,
    );
  }
}

function forgotten(): never {
  throw new TypeError(
    "Cannot await what add() or replace() returned: call it with the task's arguments first, as in add(task)(…args)",
  );
}

function toDue({ when, delay }: AddOptions): Due {
  if (when !== undefined && delay !== undefined) {
    throw new TypeError('Cannot use "when" and "delay" together: give one');
  }
  if (when !== undefined) return { at: toInstant("when", when) };
  if (delay === undefined) return undefined;
  const after = Math.ceil(toMillis("delay", delay));
  return after === 0 ? undefined : { after };
}

/** Any string is safe as a key (invariant 13), as long as it comes back as it went. */
function validateKey(key: string): void {
  if (typeof key !== "string") {
    throw new TypeError(`Cannot use a value of type ${typeof key} as a key: give a string`);
  }
  if (!key.isWellFormed()) {
    throw new TypeError(
      "Cannot use a key with a lone surrogate: it would not come back as it went",
    );
  }
  if (key.length * 3 > MAX_KEY_BYTES && new TextEncoder().encode(key).length > MAX_KEY_BYTES) {
    throw new RangeError(`Cannot use a key of more than ${MAX_KEY_BYTES} bytes`);
  }
}

function toRetention(ttl: DocketOptions["executionTtl"]): Retention {
  const each = isPerEnd(ttl) ? ttl : { completed: ttl, cancelled: ttl, failed: ttl };
  return {
    completed: toMillis("executionTtl.completed", each.completed ?? 15 * MINUTES),
    cancelled: toMillis("executionTtl.cancelled", each.cancelled ?? 15 * MINUTES),
    failed: toMillis("executionTtl.failed", each.failed ?? 7 * DAYS),
  };
}

function isPerEnd(ttl: DocketOptions["executionTtl"]): ttl is ExecutionTtl {
  return typeof ttl === "object" && ttl !== null && Object.keys(ttl).length > 0 &&
    Object.keys(ttl).every((key) => ["completed", "cancelled", "failed"].includes(key));
}

/**
 * Options of a docket and of what is put on it, and what they mean.
 *
 * @module
 */

import { env } from "node:process";
import { type Clock, type Millis, systemClock } from "../base/clock.ts";
import { type Codec, defaultCodec } from "../base/codec.ts";
import { type DurationLike, type InstantLike, toInstant, toMillis } from "../base/duration.ts";
import { type OptionNames, refuseUnknownOptions, wholeNumber } from "../base/options.ts";
import type { Due, Replication, Scheduling, Storage } from "../storage/contract.ts";
import type { Tasks } from "./registry.ts";

/** Options of {@linkcode Docket.connect}. */
export interface DocketOptions {
  /**
   * The name that all who share this work use: letters, digits, dots, underscores and dashes, at most 128.
   *
   * @default "docket"
   */
  readonly name?: string;
  /**
   * Where the work is kept: `memory://<name>` (in this process, until it ends), `redis://user:password@host:port/db`,
   * `unix://<path>`, `redis+sentinel://host,host/master/db` or `redis+cluster://host,host/`; with TLS `rediss…`, and with
   * `valkey` or `valkeys` in the place of `redis` and `rediss`.
   *
   * @default the variable DOCKET_URL, else "redis://localhost:6379/0"
   */
  readonly url?: string | URL;
  /** Tasks to register at once. */
  readonly tasks?: Tasks;
  /**
   * How often this docket's workers say that they can claim, and look after their automatic tasks.
   *
   * @default 2 seconds
   */
  readonly heartbeatInterval?: DurationLike;
  /**
   * A worker that has been silent for so many heartbeats is taken for dead.
   *
   * @default 5
   */
  readonly missedHeartbeats?: number;
  /**
   * How long the records and results of what ended stay: one duration, or one for each end.
   *
   * @default 15 minutes when completed or cancelled, 7 days when failed
   */
  readonly executionTtl?: DurationLike | ExecutionTtl;
  /** How arguments and results become text, instead of the built-in way. */
  readonly codec?: Codec;
  /**
   * Larger arguments are refused, and a larger result fails its execution; in bytes, as each is stored.
   *
   * @default 1 MiB
   */
  readonly maxPayloadBytes?: number;
  /** More options for the Redis client, such as `tls`, `sentinelPassword` or `natMap`. */
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

/** Options of {@linkcode Docket.call}. */
export interface CallOptions {
  /** When to run, by the storage's clock; the past is now. Not together with `delay`. */
  readonly when?: InstantLike;
  /** How long from now to run, by the storage's clock. Not together with `when`. */
  readonly delay?: DurationLike;
  /**
   * What makes this work unique: while a task with this key is live, adding another does nothing. Any string of at most
   * 1,024 bytes.
   *
   * @default a random id of 22 URL-safe characters, later ones behind earlier ones; of an automatic task that is registered here, its name
   */
  readonly key?: string;
  /**
   * How long the record of how its run ended stays, whatever the end; 0 keeps none. One that is cancelled before it runs
   * stays as long as the docket says.
   *
   * @default the docket's `executionTtl`
   */
  readonly ttl?: DurationLike;
}

/**
 * How safe a task has to be before it counts as added.
 *
 * @example
 * ```ts
 * import { Docket } from "@docket/docket";
 *
 * function charge(orderId: number): number {
 *   return orderId;
 * }
 *
 * await using docket = await Docket.connect({ url: "memory://durability-example" }); // has none, and loses none
 * await docket.add(charge, { durability: { replicas: 1, timeout: 500 } })(12345);
 * ```
 */
export interface Durability {
  /** How many replicas of the storage must have it, besides the master. */
  readonly replicas: number;
  /**
   * How long they may take.
   *
   * @default 500 ms
   */
  readonly timeout?: DurationLike;
}

/** Options of {@linkcode Docket.addAll}. */
export interface AddAllOptions {
  /** Gives up waiting for the storage. The task may have been scheduled. */
  readonly signal?: AbortSignal;
  /**
   * Waits until so many replicas have the task, so that it outlives its master; also one that was there already. Rejects
   * with `NotReplicatedError` when they have it not in time. In memory there are no replicas, and nothing is waited for.
   *
   * @default none: a failover may lose what the replicas have not yet got
   */
  readonly durability?: Durability;
}

/** Options of {@linkcode Docket.add}. */
export interface AddOptions extends CallOptions, AddAllOptions {}

/** Options of {@linkcode Docket.replace}. */
export interface ReplaceOptions extends AddOptions {
  /** The key of the task to replace. */
  readonly key: string;
}

/** Options of what looks at a docket. */
export interface ListOptions {
  /**
   * How many to show at most.
   *
   * @default 1,000
   */
  readonly limit?: number;
  /** Gives up waiting for the storage. */
  readonly signal?: AbortSignal;
}

/** How long the records of what ended stay, in milliseconds. */
export interface Retention {
  readonly completed: Millis;
  readonly cancelled: Millis;
  readonly failed: Millis;
}

/** How workers show that they live. */
export interface Liveness {
  /** Between two heartbeats, in milliseconds. */
  readonly interval: Millis;
  /** Who was silent for so long is taken for dead, in milliseconds. */
  readonly silence: Millis;
}

/** Options of a docket once they are checked. */
export interface Settings {
  readonly name: string;
  readonly url: string | URL;
  readonly clock: Clock;
  readonly codec: Codec;
  readonly retention: Retention;
  readonly liveness: Liveness;
  readonly maxPayloadBytes: number;
  readonly connectTimeout: Millis;
  readonly commandTimeout: Millis;
}

const CONNECT_OPTIONS: OptionNames<DocketOptions> = {
  name: true,
  url: true,
  tasks: true,
  heartbeatInterval: true,
  missedHeartbeats: true,
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
const DEFAULT_URL = "redis://localhost:6379/0";
const DEFAULT_MAX_PAYLOAD = 1_048_576;
const MAX_KEY_BYTES = 1_024;
const MINUTES: Millis = 60_000;
const DAYS: Millis = 86_400_000;

/**
 * Checks the options of {@linkcode Docket.connect}.
 *
 * @throws {TypeError} For a name or option that cannot be used.
 * @throws {RangeError} For a duration or size out of range.
 */
export function toSettings(options: DocketOptions): Settings {
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
  return {
    name,
    url,
    clock,
    codec,
    retention: toRetention(options.executionTtl),
    liveness: toLiveness(options),
    maxPayloadBytes: wholeNumber("maxPayloadBytes", maxPayloadBytes),
    connectTimeout: toMillis("connectTimeout", connectTimeout),
    commandTimeout: toMillis("commandTimeout", commandTimeout),
  };
}

/**
 * When a call is due.
 *
 * @throws {TypeError} When both are given.
 */
export function toDue({ when, delay }: CallOptions): Due {
  if (when !== undefined && delay !== undefined) {
    throw new TypeError('Cannot use "when" and "delay" together: give one');
  }
  if (when !== undefined) return { at: toInstant("when", when) };
  if (delay === undefined) return undefined;
  const after = Math.ceil(toMillis("delay", delay));
  return after === 0 ? undefined : { after };
}

/**
 * Any string is safe as a key (invariant 13), as long as it comes back as it went.
 *
 * @throws {TypeError} When it is no string, or would not.
 * @throws {RangeError} When it is longer than 1,024 bytes.
 */
export function validateKey(key: string): void {
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

const ADD_ALL_OPTIONS: OptionNames<AddAllOptions> = { signal: true, durability: true };

/**
 * How many calls are sent.
 *
 * @throws What {@linkcode toReplication} throws; {@linkcode TypeError} for an option that does not exist.
 */
export function toSending(options: AddAllOptions): Pick<Scheduling, "signal" | "replication"> {
  refuseUnknownOptions("addAll()", options, ADD_ALL_OPTIONS);
  return { signal: options.signal, replication: toReplication(options.durability) };
}

const DURABILITY_OPTIONS: OptionNames<Durability> = { replicas: true, timeout: true };

/**
 * Which replicas to wait for, and how long.
 *
 * @throws {TypeError} For something else than such options.
 * @throws {RangeError} For a number or duration out of range.
 */
export function toReplication(durability: Durability | undefined): Replication | undefined {
  if (durability === undefined) return undefined;
  if (typeof durability !== "object" || durability === null) {
    throw new TypeError(
      `Cannot use ${String(durability)} for "durability": give { replicas, timeout }`,
    );
  }
  refuseUnknownOptions("durability", durability, DURABILITY_OPTIONS);
  const timeout = Math.ceil(toMillis("durability.timeout", durability.timeout ?? 500));
  if (timeout < 1) {
    throw new RangeError('Cannot use 0 for "durability.timeout": it must be at least 1 ms');
  }
  return { replicas: wholeNumber("durability.replicas", durability.replicas), timeout };
}

const LIST_OPTIONS: OptionNames<ListOptions> = { limit: true, signal: true };

/**
 * How many to show.
 *
 * @throws {RangeError} When it is not a whole number from 1.
 * @throws {TypeError} For an option that does not exist.
 */
export function toLimit(what: string, options: ListOptions): number {
  refuseUnknownOptions(what, options, LIST_OPTIONS);
  return wholeNumber("limit", options.limit ?? 1_000);
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

function toLiveness({ heartbeatInterval = 2_000, missedHeartbeats = 5 }: DocketOptions): Liveness {
  const interval = toMillis("heartbeatInterval", heartbeatInterval);
  if (interval < 1) {
    throw new RangeError('Cannot use 0 for "heartbeatInterval": it must be at least 1 ms');
  }
  return { interval, silence: interval * wholeNumber("missedHeartbeats", missedHeartbeats) };
}

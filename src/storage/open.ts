/**
 * From a URL to a {@linkcode Storage}. An implementation is loaded only when its scheme is asked for.
 *
 * @module
 */

import type { Clock, Millis } from "../base/clock.ts";
import { perHost } from "../base/hosts.ts";
import { redactUrl } from "../base/redact.ts";
import type { Storage } from "./contract.ts";

/** What a storage needs to know besides its URL. */
export interface StorageOptions {
  /** The docket's name. */
  readonly docket: string;
  /** The process's clock: for waiting and deadlines only (invariant 79). */
  readonly clock: Clock;
  /** How long records stay that the storage writes by itself, of cancelled and replaced tasks; in milliseconds. */
  readonly recordTtl: Millis;
  /** How long one command may take; without a signal, also how long a call is tried again. */
  readonly commandTimeout: Millis;
  /** How long connecting may take. */
  readonly connectTimeout: Millis;
  /** Connects at the first use. */
  readonly lazy?: boolean;
  /** Gives up connecting; it has no say afterwards. */
  readonly signal?: AbortSignal;
  /** Options for the Redis client, such as `tls`. */
  readonly redis?: Readonly<Record<string, unknown>>;
}

/** What it takes to open a storage again from another thread: data, and nothing of this one. */
export interface Reopening extends Omit<StorageOptions, "clock" | "lazy" | "signal"> {
  readonly url: string;
}

const SCHEMES =
  "memory:, redis:, rediss:, unix:, redis+sentinel: or redis+cluster:, or those with rediss, valkey or valkeys";

/** A server; the master that sentinels know; the node of a cluster that has the docket's slot. */
const REDIS = /^(?:redis|valkey)s?(?:\+sentinel|\+cluster)?:$/;

/**
 * Opens the storage that a URL names, for one docket.
 *
 * @throws {TypeError} When it is not a URL, or of no known scheme.
 * @throws {ConnectionError} When nobody answers there, unless it is opened lazily.
 */
export async function openStorage(url: string | URL, options: StorageOptions): Promise<Storage> {
  options.signal?.throwIfAborted();
  const urls = perHost(url);
  if (!urls) {
    throw new TypeError(`Cannot open ${redactUrl(url)}: give a URL that begins with ${SCHEMES}`);
  }
  const [first] = urls;
  if (first.protocol === "memory:") {
    const { openMemory } = await import("./memory/handle.ts");
    return openMemory(first, options);
  }
  if (first.protocol === "unix:" || REDIS.test(first.protocol)) {
    const { openRedis } = await import("./redis/redis.ts");
    return await openRedis(urls, options);
  }
  // The rest is not shown: what is no URL of ours may have its password anywhere, also before the first colon.
  const hasScheme = String(url).trimStart().toLowerCase().startsWith(`${first.protocol}//`);
  const what = hasScheme ? `a URL that begins with "${first.protocol}"` : "what has no scheme";
  throw new TypeError(`Cannot open ${what}: give ${SCHEMES}`);
}

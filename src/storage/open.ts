/**
 * From a URL to a {@linkcode Storage}. An implementation is loaded only when its scheme is asked for.
 *
 * @module
 */

import type { Clock, Millis } from "../base/clock.ts";
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

const SCHEMES = "memory:, redis:, rediss:, unix:, valkey: or valkeys:";

/**
 * Opens the storage that a URL names, for one docket.
 *
 * @throws {TypeError} When it is not a URL, or of no known scheme.
 * @throws {ConnectionError} When nobody answers there, unless it is opened lazily.
 */
export async function openStorage(url: string | URL, options: StorageOptions): Promise<Storage> {
  options.signal?.throwIfAborted();
  const parsed = read(url);
  switch (parsed.protocol) {
    case "memory:": {
      const { openMemory } = await import("./memory/handle.ts");
      return openMemory(parsed, options);
    }
    case "redis:":
    case "rediss:":
    case "unix:":
    case "valkey:":
    case "valkeys:": {
      const { openRedis } = await import("./redis/redis.ts");
      return await openRedis(parsed, options);
    }
  }
  // The rest is not shown: what is no URL of ours may have its password anywhere, also before the first colon.
  const hasScheme = String(url).trimStart().toLowerCase().startsWith(`${parsed.protocol}//`);
  const what = hasScheme ? `a URL that begins with "${parsed.protocol}"` : "what has no scheme";
  throw new TypeError(`Cannot open ${what}: give ${SCHEMES}`);
}

function read(url: string | URL): URL {
  try {
    return new URL(url);
  } catch {
    // The parser's own error would repeat the input, password included.
    throw new TypeError(`Cannot open ${redactUrl(url)}: give a URL that begins with ${SCHEMES}`);
  }
}

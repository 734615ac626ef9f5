/**
 * From a URL to a storage. Each implementation is loaded when it is asked for: a docket in memory loads no Redis client.
 *
 * @module
 */

import type { Clock, Millis } from "../base/clock.ts";
import { redactUrl } from "../base/redact.ts";
import type { Storage } from "./contract.ts";

/** What a docket tells its storage. */
export interface StorageOptions {
  /** The docket's name. */
  readonly docket: string;
  /** The clock of storages that have none of their own. */
  readonly clock: Clock;
  /** How long records stay that the storage writes by itself, of what was cancelled or replaced. */
  readonly recordTtl: Millis;
  /** How long a call without a signal is tried again. */
  readonly commandTimeout: Millis;
  /** How long connecting may take. */
  readonly connectTimeout: Millis;
  /** Connects at first use. */
  readonly lazy?: boolean;
  /** Gives up connecting. */
  readonly signal?: AbortSignal;
  /** More options for the Redis client. */
  readonly redis?: Readonly<Record<string, unknown>>;
}

/**
 * Opens the storage of a URL.
 *
 * @throws {TypeError} For a URL that cannot be read, or of an unknown scheme.
 * @throws {ConnectionError} When nothing answers there.
 */
export async function openStorage(url: string | URL, options: StorageOptions): Promise<Storage> {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw new TypeError("Cannot read the storage URL: give one such as redis://localhost:6379/0");
  }
  switch (parsed.protocol) {
    case "memory:": {
      const { openMemory } = await import("./memory/memory.ts");
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
  throw new TypeError(
    `Cannot open ${
      redactUrl(parsed)
    }: its scheme must be memory, redis, rediss, unix, valkey or valkeys`,
  );
}

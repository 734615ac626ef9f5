/**
 * Reads the URL of a Redis.
 *
 * @module
 */

import { isIP } from "node:net";
import type { RedisOptions } from "ioredis";

/**
 * The client's options for `redis://user:password@host:port/db`, `rediss://…` and `unix://user:password@/path?db=0`; those of
 * the caller win, but not over what the storage relies on.
 *
 * @throws {TypeError} When the database is not a number, or a part has a percent sign that stands for nothing.
 */
export function readAddress(url: URL, own: Readonly<Record<string, unknown>> = {}): RedisOptions {
  const { tls, ...rest } = own as RedisOptions;
  return {
    ...place(url),
    ...(url.username && { username: decoded("user name", url.username) }),
    ...(url.password && { password: decoded("password", url.password) }),
    db: database(url),
    ...rest,
    ...(isSecure(url) || tls ? { tls: { ...serverName(url), ...tls } } : {}),
    ...required,
  };
}

/** Retries live in one place, and that is not the client library. */
const required: RedisOptions = {
  lazyConnect: true,
  protocol: 2, // in RESP3 notices could come between answers on any connection
  keyPrefix: "", // it would reach declared keys only
  stringNumbers: false,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  enableReadyCheck: false, // INFO may be forbidden, and LOADING is waited for anyway
  enableAutoPipelining: false,
  disableClientInfo: true, // Redis before 7.2 does not know it
  maxRetriesPerRequest: null,
  retryStrategy: null,
  reconnectOnError: null,
  sentinelRetryStrategy: () => null,
  disconnectTimeout: 100,
};

function place(url: URL): RedisOptions {
  if (url.protocol === "unix:") return { path: decoded("path", url.pathname) };
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1") || "localhost";
  return { host, port: url.port === "" ? 6379 : Number(url.port) };
}

/** The parser's own error would not say what is wrong. */
function decoded(part: string, text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new TypeError(`Cannot use a Redis URL whose ${part} has a stray "%": write it as "%25"`);
  }
}

function isSecure({ protocol }: URL): boolean {
  return protocol === "rediss:" || protocol === "valkeys:";
}

/** Certificates are asked for, and checked, by name. */
function serverName(url: URL): { servername?: string } {
  return isIP(url.hostname.replace(/^\[(.*)\]$/, "$1")) ? {} : { servername: url.hostname };
}

function database(url: URL): number {
  const path = url.protocol === "unix:" ? "" : url.pathname.slice(1);
  const text = url.searchParams.get("db") ?? path;
  if (!/^\d{0,5}$/.test(text)) {
    // Not what it is: of a mistyped URL this may be the password (invariant 85).
    throw new TypeError("Cannot use a Redis URL whose database is not a number");
  }
  return Number(text);
}

/**
 * Reads the URL of a Redis.
 *
 * @module
 */

import { isIP } from "node:net";
import type { NatMap, RedisOptions } from "ioredis";

/** Whom a URL names, and how to speak with them. */
export interface Address {
  /** Whether it names the server itself, those who know which one it is, or some nodes of a cluster. */
  readonly kind: "server" | "sentinels" | "cluster";
  /** The client's options for each of those. */
  readonly named: readonly [RedisOptions, ...RedisOptions[]];
  /** What sentinels call the master. */
  readonly master: string;
  /** The client's options for a server that was heard of, with the same credentials and TLS. */
  at(host: string, port: number): RedisOptions;
}

/** The URL of a Redis, once for each host that it names. */
export type Urls = readonly [URL, ...URL[]];

/**
 * Reads `redis://user:password@host:port/db`, `rediss://…` and `unix://user:password@localhost/path?db=0`;
 * `redis+sentinel://user:password@host,host/master/db?sentinelUsername=…&sentinelPassword=…`; `redis+cluster://user:password@host,host/`.
 * The caller's own options for the client win, but not over what the storage relies on.
 *
 * @throws {TypeError} When the database is not a number, a host or the master has no name, a cluster is to have databases, or a
 * part has a percent sign that stands for nothing.
 */
export function readAddress(
  urls: Urls,
  own: Readonly<Record<string, unknown>> = {},
  always: RedisOptions = {},
): Address {
  const [url] = urls;
  const kind = kindOf(url);
  const { master, db } = pathOf(url, kind);
  const { tls, ...rest } = own as RedisOptions;
  const isSecure = /^(?:rediss|valkeys)\b/.test(url.protocol) || tls !== undefined;
  const common: RedisOptions = { ...always, ...credentials(url), db, ...rest, ...required };
  // No downgrade: with whom is heard of we speak as with those who were named.
  const secured = (options: RedisOptions, host: string, more = tls): RedisOptions =>
    isSecure
      ? { ...options, tls: { ...serverName(host), rejectUnauthorized: true, ...more } }
      : options;
  if (kind === "server") {
    const server = secured({ ...place(url), ...common }, hostOf(url));
    return { kind, named: [server], master, at: () => server };
  }
  const { sentinelTLS = tls, natMap, ...plain } = { ...common, ...alone };
  const at = (host: string, port: number): RedisOptions => {
    const there = translate(natMap, host, port);
    return secured({ ...plain, ...there }, there.host);
  };
  const named = (one: URL): RedisOptions => {
    const host = namedHost(one);
    if (kind === "cluster") {
      return secured({ ...plain, host, port: Number(one.port || 6379) }, host);
    }
    const sentinel = { ...plain, ...sentinelCredentials(url, rest), db: 0, host };
    return secured({ ...sentinel, port: Number(one.port || 26379) }, host, sentinelTLS);
  };
  const [first, ...others] = urls;
  return { kind, named: [named(first), ...others.map(named)], master, at };
}

/** What says where to connect to is read from the URL, where that names several. */
const alone: RedisOptions = { path: undefined, sentinels: undefined, name: undefined };

function credentials({ username, password }: URL): RedisOptions {
  return {
    ...(username && { username: decoded("user name", username) }),
    ...(password && { password: decoded("password", password) }),
  };
}

/** The parser's own error would not say what is wrong. */
function decoded(part: string, text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new TypeError(`Cannot use a Redis URL whose ${part} has a stray "%": write it as "%25"`);
  }
}

/** Sentinels have a password of their own, and are never told the server's. */
function sentinelCredentials({ searchParams }: URL, own: RedisOptions): RedisOptions {
  return {
    username: own.sentinelUsername ?? searchParams.get("sentinelUsername") ?? undefined,
    password: own.sentinelPassword ?? searchParams.get("sentinelPassword") ?? undefined,
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

function kindOf({ protocol }: URL): Address["kind"] {
  if (protocol.endsWith("+sentinel:")) return "sentinels";
  return protocol.endsWith("+cluster:") ? "cluster" : "server";
}

function place(url: URL): RedisOptions {
  if (url.protocol === "unix:") return { path: decoded("path", url.pathname) };
  return { host: hostOf(url), port: url.port === "" ? 6379 : Number(url.port) };
}

function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, "$1") || "localhost";
}

function namedHost(url: URL): string {
  if (url.hostname !== "") return hostOf(url);
  throw new TypeError("Cannot use a URL of sentinels or of a cluster that names no host");
}

/** Certificates are asked for, and checked, by name. */
function serverName(host: string): { servername?: string } {
  return isIP(host) ? {} : { servername: host };
}

/** Servers may know themselves under other addresses than we do. */
function translate(
  map: NatMap | undefined,
  host: string,
  port: number,
): { readonly host: string; readonly port: number } {
  const key = `${host}:${port}`;
  return (typeof map === "function" ? map(key) : map?.[key]) ?? { host, port };
}

/** What sentinels call the master, and the number of the database. */
function pathOf(
  url: URL,
  kind: Address["kind"],
): { readonly master: string; readonly db: number } {
  const path = url.protocol === "unix:" ? "" : url.pathname.slice(1);
  if (kind !== "sentinels") {
    const db = database(url, path);
    if (kind === "server" || db === 0) return { master: "", db };
    throw new TypeError("Cannot use a database other than 0 in a cluster");
  }
  const [name, number = "", ...more] = path.split("/");
  if (name !== "" && more.length === 0) {
    return { master: decoded("master's name", name), db: database(url, number) };
  }
  throw new TypeError(
    "Cannot use a URL of sentinels without the master's name: give redis+sentinel://host:port/name/db",
  );
}

function database(url: URL, path: string): number {
  const text = url.searchParams.get("db") ?? path;
  if (!/^\d{0,5}$/.test(text)) {
    // Not what it is: of a mistyped URL this may be the password (invariant 85).
    throw new TypeError("Cannot use a Redis URL whose database is not a number");
  }
  return Number(text);
}

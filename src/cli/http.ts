/**
 * Serves a few small pages to who looks after a worker: a scraper, a kubelet, a person with `curl`. Whoever else reaches
 * the port gets little, and costs little.
 *
 * @module
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { getLogger } from "@logtape/logtape";
import type { Millis } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { CommandError } from "./errors.ts";

/** Who asks sends next to nothing, and at once. */
const SLOWEST_REQUEST: Millis = 5_000;

/** How long a connection is kept for the next request. */
const IDLE: Millis = 5_000;

/** How often connections are looked at that take too long. */
const CHECK: Millis = 1_000;

/** In bytes. */
const LARGEST_HEADERS = 8_192;

/** Headers beyond these are not looked at. */
const MOST_HEADERS = 50;

/** A scraper, a kubelet and a few people. */
const MOST_CONNECTIONS = 50;

const log = getLogger(["docket", "worker"]);

/** What is answered. */
export interface Answer {
  readonly status: number;
  /** The media type. */
  readonly type: string;
  readonly text: string;
}

/** Path → who answers there. */
export type Pages = Readonly<Record<string, () => Answer | Promise<Answer>>>;

/** Where to serve. */
export interface Site {
  readonly host: string;
  /** Any that is free when it is 0. */
  readonly port: number;
  readonly pages: Pages;
}

/** What is served, until it is disposed. */
export interface Served extends AsyncDisposable {
  /** Without a path, as in "http://127.0.0.1:9464". */
  readonly url: string;
}

/**
 * Serves pages: `GET` and `HEAD`, no body, nobody from another origin.
 *
 * @throws {CommandError} When the port cannot be had.
 */
export async function serve({ host, port, pages }: Site): Promise<Served> {
  const server = createServer({
    headersTimeout: SLOWEST_REQUEST,
    requestTimeout: SLOWEST_REQUEST,
    keepAliveTimeout: IDLE,
    connectionsCheckingInterval: CHECK,
    maxHeaderSize: LARGEST_HEADERS,
  });
  server.maxHeadersCount = MOST_HEADERS;
  server.maxConnections = MOST_CONNECTIONS;
  try {
    await listen(server, host, port);
  } catch (error) {
    const paths = Object.keys(pages).join(" and ");
    throw new CommandError(`Cannot serve ${paths} on ${bracket(host)}:${port}: ${why(error)}`, {
      cause: error,
    });
  }
  const address = server.address() as AddressInfo;
  const local = isLoopback(bracket(address.address));
  server.on("request", (request, response) => void answer(request, response, pages, local));
  server.unref(); // it keeps no process alive whose work is done
  return {
    url: `http://${bracket(address.address)}:${address.port}`,
    [Symbol.asyncDispose]: () => close(server),
  };
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port, exclusive: true }, () => {
      server.off("error", reject);
      server.on("error", (error) => log.warn("Cannot serve: {reason}", { reason: error.message }));
      resolve();
    });
  });
}

/** Whoever still waits for an answer has waited for nothing. */
function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  pages: Pages,
  local: boolean,
): Promise<void> {
  response.on("error", () => {}); // who asked has gone
  const { status, type, text } = refuse(request, local) ?? await find(request, pages);
  response.statusCode = status;
  if (status === 405) response.setHeader("Allow", "GET, HEAD");
  if (status !== 200) response.setHeader("Connection", "close"); // a body may follow, which nobody reads
  response.setHeader("Content-Type", type);
  response.setHeader("Content-Length", new TextEncoder().encode(text).length);
  response.setHeader("Cache-Control", "no-store");
  response.setHeader("X-Content-Type-Options", "nosniff");
  response.end(request.method === "HEAD" ? undefined : text);
}

/** What is not even looked at. */
function refuse({ method, headers }: IncomingMessage, local: boolean): Answer | undefined {
  if (method !== "GET" && method !== "HEAD") return plain(405, "Only GET and HEAD");
  const length = headers["content-length"];
  if (headers["transfer-encoding"] !== undefined || (length !== undefined && length !== "0")) {
    return plain(413, "No body");
  }
  // A web page may have a name of its own lead to this machine, and then counts as of the same origin.
  if (local && !isLoopback(hostOf(headers.host ?? ""))) {
    return plain(403, "Only under a local name");
  }
  return undefined;
}

async function find({ url = "" }: IncomingMessage, pages: Pages): Promise<Answer> {
  const path = url.split("?", 1)[0];
  if (!Object.hasOwn(pages, path)) return plain(404, "Not found");
  try {
    return await pages[path]();
  } catch (error) {
    log.error("Cannot answer {path}: {reason}", { path, reason: messageOf(error), error });
    return plain(500, "It failed; the log says why");
  }
}

function plain(status: number, text: string): Answer {
  return { status, type: "text/plain; charset=utf-8", text: `${text}\n` };
}

/** Without the port. */
function hostOf(header: string): string {
  return header.replace(/:\d{1,5}$/, "");
}

function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/i.test(host);
}

/** As it stands in a URL. */
function bracket(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

/** In the same words in every runtime. */
function why(error: unknown): string {
  const { code } = error as { readonly code?: unknown };
  switch (code) {
    case "EADDRINUSE":
      return "the port is in use";
    case "EACCES":
      return "a port below 1024 needs more rights";
    case "EADDRNOTAVAIL":
      return "this machine has no such address";
    case "ENOTFOUND":
      return "nothing is known of this host";
    default:
      return messageOf(error);
  }
}

/**
 * A Redis for tests: the one `REDIS_URL` names, or else a server of our own on a free loopback port.
 * Run by itself it starts a server, prints the URL and stays until it is interrupted. It uses nothing of one runtime, as the
 * tests that need it run in Deno and in Node.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { Redis } from "ioredis";
import { redactUrl } from "../src/base/redact.ts";
import { redisBinary } from "./redis_binary.ts";

/** A Redis that tests may write to. */
export interface ProvidedRedis extends AsyncDisposable {
  readonly url: string;
}

/** A server started for the caller alone; disposing it kills it. */
export interface OwnRedis extends ProvidedRedis {
  readonly port: number;
  /** The path of its unix socket. */
  readonly socket: string;
  /** The server process, for tests that freeze or kill it. */
  readonly pid: number;
}

/** Settings of {@linkcode startRedis}. */
export interface StartOptions {
  /** Options of the server, such as `["--appendonly", "yes"]`; they win over the defaults. */
  readonly args?: readonly string[];
  /** @default a free port */
  readonly port?: number;
  /** @default the one on PATH */
  readonly binary?: string;
  /** Variables of its environment, besides those of this process. */
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Gives the Redis of `REDIS_URL`, or else starts one.
 *
 * @throws {Error} when neither can be had; tests that need Redis are never skipped
 */
export async function provideRedis(): Promise<ProvidedRedis> {
  const url = process.env.REDIS_URL;
  if (!url) return await startRedis();
  await expectAnswer(url);
  return { url, [Symbol.asyncDispose]: () => Promise.resolve() };
}

/** Starts a server that listens on 127.0.0.1, persists nothing for as long as a test takes, and answers already. */
export async function startRedis(
  { args = [], port, binary: given, env }: StartOptions = {},
): Promise<OwnRedis> {
  const binary = given ?? await redisBinary();
  for (let attempt = 1;; attempt++) {
    try {
      return await launch(binary, port ?? await freePort(), args, env);
    } catch (error) {
      // Between our look and the server's bind, another process may have taken the port.
      const raced = port === undefined && error instanceof PortTakenError && attempt < 10;
      if (!raced) throw error;
    }
  }
}

class PortTakenError extends Error {}

/** How long a server may take from its start to its first answer. */
const patience = 15_000;

async function launch(
  binary: string,
  port: number,
  args: readonly string[],
  env: StartOptions["env"],
): Promise<OwnRedis> {
  const directory = await mkdtemp(join(tmpdir(), "docket_redis_"));
  const socket = `${directory}/redis.sock`;
  const log = `${directory}/redis.log`;
  // A snapshot a day is none in the life of a test; with no snapshots at all every worker would warn.
  const defaults = ["--bind", "127.0.0.1", "--save", "86400 1", "--appendonly", "no"];
  const places = ["--port", `${port}`, "--dir", directory, "--logfile", log];
  const command = [...places, ...defaults, ...args, "--unixsocket", socket];
  // On stderr a refused option is reported; everything later goes to the log.
  const child = spawn(binary, command, {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, ...env },
  });
  let refusal = "";
  child.stderr.setEncoding("utf8").on("data", (text) => refusal += text);
  child.once("error", ({ message }) => refusal += message); // it did not even start
  let exited = false;
  const exit = new Promise<void>((resolve) => child.once("close", () => resolve()));
  void exit.then(() => exited = true);

  async function dispose(): Promise<void> {
    if (!exited) kill(child);
    await exit;
    await rm(directory, { recursive: true, force: true });
  }

  const deadline = performance.now() + patience;
  while (!await answers(socket)) {
    if (!exited && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      continue;
    }
    const logged = await readFile(log, "utf8").catch(() => "");
    await dispose();
    throw startError(port, `${refusal}\n${logged}`.trim());
  }
  child.stderr.destroy();
  const url = `redis://127.0.0.1:${port}/0`;
  return { url, port, socket, pid: child.pid!, [Symbol.asyncDispose]: dispose };
}

/**
 * Whether the server behind this socket takes commands. The question goes to the socket, which is in
 * a directory of our own: on the port, another process could answer in the server's place.
 */
function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(socket, () => connection.write("PING\r\n"));
    connection.on("data", (reply) => {
      // A server with a password refuses with NOAUTH, and is ready too.
      resolve(/^(\+|-NOAUTH)/.test(`${reply}`));
      connection.destroy();
    });
    connection.on("error", () => {}); // not listening yet, or dead: the caller knows which
    connection.on("close", () => resolve(false));
  });
}

function startError(port: number, output: string): Error {
  const options = { cause: new Error(output) };
  return /address already in use/i.test(output)
    ? new PortTakenError(`Cannot start Redis: port ${port} is taken`, options)
    : new Error(`Cannot start Redis on port ${port}: the cause has its output`, options);
}

/**
 * A port that is free now. It lies below the ports that systems give to outgoing connections: a client
 * that retries while a test restarts the server can then not sit on the server's port itself.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const server = createServer().listen(port, "127.0.0.1");
    try {
      await once(server, "listening");
      await new Promise((resolve) => server.close(resolve));
      return port;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    }
  }
}

function kill(child: ChildProcess): void {
  try {
    child.kill("SIGKILL"); // ends a frozen server too
  } catch {
    // It died on its own just now, which is as good.
  }
}

async function expectAnswer(url: string): Promise<void> {
  // Which is not echoed.
  if (!URL.canParse(url)) throw new Error("Cannot use REDIS_URL: it is not a valid URL");
  const target = new URL(url);
  const client = new Redis(target.protocol === "unix:" ? target.pathname : url, {
    lazyConnect: true,
    connectTimeout: 5_000,
    commandTimeout: 5_000,
    retryStrategy: () => null,
  });
  let refused: Error | undefined; // the connection's own error says more than the command's
  client.on("error", (error) => refused = error);
  try {
    await client.ping();
  } catch (error) {
    const { message } = refused ?? error as Error;
    throw new Error(`Cannot use REDIS_URL: ${redactUrl(url)} does not answer PING: ${message}`);
  } finally {
    client.disconnect();
  }
}

if (import.meta.main) {
  await using redis = await startRedis();
  console.log(redis.url);
  await new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  });
}

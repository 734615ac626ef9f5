/**
 * A Redis for tests: the one `REDIS_URL` names, or else a server of our own on a free loopback port.
 * Run by itself it starts a server, prints the URL and stays until it is interrupted.
 *
 * @module
 */
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
}

/**
 * Gives the Redis of `REDIS_URL`, or else starts one.
 *
 * @throws {Error} when neither can be had; tests that need Redis are never skipped
 */
export async function provideRedis(): Promise<ProvidedRedis> {
  const url = Deno.env.get("REDIS_URL");
  if (!url) return await startRedis();
  await expectAnswer(url);
  return { url, [Symbol.asyncDispose]: () => Promise.resolve() };
}

/** Starts a server that listens on 127.0.0.1, persists nothing and answers already. */
export async function startRedis({ args = [], port }: StartOptions = {}): Promise<OwnRedis> {
  const binary = await redisBinary();
  for (let attempt = 1;; attempt++) {
    try {
      return await launch(binary, port ?? freePort(), args);
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

async function launch(binary: string, port: number, args: readonly string[]): Promise<OwnRedis> {
  const directory = await Deno.makeTempDir({ prefix: "docket_redis_" });
  const socket = `${directory}/redis.sock`;
  const log = `${directory}/redis.log`;
  const defaults = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
  const places = ["--port", `${port}`, "--dir", directory, "--logfile", log];
  const child = new Deno.Command(binary, {
    args: [...places, ...defaults, ...args, "--unixsocket", socket],
    stdin: "null",
    stdout: "null",
    stderr: "piped", // a refused option is reported here; everything later goes to the log
  }).spawn();
  let exited = false;
  const exit = child.status.then(() => void (exited = true));

  async function dispose(): Promise<void> {
    if (!exited) kill(child);
    await exit;
    await Deno.remove(directory, { recursive: true }).catch(ignoreMissing);
  }

  const deadline = performance.now() + patience;
  while (!await answers(socket)) {
    if (!exited && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      continue;
    }
    if (!exited) kill(child);
    const refusal = await new Response(child.stderr).text();
    const logged = await Deno.readTextFile(log).catch(() => "");
    await dispose();
    throw startError(port, `${refusal}\n${logged}`.trim());
  }
  await child.stderr.cancel();
  const url = `redis://127.0.0.1:${port}/0`;
  return { url, port, socket, pid: child.pid, [Symbol.asyncDispose]: dispose };
}

/**
 * Whether the server behind this socket takes commands. The question goes to the socket, which is in
 * a directory of our own: on the port, another process could answer in the server's place.
 */
async function answers(socket: string): Promise<boolean> {
  try {
    using connection = await Deno.connect({ transport: "unix", path: socket });
    await connection.write(new TextEncoder().encode("PING\r\n"));
    const reply = new Uint8Array(64);
    const length = await connection.read(reply) ?? 0;
    // A server with a password refuses with NOAUTH, and is ready too.
    return /^(\+|-NOAUTH)/.test(new TextDecoder().decode(reply.subarray(0, length)));
  } catch {
    return false; // not listening yet, or dead: the caller knows which
  }
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
function freePort(): number {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}

function kill(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGKILL"); // ends a frozen server too
  } catch {
    // It died on its own just now, which is as good.
  }
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}

async function expectAnswer(url: string): Promise<void> {
  const target = URL.parse(url);
  if (!target) throw new Error("Cannot use REDIS_URL: it is not a valid URL"); // which is not echoed
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
    for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, resolve);
  });
}

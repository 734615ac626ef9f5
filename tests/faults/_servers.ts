/**
 * Servers that belong together, started at once and killed at the end.
 *
 * @module
 */

import { fail } from "node:assert/strict";
import process from "node:process";
import { Redis } from "ioredis";
import { type OwnRedis, startRedis } from "../../scripts/redis.ts";

/** Nothing that servers do among themselves takes longer, also on a busy machine. */
const PATIENCE = 30_000;

/** A connection for what only an operator does. */
export function operator(port: number): Redis {
  const redis = new Redis(port, "127.0.0.1", {
    protocol: 2,
    enableReadyCheck: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => 50,
  });
  redis.on("error", () => {}); // its server may be gone, that is what the tests are about
  return redis;
}

/** A server, and its operator. */
export class Node implements AsyncDisposable {
  readonly server: OwnRedis;
  readonly admin: Redis;

  private constructor(server: OwnRedis) {
    this.server = server;
    this.admin = operator(server.port);
  }

  /** Starts one; `args` are given to the server. */
  static async start(args: readonly string[], binary?: string): Promise<Node> {
    return new Node(await startRedis({ args, binary }));
  }

  get port(): number {
    return this.server.port;
  }

  /** Freezes it. */
  freeze(): void {
    process.kill(this.server.pid, "SIGSTOP");
  }

  /** Lets it go on. */
  thaw(): void {
    process.kill(this.server.pid, "SIGCONT");
  }

  /** Kills it, as a crash would. */
  async kill(): Promise<void> {
    this.admin.disconnect();
    await this.server[Symbol.asyncDispose](); // SIGKILL
  }

  /** Whether anybody of a docket is connected to it. */
  async isUsedBy(docket: string): Promise<boolean> {
    const clients = String(await this.admin.call("CLIENT", ["LIST"]));
    return clients.includes(`name=docket:${docket}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

/** Looks until something is so. */
export async function until<T>(
  what: string,
  claim: () => Promise<T | undefined | false>,
): Promise<T> {
  const deadline = performance.now() + PATIENCE;
  for (;;) {
    const found = await claim().catch(() => undefined); // not there yet
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadline) fail(`It never happened: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Disposes of all, whatever becomes of one. */
export async function disposeAll(all: readonly AsyncDisposable[]): Promise<void> {
  await Promise.allSettled(all.map((one) => one[Symbol.asyncDispose]()));
}

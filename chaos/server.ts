/**
 * A Redis that can be killed, and comes back on its port with everything that it has answered for.
 *
 * @module
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { Redis } from "ioredis";
import { type OwnRedis, startRedis } from "../scripts/redis.ts";

/**
 * Everything is written before it is answered. With `everysec` that is nearly always so, too; but while an earlier part is
 * still on its way to the disk, Redis answers first, and a kill would take what nobody could have kept. One file holds
 * the whole story, from the first command to the last: it is never rewritten, and begins with nothing.
 */
const PERSISTENT = [
  ["--appendonly", "yes"],
  ["--appendfsync", "always"],
  ["--auto-aof-rewrite-percentage", "0"],
  ["--aof-use-rdb-preamble", "no"],
].flat();

/** The server of one run. */
export class Server implements AsyncDisposable {
  /** Where its files are. */
  readonly directory: string;
  #redis: OwnRedis;
  #isUp = true;
  #isKept = false;

  private constructor(directory: string, redis: OwnRedis) {
    this.directory = directory;
    this.#redis = redis;
  }

  /** Starts one with nothing in it. */
  static async start(): Promise<Server> {
    const directory = await mkdtemp(join(tmpdir(), "docket_chaos_"));
    const args = [...PERSISTENT, "--dir", directory];
    return new Server(directory, await startRedis({ args }));
  }

  get url(): string {
    return this.#redis.url;
  }

  /** False while it is killed. */
  get isUp(): boolean {
    return this.#isUp;
  }

  /** Kills it with SIGKILL, and starts it again so many milliseconds later. */
  async bounce(downtime: number): Promise<void> {
    this.#isUp = false;
    const { port } = this.#redis;
    await this.#redis[Symbol.asyncDispose]();
    await pause(downtime);
    this.#redis = await startRedis({ args: [...PERSISTENT, "--dir", this.directory], port });
    this.#isUp = true;
  }

  /** Cuts the connections of a kind, on the server's side. */
  async cut(kind: "normal" | "pubsub"): Promise<void> {
    const admin = this.connect();
    try {
      await admin.call("CLIENT", ["KILL", "TYPE", kind, "SKIPME", "yes"]);
    } finally {
      admin.disconnect();
    }
  }

  /** A client for what only an operator does. */
  connect(): Redis {
    const redis = new Redis(this.#redis.socket, { protocol: 2, maxRetriesPerRequest: 2 });
    return redis.on("error", () => {}); // whoever waits for an answer hears of it
  }

  /** Leaves its files to whoever wants to know what went wrong. */
  keep(): void {
    this.#isKept = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#redis[Symbol.asyncDispose]();
    if (!this.#isKept) await rm(this.directory, { recursive: true, force: true });
  }
}

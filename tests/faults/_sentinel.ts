/**
 * A master, two replicas and three sentinels that watch over them.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { Redis } from "ioredis";
import { freePort } from "../../scripts/redis.ts";
import { redisBinary } from "../../scripts/redis_binary.ts";
import { disposeAll, Node, operator, until } from "./_servers.ts";

/** What the sentinels call the master. */
const NAME = "main";

/** A master that has been silent for so long is taken for dead. */
export const DOWN_AFTER = 1_000;

/** Servers with sentinels. Ends them all when it is disposed of. */
export class Watched implements AsyncDisposable {
  readonly nodes: Node[] = [];
  readonly sentinels: Sentinel[] = [];

  /** Starts them, and waits until each sentinel knows all the others. */
  static async start(): Promise<Watched> {
    const watched = new Watched();
    try {
      await watched.#start();
      return watched;
    } catch (error) {
      await watched[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Where a docket is to connect to. */
  get url(): string {
    const hosts = this.sentinels.map(({ port }) => `127.0.0.1:${port}`);
    return `redis+sentinel://${hosts}/${NAME}/0`;
  }

  /** The master, as a sentinel sees it. */
  async master(): Promise<Node> {
    const address = await this.sentinels[0].admin.call("SENTINEL", [
      "get-master-addr-by-name",
      NAME,
    ]) as [string, string];
    return this.nodes.find(({ port }) => port === Number(address[1]))!;
  }

  /** Everybody else who is alive. */
  async replicas(): Promise<Node[]> {
    const master = await this.master();
    return this.nodes.filter((node) => node !== master);
  }

  /** Resolves with the new master once the sentinels know of one, and it knows itself. */
  async moved(from: Node): Promise<Node> {
    return await until("a failover", async () => {
      const master = await this.master();
      if (!master || master === from) return false;
      const [role] = await master.admin.call("ROLE") as unknown[];
      return role === "master" && master;
    });
  }

  /** Has the sentinels make another the master, although this one lives. */
  async demote(): Promise<void> {
    await until("a failover may begin", async () => {
      return await this.sentinels[0].admin.call("SENTINEL", ["FAILOVER", NAME]) === "OK";
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await disposeAll([...this.sentinels, ...this.nodes]);
  }

  async #start(): Promise<void> {
    const args = ["--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"];
    const master = await Node.start(args);
    this.nodes.push(master);
    const following = [...args, "--replicaof", "127.0.0.1", `${master.port}`];
    this.nodes.push(...await Promise.all([Node.start(following), Node.start(following)]));
    await until("both replicas are there", async () => {
      const info = await master.admin.info("replication");
      return info.match(/state=online/g)?.length === 2;
    });
    const starting = [1, 2, 3].map(() => Sentinel.start(NAME, master.port));
    this.sentinels.push(...await Promise.all(starting));
    await until("the sentinels know each other", async () => {
      const known = await Promise.all(this.sentinels.map((sentinel) => sentinel.knows(NAME)));
      return known.every(({ sentinels, replicas }) => sentinels === 2 && replicas === 2);
    });
  }
}

/** One sentinel. */
export class Sentinel implements AsyncDisposable {
  readonly port: number;
  readonly admin: Redis;
  readonly #child: ChildProcess;
  readonly #exit: Promise<void>;
  readonly #directory: string;

  private constructor(port: number, child: ChildProcess, directory: string) {
    this.port = port;
    this.admin = operator(port);
    this.#child = child;
    this.#directory = directory;
    this.#exit = new Promise((resolve) => child.once("close", () => resolve()));
  }

  /** Starts one that watches over the master on this port. */
  static async start(name: string, master: number): Promise<Sentinel> {
    const directory = await mkdtemp(join(tmpdir(), "docket_sentinel_"));
    const port = await freePort();
    const file = join(directory, "sentinel.conf"); // it writes to it
    await writeFile(
      file,
      [
        `port ${port}`,
        "bind 127.0.0.1",
        `dir ${directory}`,
        `sentinel monitor ${name} 127.0.0.1 ${master} 2`,
        `sentinel down-after-milliseconds ${name} ${DOWN_AFTER}`,
        `sentinel failover-timeout ${name} 4000`,
        `sentinel parallel-syncs ${name} 2`,
        "",
      ].join("\n"),
    );
    const child = spawn(await redisBinary(), [file, "--sentinel"], { stdio: "ignore" });
    const sentinel = new Sentinel(port, child, directory);
    await until("a sentinel answers", async () => await sentinel.admin.ping() === "PONG");
    return sentinel;
  }

  /** How many others it knows, and how many replicas. */
  async knows(name: string): Promise<{ readonly sentinels: number; readonly replicas: number }> {
    const told = await this.admin.call("SENTINEL", ["MASTER", name]) as string[];
    const read = (field: string) => Number(told[told.indexOf(field) + 1]);
    return { sentinels: read("num-other-sentinels"), replicas: read("num-slaves") };
  }

  /** Freezes it. */
  freeze(): void {
    process.kill(this.#child.pid!, "SIGSTOP");
  }

  /** Lets it go on. */
  thaw(): void {
    process.kill(this.#child.pid!, "SIGCONT");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.admin.disconnect();
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      process.kill(this.#child.pid!, "SIGKILL"); // ends a frozen one too
    }
    await this.#exit;
    await rm(this.#directory, { recursive: true, force: true });
  }
}

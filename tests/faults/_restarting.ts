/**
 * A Redis that dies and comes back, at the same address and with what it has saved.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type OwnRedis, startRedis } from "../../scripts/redis.ts";

/** Where writing does not wait for a disk: what is tested is the death of a process, not of a machine. */
const MEMORY = "/dev/shm";

/** One server after the other. */
export class RestartingRedis implements AsyncDisposable {
  readonly url: string;
  readonly #args: readonly string[];
  readonly #directory: string;
  #server: OwnRedis;

  private constructor(server: OwnRedis, args: readonly string[], directory: string) {
    this.url = server.url;
    this.#server = server;
    this.#args = args;
    this.#directory = directory;
  }

  /** Starts the first. */
  static async start(...options: readonly string[]): Promise<RestartingRedis> {
    const directory = await mkdtemp(join(existsSync(MEMORY) ? MEMORY : tmpdir(), "docket_faults_"));
    const args = ["--dir", directory, ...options];
    return new RestartingRedis(await startRedis({ args }), args, directory);
  }

  /** SIGKILL, and nobody is there. */
  async kill(): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
  }

  /** Starts the next. */
  async restart(): Promise<void> {
    this.#server = await startRedis({ args: this.#args, port: this.#server.port });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await rm(this.#directory, { recursive: true });
  }
}

/**
 * What a piece of work costs, with the commands that this process sends.
 *
 * @module
 */

import type { Redis } from "ioredis";
import { type Cost, costOf, readInfo, type ServerCost } from "./cost.ts";
import type { Place } from "./scenario.ts";

/** Measures with a connection of its own, whose commands do not count. */
export class Meter implements Disposable {
  readonly #redis?: Redis;
  #sent = 0;

  /** Opens a meter for the place. */
  constructor({ storage, url }: Place, IORedis: typeof Redis) {
    if (storage === "redis") this.#redis = new IORedis(url);
    this.#countSent(IORedis);
  }

  /** Measures one piece of work. */
  during(work: () => Promise<unknown>): Promise<Cost> {
    return costOf(work, () => this.#readServer());
  }

  /** Bytes that the server uses, but for the buffers of its connections; 0 without one. */
  async bytes(): Promise<number> {
    const memory = await this.#redis?.info("memory") ?? "";
    const read = (field: string) =>
      Number(new RegExp(`^${field}:(\\d+)`, "m").exec(memory)?.[1] ?? 0);
    return read("used_memory") - read("mem_clients_normal");
  }

  [Symbol.dispose](): void {
    this.#redis?.disconnect();
  }

  async #readServer(): Promise<ServerCost | undefined> {
    const redis = this.#redis;
    if (!redis) return undefined;
    const sent = this.#sent;
    const done = await readInfo((section) => redis.info(section));
    return sent > 0 ? { ...done, sent } : done; // whoever has sent nothing yet uses another client
  }

  /** Where they leave: the server's statistics do not tell a client's XREADGROUP from that of a script. */
  #countSent(IORedis: typeof Redis): void {
    const own = this.#redis;
    const count = () => this.#sent++;
    const { sendCommand } = IORedis.prototype;
    IORedis.prototype.sendCommand = function (...args) {
      if (this !== own) count();
      return sendCommand.apply(this, args);
    };
  }
}

/**
 * What a piece of work of ours costs, with the commands that this process sends.
 *
 * @module
 */

import { Redis } from "ioredis";
import { type Cost, costOf, readInfo, type ServerCost } from "./cost.ts";
import type { Place } from "./scenario.ts";

/** Measures with a connection of its own, whose commands do not count. */
export class Meter implements Disposable {
  readonly #redis?: Redis;
  #sent = 0;

  /** Opens a meter for the place. */
  constructor({ storage, url }: Place) {
    if (storage === "redis") this.#redis = new Redis(url);
    this.#countSent();
  }

  /** Measures one piece of work. */
  during(work: () => Promise<unknown>): Promise<Cost> {
    return costOf(work, () => this.#readServer());
  }

  [Symbol.dispose](): void {
    this.#redis?.disconnect();
  }

  async #readServer(): Promise<ServerCost | undefined> {
    const redis = this.#redis;
    if (!redis) return undefined;
    const sent = this.#sent;
    return { ...await readInfo((section) => redis.info(section)), sent };
  }

  /** Where they leave: the server's statistics do not tell a client's XREADGROUP from that of a script. */
  #countSent(): void {
    const own = this.#redis;
    const count = () => this.#sent++;
    const { sendCommand } = Redis.prototype;
    Redis.prototype.sendCommand = function (...args) {
      if (this !== own) count();
      return sendCommand.apply(this, args);
    };
  }
}

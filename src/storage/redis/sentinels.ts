/**
 * Redis Sentinel: a few servers that agree on which one is the master.
 *
 * @module
 */

import type { Redis, RedisOptions } from "ioredis";
import type { Clock } from "../../base/clock.ts";
import type { Address } from "./address.ts";
import { ask, askInTurn } from "./ask.ts";
import { codeOf } from "./failures.ts";
import type { Place, Topology } from "./topology.ts";

/**
 * Asks the sentinels before each connection is made, so that whoever connects after a failover connects to the new
 * master. Those who are connected hear of it from the old one: it hangs up, or answers READONLY.
 */
export class Sentinels implements Topology {
  readonly #address: Address;
  readonly #clock: Clock;
  /** The one that answered last comes first. */
  #sentinels: readonly RedisOptions[];

  constructor(address: Address, clock: Clock) {
    this.#address = address;
    this.#clock = clock;
    this.#sentinels = address.named;
  }

  find(signal: AbortSignal): Promise<Place> {
    return askInTurn(
      this.#sentinels,
      (sentinel, stop) => this.#ask(sentinel, stop),
      this.#clock,
      signal,
    );
  }

  /** A sentinel that was cut off may not have heard of a failover, and scripts that only read run on replicas too. */
  async verify(redis: Redis): Promise<void> {
    let answer: unknown;
    try {
      answer = await redis.call("ROLE");
    } catch (error) {
      if (codeOf(error) !== "NOPERM") throw error;
      return; // then the first write tells
    }
    const [role] = answer as readonly unknown[];
    if (role !== "master") throw new Error(`the sentinels know no master: they named a ${role}`);
  }

  heed(): void {}

  doubt(): void {}

  async #ask(sentinel: RedisOptions, signal: AbortSignal): Promise<Place> {
    const { master } = this.#address;
    const question = { command: "SENTINEL", args: ["get-master-addr-by-name", master] };
    const answer = await ask(sentinel, question, this.#clock, signal);
    if (!Array.isArray(answer)) throw new Error("no sentinel knows a master of that name");
    this.#sentinels = [sentinel, ...this.#sentinels.filter((other) => other !== sentinel)];
    const [host, port] = answer.map(String);
    return { name: `${host}:${port}`, redis: this.#address.at(host, Number(port)) };
  }
}

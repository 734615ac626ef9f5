/**
 * Redis Sentinel: a few servers that agree on which one is the master.
 *
 * @module
 */

import type { Redis, RedisOptions } from "ioredis";
import { onAbort } from "../../base/abort.ts";
import { type Clock, sleep } from "../../base/clock.ts";
import type { Backoff } from "../../base/loop.ts";
import type { Address } from "./address.ts";
import { ask, askInTurn } from "./ask.ts";
import { Connection } from "./connection.ts";
import { codeOf, ConnectFailure } from "./failures.ts";
import { pauses, PULSE } from "./policy.ts";
import { Lonely, type Place, type Topology } from "./topology.ts";

/** Published when another server has become the master: its name, the old host and port, the new ones. */
const SWITCHED = "+switch-master";

/** Of more places it is forgotten who named them. */
const MOST_PLACES = 10;

/**
 * Asks the sentinels before each connection is made, so that whoever connects after a failover connects to the new
 * master. Those who are connected hear of it from a sentinel: the old master, if it lives, takes itself for the master for
 * seconds more, and what is written there is lost. Behind that stands what it does in the end: it hangs up.
 */
export class Sentinels implements Topology {
  readonly #address: Address;
  readonly #clock: Clock;
  /** The one that answered last comes first. */
  #sentinels: readonly RedisOptions[];
  /** Which of them named a place last. */
  readonly #tellers = new Map<string, RedisOptions>();

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

  /** Whoever named it may be cut off from the others: they are asked first, next time. */
  doubt({ name }: Place): void {
    const teller = this.#tellers.get(name);
    if (!teller) return;
    this.#tellers.delete(name);
    this.#sentinels = [...this.#sentinels.filter((one) => one !== teller), teller];
  }

  async follow(moved: (place: string) => void, signal: AbortSignal): Promise<void> {
    const backoff = pauses();
    while (!signal.aborted) {
      const [sentinel, ...others] = this.#sentinels;
      try {
        await this.#listen(sentinel, moved, backoff, signal);
      } catch (error) {
        const cause = error instanceof ConnectFailure ? error.cause : error;
        if (codeOf(cause) === "NOPERM") return; // then it is as if every hint were missed
      }
      this.#sentinels = [...others, sentinel];
      await sleep(this.#clock, backoff.next(), signal);
    }
  }

  /** Listens to one sentinel until that is no longer there. */
  async #listen(
    sentinel: RedisOptions,
    moved: (place: string) => void,
    backoff: Backoff,
    signal: AbortSignal,
  ): Promise<void> {
    const clock = this.#clock;
    const topology = new Lonely({ name: "", redis: sentinel });
    const gone = new AbortController();
    const leave = () => {
      gone.abort();
      connection.close(); // also one that is still connecting
    };
    const connection: Connection = new Connection({
      topology,
      clock,
      connectTimeout: PULSE,
      onLost: leave,
    });
    const deafen = onAbort(signal, leave);
    const call = (command: (redis: Redis) => Promise<unknown>) =>
      connection.call(command, PULSE, gone.signal);
    try {
      const redis = await connection.ready();
      redis.on("message", (_channel: string, text: string) => {
        const [name, , , host, port] = text.split(" ");
        if (name === this.#address.master) moved(`${host}:${port}`);
      });
      await call((redis) => redis.subscribe(SWITCHED));
      moved((await this.#ask(sentinel, gone.signal)).name); // it may have been a moment ago
      backoff.reset();
      while (!gone.signal.aborted) {
        await sleep(clock, PULSE, gone.signal);
        await call((redis) => redis.ping());
      }
    } finally {
      deafen();
      connection.close();
    }
  }

  async #ask(sentinel: RedisOptions, signal: AbortSignal): Promise<Place> {
    const { master } = this.#address;
    const question = { command: "SENTINEL", args: ["get-master-addr-by-name", master] };
    const answer = await ask(sentinel, question, this.#clock, signal);
    if (!Array.isArray(answer)) throw new Error("no sentinel knows a master of that name");
    this.#sentinels = [sentinel, ...this.#sentinels.filter((other) => other !== sentinel)];
    const [host, port] = answer.map(String);
    const name = `${host}:${port}`;
    this.#tellers.delete(name);
    this.#tellers.set(name, sentinel);
    if (this.#tellers.size > MOST_PLACES) this.#tellers.delete([...this.#tellers.keys()][0]);
    return { name, redis: this.#address.at(host, Number(port)) };
  }
}

/**
 * Redis Cluster: the node that has the docket's slot is spoken with directly, as all keys of a docket are in one slot.
 *
 * @module
 */

import type { Redis } from "ioredis";
import type { Clock } from "../../base/clock.ts";
import type { Address } from "./address.ts";
import { ask, askInTurn } from "./ask.ts";
import { codeOf } from "./failures.ts";
import { slotOf } from "./slot.ts";
import type { Place, Topology } from "./topology.ts";

/**
 * Remembers who has the slot until that one says otherwise, or does not answer.
 *
 * ASK is not followed. While a slot migrates, a script that was let in on the other side would find only those keys that
 * are there already, and make the others anew. The source answers ASK to every script from the beginning of a migration
 * on, as they name a key that never exists; so a docket stands still until all of it is on the other side.
 */
export class Cluster implements Topology {
  readonly #address: Address;
  readonly #clock: Clock;
  readonly #slot: number;
  /** The nodes of the URL. */
  readonly #seeds: readonly Place[];
  /** Those and all that were heard of, the most trusted first. */
  #known: readonly Place[];
  #owner?: Place;
  /** Who named it. */
  #teller?: Place;

  constructor(address: Address, docket: string, clock: Clock) {
    this.#address = address;
    this.#clock = clock;
    this.#slot = slotOf(docket);
    this.#seeds = address.named.map((redis) => ({ name: `${redis.host}:${redis.port}`, redis }));
    this.#known = this.#seeds;
  }

  async find(signal: AbortSignal): Promise<Place> {
    if (this.#owner) return this.#owner;
    const { owner, nodes, teller } = await askInTurn(
      this.#known,
      (node, stop) => this.#ask(node, stop),
      this.#clock,
      signal,
    );
    const named = [...nodes, ...this.#seeds].map((place) => [place.name, place] as const);
    this.#known = [...new Map(named).values()]; // a node has many ranges of slots
    if (!this.#owner) this.#teller = teller; // else a node has told meanwhile
    return this.#owner ??= owner;
  }

  /** A node that has the slot no more says so to every command with a key. */
  verify(_redis: Redis): Promise<void> {
    return Promise.resolve();
  }

  heed(failure: unknown, from: Place): void {
    const { message } = failure as Error;
    const [, host, port] = /^MOVED \d+ (.*):(\d+)$/.exec(message) ?? [];
    if (codeOf(failure) === "MOVED" && port !== undefined) {
      this.#owner = this.#place(host, Number(port), from);
      this.#teller = from;
    } else {
      this.doubt(from); // it cannot tell
    }
  }

  /** Whoever named it may be cut off from the others: they are asked first, next time. */
  doubt(place: Place): void {
    const doubted = [place];
    if (this.#owner?.name === place.name) {
      if (this.#teller && this.#teller.name !== place.name) doubted.unshift(this.#teller);
      this.#owner = this.#teller = undefined;
    }
    const names = doubted.map(({ name }) => name);
    this.#known = [...this.#known.filter(({ name }) => !names.includes(name)), ...doubted];
  }

  async #ask(node: Place, signal: AbortSignal): Promise<Told> {
    const question = { command: "CLUSTER", args: ["SLOTS"] };
    const ranges = await ask(node.redis, question, this.#clock, signal) as readonly Range[];
    let owner: Place | undefined;
    const nodes: Place[] = [];
    for (const [first, last, ...told] of ranges) {
      const places = told.map(([host, port]) => this.#place(host, port, node));
      nodes.push(...places);
      if (first <= this.#slot && this.#slot <= last) [owner] = places;
    }
    if (!owner) throw new Error("no node of the cluster has the docket's slot");
    return { owner, nodes, teller: node };
  }

  /** A node that was heard of. Where it says no host, it is that of whoever told. */
  #place(host: string | null, port: number, teller: Place): Place {
    const known = host === null || host === "" || host === "?" ? teller.redis.host! : host;
    return { name: `${known}:${port}`, redis: this.#address.at(known, port) };
  }
}

/** What a node knows of the cluster. */
interface Told {
  readonly owner: Place;
  readonly nodes: readonly Place[];
  readonly teller: Place;
}

/** What CLUSTER SLOTS tells of some slots: the master that has them, and its replicas. */
type Range = readonly [
  first: number,
  last: number,
  ...nodes: readonly (readonly [host: string | null, port: number])[],
];

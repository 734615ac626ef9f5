/**
 * Where a scenario is measured: one contender in this process, with what others of its processes do for it. It uses nothing
 * of one runtime, and packages only as they are given to it: ours is measured in Deno, and all are in Node.
 *
 * @module
 */

import type { Redis } from "ioredis";
import type { Cost } from "./cost.ts";
import { type Fill, fill } from "./fill.ts";
import { Meter } from "./meter.ts";
import { ask, self } from "./process.ts";
import type { Open, Queue, QueueOptions } from "./queue.ts";
import type { Place } from "./scenario.ts";

/** What a process of a contender is started with. */
export interface Order {
  /** The contender, by the name of its module. */
  readonly peer: string;
  readonly place: Place;
  /** What it does: a scenario, or its part in one. */
  readonly part: string;
  /** The part's own. */
  readonly details?: unknown;
}

/** What the runtime's entry imports. */
export interface Imports {
  readonly open: Open;
  readonly Redis: typeof Redis;
}

/** A contender at a place. */
export class Stage implements Disposable {
  readonly place: Place;
  readonly #peer: string;
  readonly #open: Open;
  readonly #meter: Meter;

  /** Sets up, and counts from now on what ioredis sends. */
  constructor({ peer, place }: Order, { open, Redis }: Imports) {
    this.place = place;
    this.#peer = peer;
    this.#open = open;
    this.#meter = new Meter(place, Redis);
  }

  /** Opens a queue. */
  open(name = "bench", options?: QueueOptions): Promise<Queue> {
    return this.#open(this.place.url, name, options);
  }

  /** Measures one piece of work. */
  during(work: () => Promise<unknown>): Promise<Cost> {
    return this.#meter.during(work);
  }

  /** Bytes that the server uses. */
  bytes(): Promise<number> {
    return this.#meter.bytes();
  }

  /** Adds tasks: to a server from another process, so that this one stays fresh. Memory has only this one. */
  async fill(details: Fill): Promise<void> {
    if (this.place.storage === "memory") await fill(this, details);
    else await ask(self, this.order("fill", details));
  }

  /** Orders another process to take a part in this. */
  order(part: string, details?: unknown): Order {
    return { peer: this.#peer, place: this.place, part, details };
  }

  [Symbol.dispose](): void {
    this.#meter[Symbol.dispose]();
  }
}

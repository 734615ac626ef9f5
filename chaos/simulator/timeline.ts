/**
 * What happens when: the only queue of a simulation.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import type { Millis } from "../../src/base/clock.ts";
import type { Random } from "./random.ts";

/** Where things are put that are to happen later. */
export interface Timeline {
  /** In milliseconds since it began. */
  now(): Millis;
  /** Has something happen after a delay; the returned function calls it off. */
  after(delay: Millis, act: () => void): () => void;
}

/** So many turns of the event loop without anything new, and everything has come to rest. */
const QUIET_TURNS = 3;

interface Event {
  readonly at: Millis;
  /** Of several at one instant, chance has put the smallest first. */
  readonly lot: number;
  act?: () => void;
}

/**
 * Time that passes only here. Of what happens at one instant the seed decides the order, and each comes to rest before the
 * next begins: whatever the product does in between, in microtasks and immediates, is the same each time.
 */
export class SimulatedTimeline implements Timeline {
  readonly #random: Random;
  /** A heap: the next is first. */
  readonly #events: Event[] = [];
  #now: Millis = 0;
  #stirred = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  now(): Millis {
    return this.#now;
  }

  after(delay: Millis, act: () => void): () => void {
    this.stir();
    const event: Event = { at: this.#now + Math.max(0, delay), lot: this.#random.next(), act };
    this.#push(event);
    return () => event.act = undefined;
  }

  /** Something has happened: it may not have come to rest. */
  stir(): void {
    this.#stirred++;
  }

  /** Lets things happen until that is so, or until an instant; tells whether it is so. */
  async until(reached: () => boolean, end: Millis = Infinity): Promise<boolean> {
    await this.#rest();
    while (!reached()) {
      const next = this.#events[0];
      if (!next || next.at > end) {
        if (end !== Infinity) this.#now = Math.max(this.#now, end);
        return false;
      }
      this.#pop();
      if (!next.act) continue;
      this.#now = next.at;
      next.act();
      await this.#rest();
    }
    return true;
  }

  async #rest(): Promise<void> {
    for (let quiet = 0; quiet < QUIET_TURNS; quiet++) {
      const before = this.#stirred;
      await new Promise<void>((resolve) => setImmediate(resolve));
      if (this.#stirred !== before) quiet = -1;
    }
  }

  #push(event: Event): void {
    const events = this.#events;
    let i = events.length;
    events.push(event);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!isBefore(event, events[parent])) break;
      events[i] = events[parent];
      i = parent;
    }
    events[i] = event;
  }

  #pop(): void {
    const events = this.#events;
    const last = events.pop()!;
    if (events.length === 0) return;
    let i = 0;
    for (let child = 1; child < events.length; child = 2 * i + 1) {
      if (child + 1 < events.length && isBefore(events[child + 1], events[child])) child++;
      if (!isBefore(events[child], last)) break;
      events[i] = events[child];
      i = child;
    }
    events[i] = last;
  }
}

/** Time as it passes, for a storage that lives in it. */
export class RealTimeline implements Timeline {
  readonly #start = performance.now();
  readonly #pending = new Set<ReturnType<typeof setTimeout>>();

  now(): Millis {
    return performance.now() - this.#start;
  }

  after(delay: Millis, act: () => void): () => void {
    const id = setTimeout(() => {
      this.#pending.delete(id);
      act();
    }, Math.max(0, delay));
    this.#pending.add(id);
    return () => {
      this.#pending.delete(id);
      clearTimeout(id);
    };
  }

  /** Nothing happens any more. */
  stop(): void {
    for (const id of this.#pending) clearTimeout(id);
    this.#pending.clear();
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.lot < b.lot);
}

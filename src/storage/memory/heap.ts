/**
 * What comes first by time: tasks that are due, records that expire.
 *
 * @module
 */

import type { Millis } from "../../base/clock.ts";

/** Something that stands in at most one {@linkcode Heap}, which keeps its place up to date. */
export interface Timed {
  /** What it is ordered by; never changed while it stands in the heap. */
  at: Millis;
  /** The heap's own: where it stands. */
  slot: number;
  /** The heap's own: of two at the same instant, the one that came first goes first. */
  order: number;
}

/**
 * A binary heap that can also remove from its middle. Leaving removed items behind would be simpler, but a key that is
 * replaced for ever must not grow it (invariant 50).
 */
export class Heap<T extends Timed> {
  readonly #items: T[] = [];
  #pushed = 0;

  /** The earliest item. */
  get first(): T | undefined {
    return this.#items[0];
  }

  /** How many items there are. */
  get size(): number {
    return this.#items.length;
  }

  /** All items, in no order. */
  [Symbol.iterator](): Iterator<T> {
    return this.#items.values();
  }

  /** Adds an item. */
  push(item: T): void {
    item.order = this.#pushed++;
    this.#rise(item, this.#items.length);
  }

  /** Removes an item that stands in this heap. */
  remove(item: T): void {
    const last = this.#items.pop()!;
    if (last === item) return;
    const { slot } = item;
    if (slot > 0 && before(last, this.#items[(slot - 1) >> 1])) this.#rise(last, slot);
    else this.#sink(last, slot);
  }

  #rise(item: T, slot: number): void {
    while (slot > 0) {
      const parent = (slot - 1) >> 1;
      if (!before(item, this.#items[parent])) break;
      this.#put(this.#items[parent], slot);
      slot = parent;
    }
    this.#put(item, slot);
  }

  #sink(item: T, slot: number): void {
    const { length } = this.#items;
    for (let child = 2 * slot + 1; child < length; child = 2 * slot + 1) {
      if (child + 1 < length && before(this.#items[child + 1], this.#items[child])) child++;
      if (!before(this.#items[child], item)) break;
      this.#put(this.#items[child], slot);
      slot = child;
    }
    this.#put(item, slot);
  }

  #put(item: T, slot: number): void {
    this.#items[slot] = item;
    item.slot = slot;
  }
}

function before(a: Timed, b: Timed): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

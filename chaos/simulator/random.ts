/**
 * Chance that a seed decides.
 *
 * @module
 */

/** The same numbers for the same seed, everywhere. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
    for (let i = 0; i < 4; i++) this.next(); // small seeds begin alike
  }

  /** From 0 to less than 1. A counter whose bits are mixed: 32 of them are plenty for one history. */
  next(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ mixed >>> 16, 0x85ebca6b);
    mixed = Math.imul(mixed ^ mixed >>> 13, 0xc2b2ae35);
    return ((mixed ^ mixed >>> 16) >>> 0) / 2 ** 32;
  }

  /** A whole number, both ends included. */
  between(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1));
  }

  /** True so often of a hundred times. */
  percent(chance: number): boolean {
    return this.next() * 100 < chance;
  }

  /** One of them. */
  pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.next() * items.length)];
  }

  /** One of them, each as often as its weight says. */
  weigh<T extends string>(weights: Readonly<Record<T, number>>): T {
    const names = Object.keys(weights) as T[];
    let left = this.next() * names.reduce((sum, name) => sum + weights[name], 0);
    for (const name of names) if ((left -= weights[name]) < 0) return name;
    return names[names.length - 1];
  }

  /** Another chance, which takes nothing from this one but its seed. */
  fork(): Random {
    return new Random(Math.floor(this.next() * 2 ** 32));
  }
}

/**
 * Dice that fall the same way for the same seed.
 *
 * @module
 */

/** Random numbers that a seed decides. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A number from 0 to just below 1 (mulberry32: small, and good enough to choose victims). */
  roll(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  /** A whole number from 0 to just below `count`. */
  below(count: number): number {
    return Math.floor(this.roll() * count);
  }

  /** A number between two others. */
  between(low: number, high: number): number {
    return low + this.roll() * (high - low);
  }

  /** True so often. */
  chance(probability: number): boolean {
    return this.roll() < probability;
  }

  /** One of them, each in proportion to its weight. */
  choose<T>(weighted: readonly (readonly [weight: number, choice: T])[]): T {
    const total = weighted.reduce((sum, [weight]) => sum + weight, 0);
    let rolled = this.roll() * total;
    for (const [weight, choice] of weighted) {
      rolled -= weight;
      if (rolled < 0) return choice;
    }
    return weighted[weighted.length - 1][1];
  }
}

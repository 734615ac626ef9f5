/**
 * How often keys may run: `worker.runAtMost()`.
 *
 * @module
 */

/** Counts the runs of some keys. */
export class Bounds {
  readonly #left = new Map<string, number>();

  /**
   * At most so many runs for each key.
   *
   * @throws {RangeError} When one of them is not a whole number from 1.
   */
  constructor(runs: Readonly<Record<string, number>> = {}) {
    for (const [key, most] of Object.entries(runs)) {
      if (!(Number.isSafeInteger(most) && most >= 1)) {
        throw new RangeError(
          `Cannot run ${JSON.stringify(key)} at most ${most} times: give a whole number from 1`,
        );
      }
      this.#left.set(key, most);
    }
  }

  /** The keys that may run on. */
  get open(): string[] {
    return [...this.#left].filter(([, left]) => left > 0).map(([key]) => key);
  }

  /** The keys that have run as often as they may. */
  get reached(): string[] {
    return [...this.#left].filter(([, left]) => left === 0).map(([key]) => key);
  }

  /** Whether a key has run as often as it may. */
  isReached(key: string): boolean {
    return this.#left.size > 0 && this.#left.get(key) === 0;
  }

  /** Whether the run of a key that is under way is its last. */
  isLast(key: string): boolean {
    return this.#left.size > 0 && this.#left.get(key) === 1;
  }

  /** A run of a key has ended. */
  count(key: string): void {
    const left = this.#left.get(key);
    if (left) this.#left.set(key, left - 1);
  }
}

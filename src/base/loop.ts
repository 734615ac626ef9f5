/**
 * How a loop that must never stop waits between two failures.
 *
 * @module
 */

import type { Millis } from "./clock.ts";

/** Capped exponential delays with full jitter, so that a thousand workers do not come back as one. */
export class Backoff {
  readonly #minimum: Millis;
  readonly #maximum: Millis;
  #failures = 0;

  /** Delays grow from `minimum` to `maximum`. */
  constructor(minimum: Millis, maximum: Millis) {
    this.#minimum = Math.min(minimum, maximum);
    this.#maximum = maximum;
  }

  /** The delay before the next try. */
  next(): Millis {
    const ceiling = Math.min(this.#maximum, this.#minimum * 2 ** Math.min(this.#failures++, 30));
    return ceiling / 2 + Math.random() * ceiling / 2;
  }

  /** Forgets past failures. */
  reset(): void {
    this.#failures = 0;
  }

  /** Whether nothing has failed since the last success. */
  get calm(): boolean {
    return this.#failures === 0;
  }
}

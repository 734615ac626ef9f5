/**
 * How the network is.
 *
 * @module
 */

import type { Millis } from "../../src/base/clock.ts";
import type { Random } from "./random.ts";

/** What becomes of a request. */
export type Fate =
  /** It arrives, and its answer comes back. */
  | "fine"
  /** The connection breaks before it arrives. */
  | "lost"
  /** It is done, and the connection breaks before the answer is there. */
  | "unanswered"
  /** The connection breaks, and what was on its way arrives late. */
  | "late";

/** How bad it may be: parts of a hundred. */
export interface Climate {
  readonly breaks: number;
  /** Requests, answers and hints that take very long. */
  readonly slow: number;
  readonly lostHints: number;
  /** How long very long is. */
  readonly slowest: Millis;
}

export const CALM: Climate = { breaks: 0, slow: 0, lostHints: 0, slowest: 0 };

/** The weather everywhere. */
export class Weather {
  climate: Climate;
  readonly #random: Random;
  #isDown = false;
  #onDown = new Set<() => void>();
  #onUp = new Set<() => void>();

  constructor(random: Random, climate: Climate) {
    this.#random = random;
    this.climate = climate;
  }

  /** Whether nobody reaches the storage. */
  get isDown(): boolean {
    return this.#isDown;
  }

  /** From now on nobody reaches the storage, and all connections break. */
  turnDown(): void {
    this.#isDown = true;
    for (const hear of [...this.#onDown]) hear();
  }

  /** Everybody reaches it again. */
  turnUp(): void {
    this.#isDown = false;
    for (const hear of [...this.#onUp]) hear();
  }

  /** Calls back when it turns down, and up; the returned function calls it off. */
  onTurn(down: () => void, up: () => void): () => void {
    this.#onDown.add(down);
    this.#onUp.add(up);
    return () => {
      this.#onDown.delete(down);
      this.#onUp.delete(up);
    };
  }

  /** What becomes of the next request. */
  fate(): Fate {
    if (!this.#random.percent(this.climate.breaks)) return "fine";
    return this.#random.weigh({ lost: 1, unanswered: 2, late: 1 });
  }

  /** Whether the next hint gets lost. */
  losesHint(): boolean {
    return this.#isDown || this.#random.percent(this.climate.lostHints);
  }

  /** How long the next message is under way. */
  latency(): Millis {
    if (this.#random.percent(this.climate.slow)) {
      return this.#random.between(1, this.climate.slowest);
    }
    return this.#random.between(0, 3);
  }

  /** How late something arrives that was held up. */
  lateness(): Millis {
    return this.#random.between(1, Math.max(1, this.climate.slowest));
  }
}

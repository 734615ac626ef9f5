/**
 * Stays awake for answers that are nearer than sleep: to put a process to sleep and to wake it takes longer than a Redis on
 * the same machine takes to answer.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import type { Clock, Millis } from "../../base/clock.ts";

/** So many turns of the event loop an answer is waited for awake: a fifth of a millisecond. */
const TURNS = 150;

/** Only who asks so soon after an answer asks one thing after the other, and has little else to do meanwhile. */
const SOON: Millis = 1;

/** Where answers take longer it looks again whether they do after 2, 6, 14, … calls, and at last after 254. */
const MOST_MISSES = 8;

/** Runs something in the next turn of the event loop. */
export type NextTurn = (turn: () => void) => unknown;

/**
 * Whether the event loop may sleep while one connection is waited on. While it does not, it serves everybody else as ever: a
 * turn only looks whether anything is there. Where calls overlap, come seldom, or go far, it always sleeps.
 */
export class Vigil {
  readonly #clock: Clock;
  readonly #next: NextTurn;
  readonly #turn = () => this.#watch();
  #underWay = 0;
  #answeredAt: Millis = -Infinity;
  #turns = 0;
  #isTurning = false;
  /** How often in a row it was awake in vain. */
  #misses = 0;
  /** How many calls it sleeps through before it tries again. */
  #rest = 0;

  constructor(clock: Clock, next: NextTurn = setImmediate) {
    this.#clock = clock;
    this.#next = next;
  }

  /** Something was sent. */
  begin(): void {
    const isAlone = ++this.#underWay === 1;
    if (!isAlone) return void (this.#turns = 0);
    if (this.#clock.monotonic() - this.#answeredAt > SOON) return;
    if (this.#rest > 0) return void this.#rest--;
    this.#turns = TURNS;
    if (this.#isTurning) return;
    this.#isTurning = true;
    this.#next(this.#turn);
  }

  /** It was answered, or is not waited for any more. */
  end(): void {
    if (--this.#underWay > 0) return;
    if (this.#turns > 0) this.#misses = 0;
    this.#turns = 0;
    this.#answeredAt = this.#clock.monotonic();
  }

  #watch(): void {
    if (this.#turns > 0) {
      if (--this.#turns > 0) return void this.#next(this.#turn);
      this.#misses = Math.min(MOST_MISSES, this.#misses + 1);
      this.#rest = 2 ** this.#misses - 2;
    }
    this.#isTurning = false;
  }
}

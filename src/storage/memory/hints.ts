/**
 * Who waits for an arrival, who listens, who watches; and what they are told once a verb has done its work.
 *
 * @module
 */

import type { Millis } from "../../base/clock.ts";
import type { Change, Notice } from "../contract.ts";

/** Gathered while a verb works, told when it is done: whoever is told may call a verb at once. */
export class Hints {
  readonly #waiting = new Set<() => void>();
  readonly #listening = new Set<(notice: Notice) => void>();
  readonly #watching = new Set<(change: Change) => void>();
  #arrived = false;
  #soonest: Millis | undefined;
  #notices: Notice[] = [];
  #changes: Change[] = [];

  /** Calls back at each arrival; the returned function calls it off. */
  wait(arrived: () => void): () => void {
    return enter(this.#waiting, arrived);
  }

  /** Tells notices; the returned function calls it off. */
  listen(notice: (notice: Notice) => void): () => void {
    return enter(this.#listening, (told) => notice(told));
  }

  /** Tells changes; the returned function calls it off. */
  watch(change: (change: Change) => void): () => void {
    return enter(this.#watching, (told) => change(told));
  }

  /** Something was queued. */
  arrival(): void {
    this.#arrived = true;
  }

  /** A task is due sooner than anything before. */
  due(at: Millis): void {
    if (this.#soonest === undefined || at < this.#soonest) this.#soonest = at;
  }

  /** A running task is to be cancelled. */
  cancel(key: string, generation: string): void {
    if (this.#listening.size > 0) this.#notices.push({ kind: "cancel", key, generation });
  }

  /** A generation changed. */
  change(key: string, generation: string, state: Change["state"]): void {
    if (this.#watching.size > 0) this.#changes.push({ key, generation, state });
  }

  /** Tells what was gathered. */
  tell(now: Millis): void {
    if (this.#arrived) {
      this.#arrived = false;
      for (const wake of this.#waiting) wake();
    }
    if (this.#soonest !== undefined) {
      if (this.#listening.size > 0) {
        this.#notices.push({ kind: "due", in: Math.max(0, this.#soonest - now) });
      }
      this.#soonest = undefined;
    }
    if (this.#notices.length > 0) {
      tellAll(this.#listening, this.#notices.splice(0));
    }
    if (this.#changes.length > 0) {
      tellAll(this.#watching, this.#changes.splice(0));
    }
  }
}

function enter<T>(set: Set<T>, item: T): () => void {
  set.add(item);
  return () => void set.delete(item);
}

function tellAll<T>(listeners: Set<(told: T) => void>, told: readonly T[]): void {
  for (const listener of listeners) {
    for (const item of told) {
      try {
        listener(item);
      } catch {
        // The verb is done and must say so; a hint may get lost, and this listener lost it by itself.
      }
    }
  }
}

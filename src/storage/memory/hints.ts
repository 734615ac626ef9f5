/**
 * Who waits for an arrival, who listens, who watches; and what they are told once a verb has done its work.
 *
 * @module
 */

import type { Millis } from "../../base/clock.ts";
import type { CancelReason } from "../../base/errors.ts";
import type { Change, Notice, Progress, StateChange } from "../contract.ts";

/** Which generation, and where it was in its life. */
interface Subject {
  readonly key: string;
  readonly generation: string;
  readonly attempt: number;
}

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
  cancel({ key, generation }: Subject): void {
    if (this.#listening.size > 0) this.#notices.push({ kind: "cancel", key, generation });
    if (this.#watching.size > 0) this.#changes.push({ kind: "cancelling", key, generation });
  }

  /** A generation has come to a state. */
  state(
    { key, generation, attempt }: Subject,
    state: StateChange["state"],
    at: Millis,
    consumer?: string,
    reason?: CancelReason,
  ): void {
    if (this.#watching.size === 0) return;
    this.#changes.push({ kind: "state", key, generation, state, at, attempt, consumer, reason });
  }

  /** A running task told how far it is. */
  progress({ key, generation }: Subject, at: Millis, progress: Progress): void {
    if (this.#watching.size === 0) return;
    this.#changes.push({ kind: "progress", key, generation, at, progress });
  }

  /** Somebody looked. */
  mark(mark: string): void {
    if (this.#watching.size > 0) this.#changes.push({ kind: "mark", mark });
  }

  /** Tells what was gathered. */
  tell(now: Millis): void {
    if (this.#arrived) {
      this.#arrived = false;
      // Whoever was woken first last time is woken last: none of several workers takes everything.
      const [first] = this.#waiting;
      if (first && this.#waiting.delete(first)) this.#waiting.add(first);
      for (const wake of [...this.#waiting]) wake();
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

/**
 * Who claims, and what is remembered of each.
 *
 * @module
 */

import type { Millis } from "../../base/clock.ts";
import type { Sweep, Swept } from "../contract.ts";
import type { Lane } from "./lane.ts";
import type { Run, Task } from "./task.ts";

/** Who claims: one worker. */
export interface Consumer {
  readonly name: string;
  /** The tasks it runs, from the oldest claim on. */
  readonly held: Set<Task>;
  /** Its sequences of steps, by number. */
  readonly lanes: Map<number, Lane>;
  /** What it took over last. */
  reclaimed?: Takeover;
  /** When it was heard of last, on the clock that never jumps. */
  seenAt: Millis;
}

/** The last call of `reclaim`, in case its reply gets lost. */
export interface Takeover {
  readonly token: string;
  readonly from: string;
  readonly brought: readonly Run[];
  readonly cursor: string;
}

/** The consumers that are known: from their first claim on, until they sign off or are taken for dead. */
export class Consumers {
  readonly #consumers = new Map<string, Consumer>();
  #sweptAt: Millis = -Infinity;

  /** A consumer that was just heard of. */
  hear(name: string, monotonic: Millis): Consumer {
    let consumer = this.#consumers.get(name);
    if (!consumer) {
      consumer = { name, held: new Set(), lanes: new Map(), seenAt: monotonic };
      this.#consumers.set(name, consumer);
    }
    consumer.seenAt = monotonic;
    return consumer;
  }

  /** Forgets a consumer, unless it still holds something. */
  retire(name: string): boolean {
    const consumer = this.#consumers.get(name);
    if (consumer && consumer.held.size > 0) return false;
    this.#consumers.delete(name);
    return true;
  }

  /** Forgets those who hold nothing and have not been heard of for long, unless somebody did so just now. */
  sweep(
    { pause, silence }: Sweep,
    monotonic: Millis,
    isAdvertised: (name: string) => boolean,
  ): Swept {
    const early = this.#sweptAt + pause - monotonic;
    if (early > 0) return { repaired: 0, retired: 0, next: early };
    this.#sweptAt = monotonic;
    let retired = 0;
    for (const [name, { held, seenAt }] of this.#consumers) {
      const silent = monotonic - seenAt > silence && !isAdvertised(name);
      if (!silent || held.size > 0) continue;
      this.#consumers.delete(name);
      retired++;
    }
    return { repaired: 0, retired, next: pause };
  }
}

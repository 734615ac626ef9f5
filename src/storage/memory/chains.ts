/**
 * Which chains are to be there always, and which of them were stopped on purpose.
 *
 * @module
 */

import type { Task } from "./task.ts";

/** The keys of automatic chains; other keys it does not know (invariant 49). */
export class Chains {
  /** Key → whether its chain goes on. */
  readonly #chains = new Map<string, boolean>();

  /** The chain is to be there, from now on. */
  start(key: string): void {
    this.#chains.set(key, true);
  }

  /** The chain was stopped on purpose. */
  stop(key: string): void {
    if (this.#chains.has(key)) this.#chains.set(key, false);
  }

  /** Whether the chain was stopped, and nothing was found live under its key since. */
  isStopped(key: string): boolean {
    return this.#chains.get(key) === false;
  }

  /**
   * A task is live where the chain was to start: somebody scheduled it since. Not so where a cancel has stopped the chain
   * and is yet to end its run.
   */
  find({ key, cancelled }: Task): void {
    if (!cancelled) this.#chains.set(key, true);
    else if (!this.#chains.has(key)) this.#chains.set(key, false);
  }
}

/**
 * Waiting for a generation to end: subscribe first, then read, then wait, with a slow poll behind (invariant 64).
 *
 * @module
 */

import { whenAborted } from "../base/abort.ts";
import type { Clock, Millis } from "../base/clock.ts";
import type { Found, Storage } from "../storage/contract.ts";

/** A change can get lost on its way; this often everybody who waits looks for themselves. */
const POLL: Millis = 2_000;

/** Listening goes on for a moment after the last waiter left: the next one often follows. */
const LINGER: Millis = 5_000;

interface Waiter {
  readonly key: string;
  readonly wake: () => void;
}

/** One for a docket: however many wait, one subscription and one timer serve them. */
export class Watcher {
  readonly #storage: Storage;
  readonly #clock: Clock;
  readonly #waiters = new Map<string, Set<Waiter>>();
  #listening?: Promise<void>;
  #stop?: AbortController;
  #cancelTimer?: () => void;

  constructor(storage: Storage, clock: Clock) {
    this.#storage = storage;
    this.#clock = clock;
  }

  /** Resolves with what was found once `ended` says so. Rejects with the signal's reason. */
  async until<T>(
    key: string,
    generation: string,
    ended: (found: Found) => T | undefined,
    signal: AbortSignal,
  ): Promise<T> {
    signal.throwIfAborted();
    let woken = false;
    let notify: () => void = () => {};
    const waiter: Waiter = {
      key,
      wake() {
        woken = true;
        notify();
      },
    };
    this.#join(generation, waiter);
    signal.addEventListener("abort", waiter.wake);
    try {
      await this.#listen(signal);
      while (true) {
        woken = false;
        const [found] = await this.#storage.load([key], { signal });
        const result = ended(found);
        if (result !== undefined) return result;
        if (!woken) await new Promise<void>((resolve) => notify = resolve);
        signal.throwIfAborted();
      }
    } finally {
      signal.removeEventListener("abort", waiter.wake);
      this.#leave(generation, waiter);
    }
  }

  /** Stops listening; those who still wait were aborted by the docket. */
  close(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#stop?.abort();
    this.#stop = undefined;
    this.#listening = undefined;
  }

  #join(generation: string, waiter: Waiter): void {
    const waiters = this.#waiters.get(generation);
    if (waiters) waiters.add(waiter);
    else this.#waiters.set(generation, new Set([waiter]));
  }

  #leave(generation: string, waiter: Waiter): void {
    const waiters = this.#waiters.get(generation);
    waiters?.delete(waiter);
    if (waiters?.size === 0) this.#waiters.delete(generation);
  }

  async #listen(signal: AbortSignal): Promise<void> {
    if (!this.#listening) {
      const stop = this.#stop = new AbortController();
      this.#listening = this.#storage.watch(({ generation }) => {
        for (const { wake } of this.#waiters.get(generation) ?? []) wake();
      }, { signal: stop.signal });
      // Without a subscription the poll still finds the end: late, but never not at all.
      this.#listening.catch(() => {
        if (this.#stop === stop) this.#listening = undefined;
        stop.abort();
      });
      if (!this.#cancelTimer) this.#poll();
    }
    await Promise.race([this.#listening.catch(() => {}), whenAborted(signal)]);
  }

  #poll(): void {
    this.#cancelTimer?.();
    const idle = this.#waiters.size === 0;
    this.#cancelTimer = this.#clock.timer(idle ? LINGER : POLL, () => {
      if (idle && this.#waiters.size === 0) return this.close();
      for (const waiters of this.#waiters.values()) for (const { wake } of waiters) wake();
      this.#poll();
    });
  }
}

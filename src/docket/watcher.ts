/**
 * Waiting for a generation to change: subscribe first, then read, then wait, with a slow poll behind (invariant 64).
 *
 * @module
 */

import { onAbort } from "../base/abort.ts";
import type { Clock, Millis } from "../base/clock.ts";
import { randomId } from "../base/ids.ts";
import type { Change, Found, Storage } from "../storage/contract.ts";

/** A change can get lost on its way; this often everybody who waits looks for themselves. */
const POLL: Millis = 2_000;

/** Listening goes on for a moment after the last waiter left: the next one often follows. */
const LINGER: Millis = 5_000;

/** Without a subscription no mark comes: then a look must do without. */
const MARK_PATIENCE: Millis = 1_000;

/** What is told of one generation. */
export type Told = Extract<Change, { readonly kind: "state" | "progress" }>;

interface Waiter {
  hear(change: Told): void;
  /** It is time to look. */
  poll(): void;
}

/** One generation, as somebody follows it. */
export interface Followed {
  /** What is there now; what changed before is not told any more, and everything that comes after is. */
  look(): Promise<Found>;
  /** What is there now. */
  glance(): Promise<Found>;
  /** Waits for what changed since it was asked last; nothing when it is time to look. Rejects with the signal's reason. */
  changes(): Promise<readonly Told[]>;
  /** Ends the subscription. */
  leave(): void;
}

/** One for a docket: however many wait, one subscription and one timer serve them. */
export class Watcher {
  readonly #storage: Storage;
  readonly #clock: Clock;
  readonly #waiters = new Map<string, Set<Waiter>>();
  readonly #marks = new Map<string, () => void>();
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
    const wake = () => {
      woken = true;
      notify();
    };
    const waiter: Waiter = {
      hear(change) {
        if (change.kind === "state") wake();
      },
      poll: wake,
    };
    this.#join(generation, waiter);
    signal.addEventListener("abort", wake);
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
      signal.removeEventListener("abort", wake);
      this.#leave(generation, waiter);
    }
  }

  /** Follows a generation until it is left, or the signal aborts. */
  follow(key: string, generation: string, signal: AbortSignal): Followed {
    let heard: Told[] = [];
    let polled = false;
    let notify: () => void = () => {};
    const waiter: Waiter = {
      hear(change) {
        // Who reads slowly is told the latest of what came meanwhile: it must not pile up.
        const last = heard.at(-1);
        if (change.kind === "progress" && last?.kind === "progress") heard.pop();
        heard.push(change);
        notify();
      },
      poll() {
        polled = true;
        notify();
      },
    };
    this.#join(generation, waiter);
    const glance = async (mark?: string) => {
      const [found] = await this.#storage.load([key], { signal, mark });
      return found;
    };
    return {
      look: async () => {
        await this.#listen(signal);
        const mark = randomId();
        const marked = this.#marked(mark, signal, () => heard = []);
        try {
          const found = await glance(mark);
          await marked.passed;
          return found;
        } finally {
          marked.forget();
        }
      },
      glance: () => glance(),
      changes: async () => {
        const stop = () => notify();
        signal.addEventListener("abort", stop);
        try {
          while (heard.length === 0 && !polled && !signal.aborted) {
            await new Promise<void>((resolve) => notify = resolve);
          }
        } finally {
          signal.removeEventListener("abort", stop);
        }
        signal.throwIfAborted();
        if (heard.length === 0) polled = false;
        const changes = heard;
        heard = [];
        return changes;
      },
      leave: () => this.#leave(generation, waiter),
    };
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

  /** Calls back when the mark comes by; `passed` resolves then, or when it has not come for too long. */
  #marked(
    mark: string,
    signal: AbortSignal,
    callback: () => void,
  ): { readonly passed: Promise<void>; forget(): void } {
    let cancel = () => {};
    let deafen = () => {};
    const passed = new Promise<void>((resolve) => {
      this.#marks.set(mark, () => {
        callback();
        resolve();
      });
      cancel = this.#clock.timer(MARK_PATIENCE, resolve);
      deafen = onAbort(signal, resolve);
    });
    return {
      passed,
      forget: () => {
        cancel();
        deafen();
        this.#marks.delete(mark);
      },
    };
  }

  #hear(change: Change): void {
    if (change.kind === "mark") return this.#marks.get(change.mark)?.();
    if (change.kind === "cancelling") return; // nothing that anybody waits for
    for (const waiter of this.#waiters.get(change.generation) ?? []) waiter.hear(change);
  }

  async #listen(signal: AbortSignal): Promise<void> {
    if (!this.#listening) {
      const stop = this.#stop = new AbortController();
      this.#listening = this.#storage.watch((change) => this.#hear(change), {
        signal: stop.signal,
      });
      // Without a subscription the poll still finds the end: late, but never not at all.
      this.#listening.catch(() => {
        if (this.#stop === stop) this.#listening = undefined;
        stop.abort();
      });
      if (!this.#cancelTimer) this.#poll();
    }
    let cancel = () => {};
    let deafen = () => {};
    // Where listening never begins, as where it may not, the poll must do.
    const patience = new Promise<void>((resolve) => {
      cancel = this.#clock.timer(POLL, resolve);
      deafen = onAbort(signal, resolve);
    });
    if (!signal.aborted) await Promise.race([this.#listening.catch(() => {}), patience]);
    cancel();
    deafen();
  }

  #poll(): void {
    this.#cancelTimer?.();
    const idle = this.#waiters.size === 0;
    this.#cancelTimer = this.#clock.timer(idle ? LINGER : POLL, () => {
      if (idle && this.#waiters.size === 0) return this.close();
      for (const waiters of this.#waiters.values()) for (const waiter of waiters) waiter.poll();
      this.#poll();
    });
  }
}

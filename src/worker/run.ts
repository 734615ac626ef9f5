/**
 * One execution while a worker runs it.
 *
 * @module
 */

import { onAbort } from "../base/abort.ts";
import type { Millis } from "../base/clock.ts";
import type { DocketError } from "../base/errors.ts";
import type { Progress } from "../dependencies/progress.ts";
import type { Claim, Held } from "../storage/contract.ts";
import type { Observation } from "./observation.ts";

/** Without a renewal for this part of the lease, somebody else may be about to take over (invariant 32). */
export const DOUBTFUL = 0.8;

/** A claimed task, from its claim to its settlement. */
export class Run {
  readonly claim: Claim;
  /** When it was claimed, on the monotonic clock, or before. */
  readonly claimedAt: Millis;
  /** Until when, on the monotonic clock, the lease was surely not taken over, less its length. */
  renewedAt: Millis;
  /** Whether it was settled already, or is nobody's any more: what its handler still does changes nothing. */
  over = false;
  /** The gates that it holds, if any: they are left when it is settled. */
  leaves?: readonly Held[];
  /** Who watches it from its beginning to its end, if anybody does. */
  observation?: Observation;
  /** Whether it was told of as one that may never end. */
  told = false;
  /** How far it said it is, if it says anything. */
  progress?: Progress;
  #controller?: AbortController;
  #reason?: DocketError;
  #abandon?: (reason: DocketError) => void;

  constructor(claim: Claim, claimedAt: Millis) {
    this.claim = claim;
    this.claimedAt = claimedAt;
    this.renewedAt = claimedAt;
  }

  /** Why its signal aborted, if it did. The first reason stays. */
  get reason(): DocketError | undefined {
    return this.#reason;
  }

  /** The signal of its handler, made when somebody looks: most handlers never do. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#reason) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** Asks the handler to stop. */
  abort(reason: DocketError): void {
    if (this.#reason) return;
    this.#reason = reason;
    this.#controller?.abort(reason);
  }

  /** Asks the handler to stop, and does not rely on it. */
  abandon(reason: DocketError): void {
    this.abort(reason);
    this.#abandon?.(reason);
  }

  /** Resolves when the run is abandoned. */
  abandoned(): Promise<DocketError> {
    return new Promise((resolve) => this.#abandon = resolve);
  }
}

/** What runs here now, and how much room there is. */
export class Running implements Iterable<Run> {
  readonly #runs = new Set<Run>();
  readonly #concurrency: number;
  #onEmpty: (() => void)[] = [];
  #onBusy?: () => void;
  #last?: Run;

  constructor(concurrency: number) {
    this.#concurrency = concurrency;
  }

  /** How many more may run. */
  get room(): number {
    return this.#concurrency - this.#runs.size;
  }

  /** How many run. */
  get size(): number {
    return this.#runs.size;
  }

  add(run: Run): void {
    this.#runs.add(run);
    this.#onBusy?.();
  }

  delete(run: Run): void {
    this.#runs.delete(run);
    this.#last = run;
    if (this.#runs.size > 0 || this.#onEmpty.length === 0) return;
    const callbacks = this.#onEmpty;
    this.#onEmpty = [];
    for (const callback of callbacks) callback();
  }

  /** Whether this very claim runs here (invariant 34). */
  has(key: string, token: string): boolean {
    for (const { claim } of this.#runs) {
      if (claim.token === token && claim.key === key) return true;
    }
    return false;
  }

  /** Whether anything that runs here is such a claim. */
  some(such: (claim: Claim) => boolean): boolean {
    for (const { claim } of this.#runs) if (such(claim)) return true;
    return false;
  }

  /** The last that ended since this was asked last, if any did. */
  takeLast(): Run | undefined {
    const last = this.#last;
    this.#last = undefined;
    return last;
  }

  /** Resolves when something runs, or the signal aborts. One may wait at a time. */
  async busy(signal: AbortSignal): Promise<void> {
    if (this.#runs.size > 0 || signal.aborted) return;
    let deafen = () => {};
    await new Promise<void>((resolve) => {
      this.#onBusy = resolve;
      deafen = onAbort(signal, resolve);
    });
    this.#onBusy = undefined;
    deafen();
  }

  /** Resolves when nothing runs. */
  empty(): Promise<void> {
    if (this.#runs.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onEmpty.push(resolve));
  }

  [Symbol.iterator](): Iterator<Run> {
    return this.#runs.values();
  }
}

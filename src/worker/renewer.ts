/**
 * Keeps the leases of what runs here, and learns what is to be cancelled.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { type Clock, type Millis, sleep } from "../base/clock.ts";
import { CancelledError, LeaseLostError, messageOf } from "../base/errors.ts";
import type { Storage } from "../storage/contract.ts";
import type { LeaseKeeper } from "./lease_keeper.ts";
import { DOUBTFUL, type Run, type Running } from "./run.ts";

/** Leases are renewed four times as often as they would run out (invariant 30). */
const RENEWALS_PER_LEASE = 4;

/** So often per lease the renewer looks whether a renewal is due, or late. */
const LOOKS_PER_LEASE = 20;

const log = getLogger(["docket", "worker"]);

/** What a {@linkcode Renewer} needs. */
export interface RenewerOptions {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly consumer: string;
  readonly lease: Millis;
  readonly running: Running;
  /** Renews while this thread cannot, if that is wanted. */
  readonly keeper?: LeaseKeeper;
}

/** Renews on a timer of its own, also while the worker drains and while it reconnects. */
export class Renewer {
  readonly #options: RenewerOptions;
  #underWay = false;
  #again = false;

  constructor(options: RenewerOptions) {
    this.#options = options;
  }

  /** Renews until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, lease, keeper } = this.#options;
    let renewedAt = clock.monotonic();
    while (!signal.aborted) {
      await sleep(clock, lease / LOOKS_PER_LEASE, signal);
      if (signal.aborted) return;
      keeper?.tell();
      const now = clock.monotonic();
      if (!this.#underWay && now - renewedAt >= lease / RENEWALS_PER_LEASE) {
        // After a stall the renewal goes first: only the storage knows whether the lease is still ours.
        renewedAt = now;
        this.renew(signal);
      } else {
        this.#giveUpDoubtful();
      }
    }
  }

  /** A running task is to be cancelled: faster than the next renewal, which tells the same. */
  cancel(key: string, generation: string): void {
    for (const run of this.#options.running) {
      if (run.claim.key === key && run.claim.generation === generation) cancel(run);
    }
  }

  /** Renews now, or as soon as the renewal that is under way is over. */
  renew(signal: AbortSignal): void {
    if (this.#underWay) this.#again = true;
    else if (this.#options.running.size > 0 && !signal.aborted) void this.#renew(signal);
  }

  async #renew(signal: AbortSignal): Promise<void> {
    const { storage, clock, consumer, running } = this.#options;
    const runs = [...running];
    const sentAt = clock.monotonic();
    this.#underWay = true;
    try {
      const renewals = await storage.renew(consumer, runs.map(({ claim }) => claim), { signal });
      for (let i = 0; i < runs.length; i++) {
        if (renewals[i] === "lost") lose(runs[i]);
        else runs[i].renewedAt = sentAt;
        if (renewals[i] === "cancel") cancel(runs[i]);
      }
    } catch (error) {
      if (signal.aborted) return;
      log.warn("Cannot renew leases: {reason}; trying again", { reason: messageOf(error) });
    } finally {
      this.#underWay = false;
      if (this.#again) {
        this.#again = false;
        this.renew(signal);
      }
    }
  }

  #giveUpDoubtful(): void {
    const { clock, lease, running, keeper } = this.#options;
    const doubtful = clock.monotonic() - DOUBTFUL * lease;
    if (keeper && keeper.renewedAt >= doubtful) return; // what was lost all the same, the next renewal tells
    for (const run of running) if (run.renewedAt < doubtful) lose(run);
  }
}

function lose(run: Run): void {
  run.abort(new LeaseLostError("The worker lost its lease: another may run this task now"));
}

function cancel(run: Run): void {
  run.abort(new CancelledError("The task was cancelled"));
}

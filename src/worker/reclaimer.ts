/**
 * Takes over tasks of workers that died.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { type Clock, type Millis, sleep } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { randomId } from "../base/ids.ts";
import type { Claim, Storage } from "../storage/contract.ts";
import type { Running } from "./run.ts";

/** At most so many at once. */
const MAX_RECLAIMED = 100;

/** Looks so often per lease: a dead worker's task starts anew a quarter of a lease after its own ran out, at the latest. */
const LOOKS_PER_LEASE = 4;

const log = getLogger(["docket", "worker"]);

/** Where claims are made room for. */
export interface Room {
  readonly room: number;
  reserve(room: number): void;
  unreserve(room: number): void;
}

/** What a {@linkcode Reclaimer} needs. */
export interface ReclaimerOptions {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly consumer: string;
  readonly lease: Millis;
  readonly maxDeliveries: number;
  readonly running: Running;
  readonly room: Room;
  readonly start: (claim: Claim) => void;
}

/** Looks through all leases from time to time, as far as there is room. */
export class Reclaimer {
  readonly #options: ReclaimerOptions;

  constructor(options: ReclaimerOptions) {
    this.#options = options;
  }

  /** Looks until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, lease } = this.#options;
    while (!signal.aborted) {
      // Not all workers at once: each waits a little less than it could.
      await sleep(clock, lease / LOOKS_PER_LEASE * (0.75 + Math.random() / 4), signal);
      try {
        await this.#look(signal);
      } catch (error) {
        if (signal.aborted) return;
        log.warn("Cannot look for abandoned tasks: {reason}; trying again", {
          reason: messageOf(error),
        });
      }
    }
  }

  /** One pass over all leases, in bounded calls, keeping the cursor (invariant 33). */
  async #look(signal: AbortSignal): Promise<void> {
    const { storage, consumer, lease, maxDeliveries, running, room, start } = this.#options;
    let cursor = "";
    do {
      const want = Math.min(room.room, MAX_RECLAIMED);
      if (signal.aborted || want <= 0) return;
      room.reserve(want);
      try {
        const token = randomId();
        const reply = await storage.reclaim(
          { consumer, token, lease, cursor, want, maxDeliveries },
          { signal },
        );
        cursor = reply.cursor;
        for (const claim of reply.claims) {
          // A task of our own whose renewal is late comes back under its old token: it runs here (invariant 34).
          if (claim.token === token || !running.has(claim.key, claim.token)) start(claim);
        }
      } finally {
        room.unreserve(want);
      }
    } while (cursor !== "");
  }
}

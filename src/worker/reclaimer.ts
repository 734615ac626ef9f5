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
import type { Observer } from "./observer.ts";

/** At most so many at once. */
const MAX_RECLAIMED = 100;

/** Looks so often per lease: a dead worker's task starts anew a quarter of a lease after its own ran out, at the latest. */
const LOOKS_PER_LEASE = 4;

const log = getLogger(["docket", "worker"]);

/** Where claims find room, and are started or given back. */
export interface Room {
  readonly room: number;
  reserve(room: number): () => void;
  whenRoom(signal: AbortSignal): Promise<void>;
  heed(strikes: string): Promise<void>;
  acceptAll(claims: readonly Claim[], token: string, sentAt: Millis): void;
}

/** What a {@linkcode Reclaimer} needs. */
export interface ReclaimerOptions {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly consumer: string;
  readonly lease: Millis;
  readonly maxDeliveries: number;
  readonly observer: Observer;
  readonly room: Room;
  /** Ends all calls, whatever becomes of them. */
  readonly end: AbortSignal;
}

/** Looks through all leases from time to time; where there is no room, it gets the next that there is. */
export class Reclaimer {
  readonly #options: ReclaimerOptions;

  constructor(options: ReclaimerOptions) {
    this.#options = options;
  }

  /** Looks until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, lease, end } = this.#options;
    while (!signal.aborted) {
      // Not all workers at once: each waits a little less than it could.
      await sleep(clock, lease / LOOKS_PER_LEASE * (0.75 + Math.random() / 4), signal);
      if (signal.aborted) return;
      try {
        await this.#look(signal);
      } catch (error) {
        if (end.aborted) return;
        log.warn("Cannot look for abandoned tasks: {reason}; trying again", {
          reason: messageOf(error),
        });
      }
    }
  }

  /** One pass over all leases, in bounded calls, keeping the cursor (invariant 33). */
  async #look(signal: AbortSignal): Promise<void> {
    const { storage, clock, consumer, lease, maxDeliveries, observer, room, end } = this.#options;
    let cursor = "";
    do {
      const want = Math.max(1, Math.min(room.room, MAX_RECLAIMED));
      const unreserve = room.reserve(want);
      try {
        // While there is always something new, no place would ever be left for what was abandoned (invariant 33).
        await room.whenRoom(signal);
        if (signal.aborted) return;
        const token = randomId();
        const sentAt = clock.monotonic();
        // Under the later signal: once sent, its reply is awaited, or a drain would leave its claims behind.
        const reply = await storage.reclaim(
          { consumer, token, lease, cursor, want, maxDeliveries },
          { signal: end },
        );
        cursor = reply.cursor;
        if (reply.parked) observer.parked(reply.parked);
        await room.heed(reply.strikes);
        room.acceptAll(reply.claims, token, sentAt);
      } finally {
        unreserve();
      }
    } while (cursor !== "");
  }
}

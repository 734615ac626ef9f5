/**
 * Has the storage repair what strangers broke, and forget the dead.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { type Clock, type Millis, sleep } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Storage } from "../storage/contract.ts";

/** At most so many tasks at once: the storage does nothing else meanwhile (invariant 41). */
const MOST = 500;

/** Looks so often per lease, all workers of a docket together. */
const LOOKS_PER_LEASE = 4;

const log = getLogger(["docket", "worker"]);

/** What a {@linkcode Sweeper} needs. */
export interface SweeperOptions {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly lease: Millis;
  /** Who was not heard of for so long is dead. */
  readonly silence: Millis;
}

/** Sweeps a part of the docket from time to time. The storage knows whose turn it is. */
export class Sweeper {
  readonly #options: SweeperOptions;

  constructor(options: SweeperOptions) {
    this.#options = options;
  }

  /** Sweeps until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { storage, clock, lease, silence } = this.#options;
    const pause = lease / LOOKS_PER_LEASE;
    const sweep = { limit: MOST, pause, silence: Math.max(silence, lease) };
    let next = pause;
    while (!signal.aborted) {
      // Not all workers at once: each waits a little longer than it must.
      if (next > 0) await sleep(clock, next * (1 + Math.random() / 4), signal);
      if (signal.aborted) return;
      try {
        const swept = await storage.sweep(sweep, { signal });
        next = swept.next;
        if (swept.repaired === 0) continue;
        log.warn("{count} tasks had lost their place in the storage, and have it again", {
          count: swept.repaired,
        });
      } catch (error) {
        if (signal.aborted) return;
        next = pause;
        log.warn("Cannot sweep: {reason}; trying again", { reason: messageOf(error) });
      }
    }
  }
}

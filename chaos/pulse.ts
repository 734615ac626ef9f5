/**
 * Whether a process gets the machine, and answers from Redis, in time to keep its leases: what it cannot keep is no fault of
 * the docket's. It looks for itself, on a connection of its own, and knows nothing of what the docket does.
 *
 * @module
 */

import { setTimeout as pause } from "node:timers/promises";
import { Redis } from "ioredis";
import type { Journal } from "./journal.ts";

/** How often it looks, in milliseconds. */
const BEAT = 50;

/** Notes whenever a beat and an answer together took so many milliseconds more than they should, until the process ends. */
export async function watchPulse(url: string, journal: Journal, longest: number): Promise<void> {
  const redis = new Redis(url, {
    protocol: 2,
    maxRetriesPerRequest: null, // it waits as long as it takes
    retryStrategy: () => BEAT,
  });
  redis.on("error", () => {}); // the answer comes late: that is what counts
  for (;;) {
    const start = performance.now();
    await pause(BEAT);
    await redis.ping();
    const ms = Math.round(performance.now() - start - BEAT);
    if (ms > longest) journal.note("stalled", { ms });
  }
}

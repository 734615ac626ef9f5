/**
 * Buries workers that were killed.
 *
 * @module
 */

import { strictEqual as equal } from "node:assert/strict";
import { systemClock } from "../../src/base/clock.ts";
import { openStorage } from "../../src/storage/open.ts";
import { connect } from "./_journal.ts";

/** Retires the consumers of workers of these names. All they held must be somebody else's, or settled. */
export async function buryDead(
  url: string,
  docket: string,
  names: readonly string[],
): Promise<void> {
  const storage = await openStorage(url, {
    docket,
    clock: systemClock,
    recordTtl: 60_000,
    commandTimeout: 5_000,
    connectTimeout: 5_000,
  });
  try {
    for (const consumer of await consumersOf(url, docket)) {
      if (!names.some((name) => consumer.startsWith(`${name}~`))) continue;
      equal(await storage.retire(consumer), true, `${consumer} still holds something`);
    }
  } finally {
    await storage[Symbol.asyncDispose]();
  }
}

/** Who is known to the group, or remembered for a lost reply. */
async function consumersOf(url: string, docket: string): Promise<Set<string>> {
  const redis = connect(url);
  try {
    const remembered = await redis.hkeys(`{${docket}}:calls`);
    const consumers = remembered.map((field) => field.slice(0, field.lastIndexOf(":")));
    const known = await redis.xinfo("CONSUMERS", `{${docket}}:stream`, "workers")
      .catch(() => []) as unknown[];
    for (const text of known.flat()) if (`${text}`.includes("~")) consumers.push(`${text}`);
    return new Set(consumers);
  } finally {
    redis.disconnect();
  }
}

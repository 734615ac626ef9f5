/**
 * Of which workers Redis knows.
 *
 * @module
 */

import type { Redis } from "ioredis";
import { keysOf } from "../src/storage/redis/keys.ts";

/** The consumers that the group knows, that are remembered for a lost reply, or that are said to be advertised. */
export async function consumersOf(redis: Redis, docket: string): Promise<string[]> {
  const { calls, stream, workers } = keysOf(docket);
  const remembered = (await redis.hkeys(calls))
    .filter((field) => !field.startsWith("@"))
    .map((field) => field.slice(0, field.lastIndexOf(":")));
  const advertised = await redis.zrange(workers, "0", "-1");
  const known = await redis.xinfo("CONSUMERS", stream, "workers")
    .catch(() => []) as unknown[][]; // there is no group
  const names = known.map((info) => `${info[info.indexOf("name") + 1]}`);
  return [...new Set([...remembered, ...advertised, ...names])];
}

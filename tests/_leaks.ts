/**
 * What may be left of a docket on Redis once all its tasks have ended and its workers are gone (invariant 80).
 *
 * @module
 */

import { deepStrictEqual as deepEqual } from "node:assert/strict";
import { Redis } from "ioredis";

/** Keys that may stay for ever: they are bounded, and hold no task. */
const CONSTANT = new Set(["stream", "calls", "dead", "graves", "automatic", "strikes"]);

/**
 * Fields of `calls` that may stay, whoever is gone: until when somebody listens, the version of the strikes, how far the sweep
 * is, the last page that was cleared.
 */
const CONSTANT_CALLS = new Set(["@watch", "@strikes", "@struck", "@sweep", "@clear"]);

/**
 * Throws unless nothing is pending, queued, due, live or in the background, nobody is remembered or advertised, no run is
 * said to be under way, and every other key expires.
 */
export async function assertNoLeaks(url: string, docket: string): Promise<void> {
  const redis = new Redis(url, { protocol: 2, maxRetriesPerRequest: 2 });
  const prefix = `{${docket}}:`;
  const key = (name: string) => prefix + name;
  try {
    const calls = await redis.hkeys(key("calls"));
    const left = {
      live: await redis.hlen(key("state")),
      bodies: await redis.hlen(key("tasks")),
      deferred: await redis.hlen(key("next")),
      due: await redis.zcard(key("due")),
      background: await redis.scard(key("background")),
      workers: await redis.zcard(key("workers")),
      stream: await redis.xlen(key("stream")),
      ...await readGroup(redis, key("stream")),
      remembered: calls.filter((field) => !CONSTANT_CALLS.has(field)),
      ...await findOthers(redis, prefix),
    };
    deepEqual(left, {
      live: 0,
      bodies: 0,
      deferred: 0,
      due: 0,
      background: 0,
      workers: 0,
      stream: 0,
      pending: 0,
      consumers: 0,
      remembered: [],
      reports: [],
      withoutTtl: [],
    });
  } finally {
    redis.disconnect();
  }
}

async function readGroup(
  redis: Redis,
  stream: string,
): Promise<{ readonly pending: number; readonly consumers: number }> {
  if (await redis.exists(stream) === 0) return { pending: 0, consumers: 0 };
  const groups = await redis.xinfo("GROUPS", stream) as unknown[][];
  const counts = groups.map((group) => ({
    pending: Number(group[group.indexOf("pending") + 1]),
    consumers: Number(group[group.indexOf("consumers") + 1]),
  }));
  return {
    pending: counts.reduce((sum, { pending }) => sum + pending, 0),
    consumers: counts.reduce((sum, { consumers }) => sum + consumers, 0),
  };
}

/** Reports of runs, which go with their run; and whatever would stay for ever. */
async function findOthers(
  redis: Redis,
  prefix: string,
): Promise<{ readonly reports: readonly string[]; readonly withoutTtl: readonly string[] }> {
  const reports: string[] = [];
  const withoutTtl: string[] = [];
  let cursor = "0";
  do {
    const [next, keys] = await redis.scan(cursor, "MATCH", `${prefix}*`, "COUNT", 1_000);
    for (const key of keys) {
      const name = key.slice(prefix.length);
      if (CONSTANT.has(name)) continue;
      if (name.startsWith("p:")) reports.push(key);
      if (await redis.pttl(key) === -1) withoutTtl.push(key); // -2: gone meanwhile
    }
    cursor = next;
  } while (cursor !== "0");
  return { reports, withoutTtl };
}

/**
 * A backup of a Redis, taken while it is in use: what a failover to a replica that lags behind, or an old dump, brings back.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import type { Redis } from "ioredis";

interface Kept {
  readonly key: string;
  readonly value: Buffer;
  readonly ttl: number;
}

/** Everything that there was at one instant. */
export class Backup {
  readonly #redis: Redis;
  readonly #kept: readonly Kept[];

  private constructor(redis: Redis, kept: readonly Kept[]) {
    this.#redis = redis;
    this.#kept = kept;
  }

  /** Takes one: of all keys at once, as nothing comes between the commands of a script. */
  static async take(redis: Redis): Promise<Backup> {
    const flat = await redis.callBuffer("EVAL", [DUMP_ALL, "0"]) as [Buffer, Buffer, number][];
    const kept = flat.map(([key, value, ttl]) => ({ key: key.toString(), value, ttl }));
    return new Backup(redis, kept);
  }

  /** Forgets whatever has happened since. */
  async restore(): Promise<void> {
    const everything = this.#redis.multi().flushall();
    for (const { key, value, ttl } of this.#kept) everything.restore(key, Math.max(0, ttl), value);
    for (const [error] of await everything.exec() ?? []) if (error) throw error;
  }
}

const DUMP_ALL = `
local kept = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  kept[#kept + 1] = { key, redis.call('DUMP', key), redis.call('PTTL', key) }
end
return kept
`;

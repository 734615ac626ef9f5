/**
 * What the next version of this library might do on the same docket: messages and rows in forms that are not known here.
 *
 * @module
 */

import type { Redis } from "ioredis";
import { randomId } from "../../src/base/ids.ts";
import type { Claim, Storage } from "../../src/storage/contract.ts";
import { altered } from "../_harness.ts";

/** A message of the next version. All that is known here is that it has one. */
export function nextMessage(task: string, ...args: readonly unknown[]): string {
  return JSON.stringify({ v: 2, call: { name: task, with: args } });
}

/** The storage as a worker of the next version uses it: it reads the messages of both. */
export function nextStorage(storage: Storage): Storage {
  return altered(storage, {
    async step(request, options) {
      const reply = await storage.step(request, options);
      return { ...reply, claims: reply.claims.map(translated) };
    },
    async reclaim(request, options) {
      const reply = await storage.reclaim(request, options);
      return { ...reply, claims: reply.claims.map(translated) };
    },
  });
}

function translated(claim: Claim): Claim {
  const { v, call } = JSON.parse(claim.body);
  if (v !== 2) return claim;
  return { ...claim, body: JSON.stringify({ task: call.name, args: call.with }) };
}

/** Who writes, and runs, tasks whose rows have another form: `N`, and everything but flags and generation is different. */
export class NextRows {
  /** The keys that it has run, in order. */
  readonly ran: string[] = [];
  readonly #redis: Redis;
  readonly #prefix: string;
  readonly #consumer = `next~${randomId()}`;

  constructor(redis: Redis, docket: string) {
    this.#redis = redis;
    this.#prefix = `{${docket}}:`;
  }

  /** Puts one into the stream. */
  async queue(key: string): Promise<void> {
    const write = this.#redis.multi().hset(this.#key("tasks"), key, nextMessage("any"));
    write.hset(this.#key("state"), key, `N<${randomId()}(queued, in its own way)`);
    await write.xadd(this.#key("stream"), "*", "k", key).exec();
  }

  /** Puts one into the due set. */
  async schedule(key: string, due: number): Promise<void> {
    const write = this.#redis.multi().hset(this.#key("tasks"), key, nextMessage("any"));
    write.hset(this.#key("state"), key, `N0${randomId()}(scheduled, in its own way)`);
    await write.zadd(this.#key("due"), due, key).exec();
  }

  /** What is stored of one: its row, and when it is due. */
  async look(key: string): Promise<readonly [row: string | null, due: string | null]> {
    return [
      await this.#redis.hget(this.#key("state"), key),
      await this.#redis.zscore(this.#key("due"), key),
    ];
  }

  /** Does what a worker of the next version does once: moves, takes over and ends what is of its form. */
  async work(lease: number): Promise<void> {
    for (const key of await this.#redis.zrange(this.#key("due"), "0", "-1")) {
      if (!(await this.look(key))[0]?.startsWith("N")) continue;
      if (await this.#redis.zrem(this.#key("due"), key) === 1) await this.queue(key);
    }
    const args = [this.#key("stream"), "workers", this.#consumer] as const;
    const taken = await this.#redis.xautoclaim(...args, lease, "0-0", "COUNT", 100) as unknown[];
    for (const [entry, [, key]] of taken[1] as [string, string[]][]) {
      if (!(await this.look(key))[0]?.startsWith("N")) continue; // not of its form: for the others
      this.ran.push(key);
      const end = this.#redis.multi().hdel(this.#key("state"), key).hdel(this.#key("tasks"), key);
      end.xack(this.#key("stream"), "workers", entry).xdel(this.#key("stream"), entry);
      await end.exec();
    }
  }

  /** Leaves, holding nothing. */
  async leave(): Promise<void> {
    await this.#redis.xgroup("DELCONSUMER", this.#key("stream"), "workers", this.#consumer);
  }

  #key(name: string): string {
    return this.#prefix + name;
  }
}

/**
 * The least that Redis must do for a task on a stream: XADD, XREADGROUP and XACK, in pipelines, without any guarantee
 * beyond theirs. Nobody can be faster who uses one.
 *
 * @module
 */

import type { Redis } from "ioredis";
import process from "node:process";
import type { Customer } from "./load.ts";
import type { Ability, Handler, Open, Queue, QueueWorker } from "./queue.ts";

/** What a stream has not. */
export const floorLacks: readonly Ability[] = ["schedule", "retry", "result", "wait", "docket"];

const GROUP = "workers";

type Entries = readonly (readonly [id: string, fields: readonly string[]])[];

/** How to open a stream. */
export function floorOf(IORedis: typeof Redis): Open {
  return async (url, name): Promise<Queue> => {
    const redis = new IORedis(url, { enableAutoPipelining: true }); // what is added in one tick leaves together
    await redis.xgroup("CREATE", name, GROUP, "0", "MKSTREAM").catch(ignoreExisting);
    const add = (customer: Customer) => redis.xadd(name, "*", "customer", JSON.stringify(customer));
    return {
      add,
      addAll: (customers) => Promise.all(customers.map(add)),
      schedule: cannot,
      call: cannot,
      worker: (concurrency, handler) => start(new IORedis(url), name, concurrency, handler),
      close: () => Promise.resolve(redis.disconnect()),
    };
  };
}

async function start(
  redis: Redis,
  name: string,
  concurrency: number,
  handler: Handler,
): Promise<QueueWorker> {
  await redis.ping();

  async function step(ids: readonly string[]): Promise<Entries | undefined> {
    const pipeline = redis.pipeline();
    if (ids.length > 0) pipeline.xack(name, GROUP, ...ids);
    const count = ["COUNT", concurrency, "BLOCK", 10_000] as const;
    pipeline.xreadgroup("GROUP", GROUP, `${process.pid}`, ...count, "STREAMS", name, ">");
    const replies = await pipeline.exec();
    if (!replies) return undefined; // closed
    const [error, streams] = replies.at(-1)!;
    if (error) throw error;
    return (streams as [[string, Entries]] | null)?.[0][1] ?? [];
  }

  let finished = false;
  return {
    async run(count, settled) {
      let ids: readonly string[] = [];
      for (let left = count; left > 0; left -= ids.length) {
        const entries = await step(ids).catch((error) => {
          if (!finished) throw error;
        });
        if (!entries) return;
        ids = entries.map(([id, [, customer]]) => {
          handler(JSON.parse(customer));
          settled?.();
          return id;
        });
      }
      await redis.xack(name, GROUP, ...ids);
    },
    finish() {
      finished = true;
      redis.disconnect();
    },
    close: () => Promise.resolve(redis.disconnect()),
  };
}

function cannot(): Promise<never> {
  return Promise.reject(new Error("Cannot do this with a stream alone"));
}

function ignoreExisting(error: Error): void {
  if (!error.message.startsWith("BUSYGROUP")) throw error;
}

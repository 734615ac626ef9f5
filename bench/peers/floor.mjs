/**
 * The least that Redis must do for a task on a stream: XADD, XREADGROUP and XACK, in pipelines, without any guarantee
 * beyond theirs. Nobody can be faster who uses one.
 *
 * @module
 */

import { Redis } from "ioredis";

const GROUP = "workers";

/** Opens a stream. */
export async function open(url, name) {
  const redis = new Redis(url, { enableAutoPipelining: true }); // what is added in one tick leaves together
  await redis.xgroup("CREATE", name, GROUP, "0", "MKSTREAM").catch(ignoreExisting);
  return {
    add: (customer) => redis.xadd(name, "*", "customer", JSON.stringify(customer)),
    worker: (concurrency, handler) => start(url, name, concurrency, handler),
    close: () => redis.disconnect(),
  };
}

async function start(url, name, concurrency, handler) {
  const redis = new Redis(url);
  await redis.ping();
  const read = ["GROUP", GROUP, "worker", "COUNT", concurrency, "BLOCK", 10_000];
  return {
    async run(count) {
      let ids = [];
      for (let left = count; left > 0; left -= ids.length) {
        const pipeline = redis.pipeline();
        if (ids.length > 0) pipeline.xack(name, GROUP, ...ids);
        const replies = await pipeline.xreadgroup(...read, "STREAMS", name, ">").exec();
        if (!replies) return; // closed
        const [error, streams] = replies.at(-1);
        if (error) throw error;
        const entries = streams?.[0][1] ?? [];
        ids = entries.map(([id, [, customer]]) => {
          handler(JSON.parse(customer));
          return id;
        });
      }
      await redis.xack(name, GROUP, ...ids);
    },
    close: () => redis.disconnect(),
  };
}

function ignoreExisting(error) {
  if (!error.message.startsWith("BUSYGROUP")) throw error;
}

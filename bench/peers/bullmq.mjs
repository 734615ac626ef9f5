/**
 * BullMQ, which keeps nothing of a job that ended, and otherwise as it comes.
 *
 * @module
 */

// @ts-ignore: checks do without what only this folder installs
import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import { countdown } from "./countdown.mjs";

const defaultJobOptions = { removeOnComplete: true, removeOnFail: true };

/** Opens a queue. */
export async function open(url, name) {
  const connection = new Redis(url, { maxRetriesPerRequest: null });
  const queue = new Queue(name, { connection, defaultJobOptions });
  await queue.waitUntilReady();
  return {
    add: (customer) => queue.add("welcome", customer),
    worker: (concurrency, handler) => start(name, connection, concurrency, handler),
    async close() {
      await queue.close();
      connection.disconnect();
    },
  };
}

async function start(name, connection, concurrency, handler) {
  const process = () => Promise.resolve(handler());
  const worker = new Worker(name, process, { connection, concurrency, autorun: false });
  worker.on("error", (error) => console.error(error));
  await worker.waitUntilReady();
  return {
    run(count) {
      const { done, one } = countdown(count);
      worker.on("completed", one);
      worker.run();
      return done;
    },
    close: () => worker.close(),
  };
}

/**
 * BullMQ, which keeps nothing of a job that ended, and otherwise as it comes.
 *
 * @module
 */

// @ts-ignore: checks do without what only this folder installs
import { Queue, QueueEvents, Worker } from "bullmq";
import { Redis } from "ioredis";
import { Countdown } from "../countdown.ts";

/** Whoever awaits results needs jobs that are still there: as long as ours. */
const MINUTES_15 = { age: 15 * 60 };

/** Opens a queue. */
export async function open(url, name, { attempts = 1, results = false } = {}) {
  const connection = new Redis(url, { maxRetriesPerRequest: null });
  const removeOnComplete = results ? MINUTES_15 : true;
  const defaultJobOptions = { removeOnComplete, removeOnFail: true, attempts };
  const queue = new Queue(name, { connection, defaultJobOptions });
  queue.setMaxListeners(0); // each job that is awaited listens for its end
  await queue.waitUntilReady();
  const events = results ? new QueueEvents(name, { connection: { url } }) : undefined;
  await events?.waitUntilReady();
  const add = (customer, opts) => queue.add("welcome", customer, opts);
  return {
    add: (customer) => add(customer),
    schedule: (customer, due) => add(customer, delayed(due)),
    addAll: (customers, due) =>
      queue.addBulk(
        customers.map((data) => ({ name: "welcome", data, opts: due && delayed(due) })),
      ),
    call: async (customer) => (await add(customer)).waitUntilFinished(events),
    worker: (concurrency, handler) => start(name, connection, concurrency, handler),
    async close() {
      await events?.close();
      await queue.close();
      connection.disconnect();
    },
  };
}

function delayed(due) {
  return { delay: Math.max(0, due - Date.now()) };
}

async function start(name, connection, concurrency, handler) {
  const process = async ({ data }) => await handler(data);
  const worker = new Worker(name, process, { connection, concurrency, autorun: false });
  worker.on("error", (error) => console.error(error));
  await worker.waitUntilReady();
  let countdown;
  return {
    run(count, settled) {
      countdown = new Countdown(count, settled);
      worker.on("completed", countdown.one);
      worker.run();
      return countdown.done;
    },
    finish: () => countdown.stop(),
    close: () => worker.close(),
  };
}

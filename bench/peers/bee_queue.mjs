/**
 * bee-queue, which keeps nothing of a job that ended, and tells nobody about it who does not wait for it.
 *
 * @module
 */

// @ts-ignore: checks do without what only this folder installs
import Queue from "bee-queue";
import { Countdown } from "../countdown.ts";

/** Opens a queue. */
export async function open(url, name, options = {}) {
  const { attempts = 1 } = options;
  const queue = await connect(url, name, options, false);
  const job = (customer, due) => {
    const job = queue.createJob(customer).retries(attempts - 1);
    return due ? job.delayUntil(Math.round(due)) : job;
  };
  return {
    add: (customer) => job(customer).save(),
    schedule: (customer, due) => job(customer, due).save(),
    addAll: (customers, due) => queue.saveAll(customers.map((customer) => job(customer, due))),
    call: (customer) =>
      new Promise((resolve, reject) => {
        const called = job(customer).on("succeeded", resolve).on("failed", reject);
        called.save().catch(reject);
      }),
    worker: (concurrency, handler) => start(url, name, options, concurrency, handler),
    close: () => queue.close(),
  };
}

async function start(url, name, options, concurrency, handler) {
  const queue = await connect(url, name, options, true);
  let countdown;
  return {
    run(count, settled) {
      countdown = new Countdown(count, settled);
      queue.on("succeeded", countdown.one);
      queue.process(concurrency, async ({ data }) => await handler(data));
      return countdown.done;
    },
    finish: () => countdown.stop(),
    close: () => queue.close(),
  };
}

async function connect(url, name, { results = false }, isWorker) {
  const queue = new Queue(name, {
    redis: { url },
    isWorker,
    activateDelayedJobs: isWorker,
    removeOnSuccess: true,
    removeOnFailure: true,
    storeJobs: results,
    getEvents: results,
    sendEvents: results,
  });
  queue.on("error", (error) => console.error(error));
  await queue.ready();
  return queue;
}

/**
 * bee-queue, which keeps nothing of a job that ended and tells nobody about it.
 *
 * @module
 */

// @ts-ignore: checks do without what only this folder installs
import Queue from "bee-queue";
import { countdown } from "./countdown.mjs";

const tuned = {
  removeOnSuccess: true,
  removeOnFailure: true,
  storeJobs: false,
  getEvents: false,
  sendEvents: false,
};

/** Opens a queue. */
export async function open(url, name) {
  const queue = await connect(url, name, false);
  return {
    add: (customer) => queue.createJob(customer).save(),
    worker: (concurrency, handler) => start(url, name, concurrency, handler),
    close: () => queue.close(),
  };
}

async function start(url, name, concurrency, handler) {
  const queue = await connect(url, name, true);
  return {
    run(count) {
      const { done, one } = countdown(count);
      queue.on("succeeded", one);
      queue.process(concurrency, () => Promise.resolve(handler()));
      return done;
    },
    close: () => queue.close(),
  };
}

async function connect(url, name, isWorker) {
  const queue = new Queue(name, { ...tuned, redis: { url }, isWorker });
  queue.on("error", (error) => console.error(error));
  await queue.ready();
  return queue;
}

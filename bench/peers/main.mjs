/**
 * Run by Node: measures one peer once, in this process.
 *
 * A peer is a module with `open(url, name)`, which gives a queue of that name:
 *
 * - `add(customer)` adds one task.
 * - `worker(concurrency, handler)` gives a worker that is connected and does nothing yet. `run(count)` starts it and resolves
 *   when so many tasks are settled; `close()` ends it.
 * - `close()`.
 *
 * @module
 */

import process from "node:process";
import { Redis } from "ioredis";
import { costOf, perUnit, readInfo } from "../cost.ts";
import { COUNTS, customer, inFlight, oneByOne } from "../load.ts";
import { Probe } from "../probe.ts";
import { answer } from "../process.ts";

/** What can be asked for. By the names of the scenarios that measure the same of ours. */
const solutions = {
  "fill": ({ peer, url, scenario }) => fill(peer, url, "bench", COUNTS[scenario].redis),
  "adds-awaited": (place) => adds(place, oneByOne, COUNTS["adds-awaited"].redis),
  "adds-in-flight": (place) => adds(place, inFlight, COUNTS["adds-in-flight"].redis),
  "drain-1": (place) => drain(place, 1, COUNTS["drain-1"].redis),
  "drain-10": (place) => drain(place, 10, COUNTS["drain-10"].redis),
  "drain-100": (place) => drain(place, 100, COUNTS["drain-100"].redis),
  "latency": latency,
};

async function adds({ peer, url }, add, count) {
  const queue = await peer.open(url, "bench");
  await add(queue.add, count / 10); // warms up
  const cost = await measure(url, () => add(queue.add, count));
  await queue.close();
  return perUnit(cost, count);
}

/** The tasks are there already: another process adds them, so that this one stays fresh. */
async function drain({ peer, url }, concurrency, count) {
  await fill(peer, url, "warm-up", count / 10);
  await drainAll(peer, url, "warm-up", concurrency, count / 10);
  return perUnit(await drainAll(peer, url, "bench", concurrency, count), count);
}

async function drainAll(peer, url, name, concurrency, count) {
  const queue = await peer.open(url, name);
  const worker = await queue.worker(concurrency, () => {});
  const cost = await measure(url, () => worker.run(count));
  await worker.close();
  await queue.close();
  return cost;
}

async function latency({ peer, url }) {
  const probe = new Probe();
  const queue = await peer.open(url, "bench");
  const worker = await queue.worker(10, probe.hit);
  worker.run(Infinity);
  const sample = await probe.sample(() => queue.add(customer(1)));
  await worker.close();
  await queue.close();
  return sample;
}

async function fill(peer, url, name, count) {
  const queue = await peer.open(url, name);
  await inFlight(queue.add, count);
  await queue.close();
}

async function measure(url, work) {
  const redis = new Redis(url);
  const cost = await costOf(work, () => readInfo((section) => redis.info(section)));
  redis.disconnect();
  return cost;
}

await answer(async ({ peer, what, ...order }) =>
  await solutions[what]({ peer: await import(`./${peer}.mjs`), ...order })
);
process.exit(); // whatever a peer has left open

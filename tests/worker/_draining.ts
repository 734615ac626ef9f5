/**
 * A process that drains a quarter of a million tasks and tells how its heap grew after the first fifth of them.
 *
 * @module
 */

import { setImmediate } from "node:timers/promises";
import { argv, memoryUsage } from "node:process";
import { Docket, Worker } from "../../mod.ts";
import { internalsOf } from "../../src/docket/internals.ts";

const WARM_UP = 50_000;
const MEASURED = 200_000;

/** So many are added at a time: the docket never holds many, and the worker never waits long. */
const PORTION = 10_000;

/** So many adds are in flight. */
const IN_FLIGHT = 500;

/** What the process prints. */
export interface Growth {
  /** Bytes in use after the warm-up. */
  readonly before: number;
  /** Bytes in use at the end. */
  readonly after: number;
  /** How many tasks ran between the two. */
  readonly tasks: number;
}

async function main(url: string, name: string): Promise<Growth> {
  let ran = 0;
  let notify = () => {};
  function noop(_customer: { readonly customerId: number; readonly name: string }): void {
    ran++;
    notify();
  }
  await using docket = await Docket.connect({ name, url, tasks: noop, executionTtl: "1s" });
  await using worker = new Worker(docket, { concurrency: 100 });
  const stop = new AbortController();
  const running = worker.runForever({ signal: stop.signal });

  async function drain(count: number): Promise<void> {
    for (const goal = ran + count; ran < goal;) await drainPortion(Math.min(PORTION, goal - ran));
  }

  async function drainPortion(count: number): Promise<void> {
    const goal = ran + count;
    const done = new Promise<void>((resolve) => notify = () => ran >= goal && resolve());
    let added = 0;
    const addSome = async () => {
      while (added < count) {
        // In memory records are forgotten as new ones come. Under the same keys there are never more than these.
        const key = url.startsWith("memory:") ? `customer ${added}` : undefined;
        await docket.add(noop, { key })({ customerId: added++, name: "Jane" });
      }
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, addSome));
    await done;
    while (await internalsOf(docket).storage.count() > 0) await setImmediate(); // what ran last is not settled yet
  }

  await drain(WARM_UP);
  const before = await measure();
  await drain(MEASURED);
  const after = await measure();

  stop.abort();
  await running;
  return { before, after, tasks: MEASURED };
}

/** What is reachable: buffers lie outside the heap and count too. */
async function measure(): Promise<number> {
  const { gc } = globalThis as { gc?: () => void }; // there with --expose-gc
  if (!gc) throw new Error("Cannot measure the heap: start this with --v8-flags=--expose-gc");
  for (let i = 0; i < 5; i++) {
    await setImmediate(); // what finalizers and promises still hold goes in the next round
    gc();
  }
  const { heapUsed, external } = memoryUsage();
  return heapUsed + external;
}

if (import.meta.main) {
  const [url, name] = argv.slice(2);
  console.log(JSON.stringify(await main(url, name)));
}

/**
 * A process that follows many tasks to their ends, waits for their results, leaves loops early, and tells how its heap grew
 * after the first part of them.
 *
 * @module
 */

import { setImmediate } from "node:timers/promises";
import { argv, memoryUsage } from "node:process";
import { Docket, task, Worker } from "../../mod.ts";

const WARM_UP = 4_000;
const MEASURED = 10_000;

/** So many are followed at a time. */
const AT_ONCE = 200;

/** What the process prints. */
export interface Growth {
  /** Bytes in use after the warm-up. */
  readonly before: number;
  /** Bytes in use at the end. */
  readonly after: number;
  /** How many tasks were followed between the two. */
  readonly tasks: number;
}

async function main(url: string, name: string): Promise<Growth> {
  const count = task("count", ({ progress }): void => progress.increment());
  await using docket = await Docket.connect({ name, url, tasks: count, executionTtl: "1s" });
  await using worker = new Worker(docket, { concurrency: 100 });
  const stop = new AbortController();
  const running = worker.runForever({ signal: stop.signal });

  async function followOne(): Promise<void> {
    const execution = await docket.add(count)();
    for await (const _event of execution.events()) break;
    const result = execution.result();
    let ended = false;
    for await (const event of execution.events()) {
      ended = event.kind === "state" && event.state === "completed";
    }
    if (!ended) throw new Error(`It missed the end of ${execution.key}`);
    await result;
  }

  async function followMany(many: number): Promise<void> {
    let left = many;
    const followSome = async () => {
      while (left-- > 0) await followOne();
    };
    await Promise.all(Array.from({ length: AT_ONCE }, followSome));
  }

  await followMany(WARM_UP);
  const before = await measure();
  await followMany(MEASURED);
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

/**
 * The worker process of a soak: it works, and tells every now and then how much it holds.
 *
 * @module
 */

import { memoryUsage } from "node:process";
import { setImmediate, setTimeout as pause } from "node:timers/promises";
import { ConcurrencyLimit, Docket, NonRetryableError, Retry, task, Worker } from "../mod.ts";
import { endWithParent } from "./child.ts";
import type { Sample } from "./slope.ts";

/** Records are soon gone, so that Redis can be compared with what it was, and not before a busy machine has heard of them. */
export const RECORD_TTL = 20_000;

/** How often it looks at its heap, in milliseconds. */
const GLANCE = 5_000;

/** The tasks, by name. */
export type SoakTasks = typeof tasks;

const tasks = {
  quick: task("quick", async (_context, customer: { readonly name: string }): Promise<string> => {
    await pause(2);
    return customer.name;
  }),
  stumble: task(
    "stumble",
    { retry: new Retry({ attempts: 2, delay: 10 }) },
    ({ attempt }): void => {
      if (attempt === 1) throw new Error("stumbled");
    },
  ),
  fall: task("fall", (): void => {
    throw new NonRetryableError("fell");
  }),
  limited: task(
    "limited",
    { limit: new ConcurrencyLimit({ max: 1, by: (customer: number) => customer }) },
    async (_context, _customer: number): Promise<void> => await pause(1),
  ),
};

async function main(url: string, name: string): Promise<void> {
  endWithParent();
  const docket = await Docket.connect({ name, url, tasks, executionTtl: RECORD_TTL });
  const worker = new Worker(docket, { concurrency: 50 });
  void worker.runForever();
  for (;;) {
    await pause(GLANCE);
    const sample: Sample = { at: performance.now(), bytes: await held() };
    console.log(JSON.stringify(sample));
  }
}

/** What is reachable: buffers lie outside the heap and count too. */
async function held(): Promise<number> {
  const { gc } = globalThis as { gc?: () => void }; // there with --expose-gc
  if (!gc) throw new Error("Cannot measure the heap: start this with --v8-flags=--expose-gc");
  for (let i = 0; i < 3; i++) {
    await setImmediate(); // what finalizers and promises still hold goes in the next round
    gc();
  }
  const { heapUsed, external } = memoryUsage();
  return heapUsed + external;
}

if (import.meta.main) {
  const [url, name] = Deno.args;
  await main(url, name);
}

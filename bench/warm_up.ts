/**
 * Runs code until the runtime has compiled it, on a queue that nobody else uses.
 *
 * @module
 */

import process from "node:process";
import { customers, inFlight } from "./load.ts";
import type { Handler, QueueOptions } from "./queue.ts";
import type { Stage } from "./stage.ts";

/** How to. */
export interface Practice {
  readonly concurrency: number;
  readonly count: number;
  readonly options?: QueueOptions;
  readonly bytes?: number;
  /** @default one that does nothing */
  readonly handler?: Handler;
}

/** Adds so many tasks and works them off. */
export async function warmUp(
  stage: Stage,
  { concurrency, count, options, bytes, handler = () => {} }: Practice,
): Promise<void> {
  if (count === 0) return;
  const queue = await stage.open(`warm-up-${process.pid}`, options);
  await inFlight(queue.add, customers(count, bytes));
  const worker = await queue.worker(concurrency, handler);
  await worker.run(count);
  await worker.close();
  await queue.close();
}

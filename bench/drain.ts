/**
 * Works off what is there: tasks that another process has added, by one worker.
 *
 * @module
 */

import type { Cost } from "./cost.ts";
import type { Fill } from "./fill.ts";
import type { Handler, Queue } from "./queue.ts";
import type { Stage } from "./stage.ts";
import { warmUp } from "./warm_up.ts";

/** What is there, and how it is worked off. */
export interface Drain extends Fill {
  readonly concurrency: number;
  /** Makes the handler. @default one that does nothing */
  readonly handler?: () => Handler;
}

/** What it costs to work off so many tasks, by code that is warm. */
export async function drain(stage: Stage, drain: Drain): Promise<Cost> {
  const { concurrency, handler = () => () => {}, ...tasks } = drain;
  const { count, name, options, bytes } = tasks;
  await warmUp(stage, { concurrency, count: count / 10, options, bytes, handler: handler() });
  const queue = await stage.open(name, options); // before they come: in memory they go with the last who has it open
  await stage.fill(tasks);
  const cost = await settle(stage, queue, { concurrency, count, handler: handler() });
  await queue.close();
  return cost;
}

/** What it costs from the start of a worker until so many tasks are settled. */
export async function settle(
  stage: Stage,
  queue: Queue,
  { concurrency, count, handler = () => {} }: {
    readonly concurrency: number;
    readonly count: number;
    readonly handler?: Handler;
  },
): Promise<Cost> {
  const worker = await queue.worker(concurrency, handler);
  const cost = await stage.during(() => worker.run(count));
  await worker.close();
  return cost;
}

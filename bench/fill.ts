/**
 * Puts tasks on a queue before they are worked off.
 *
 * @module
 */

import { customers, inBulk, inFlight } from "./load.ts";
import type { QueueOptions } from "./queue.ts";
import type { Stage } from "./stage.ts";

/** What to add. */
export interface Fill {
  readonly count: number;
  /** The queue. @default "bench" */
  readonly name?: string;
  readonly options?: QueueOptions;
  /** How long the names of the customers are. @default 4 */
  readonly bytes?: number;
  /** When they are due, in milliseconds of the epoch. @default at once */
  readonly due?: number;
  /** Whether they are added many at once, where that is possible. @default false */
  readonly bulk?: boolean;
}

/** Adds so many tasks. */
export async function fill(stage: Stage, fill: Fill): Promise<void> {
  const { count, name, options, bytes, due, bulk } = fill;
  const queue = await stage.open(name, options);
  const all = customers(count, bytes);
  if (bulk) await inBulk((some) => queue.addAll(some, due), all);
  else {await inFlight(
      due === undefined ? queue.add : (customer) => queue.schedule(customer, due),
      all,
    );}
  await queue.close();
}

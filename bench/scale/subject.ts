/**
 * What may become many on a docket, and what is measured while it is there.
 *
 * @module
 */

import type { Metric, Place, Sample } from "../scenario.ts";

/** Something that there may be many of. */
export interface Subject {
  /** For `--only`, and in the JSON. */
  readonly name: string;
  /** The head of its table. */
  readonly title: string;
  /** How many to measure with, from few to many. */
  readonly counts: readonly number[];
  /** More than so many are measured in the first round only: filling takes long, or measuring waits. */
  readonly mostRepeated: number;
  /** The rows of its table, by the names that its samples use. */
  readonly metrics: Readonly<Record<string, Metric>>;
  /** Puts so many there, in a process of its own; gives a key to look up, where there is one. */
  fill(place: Place, count: number): Promise<string | undefined>;
  /** Measures with so many there, in another process. `key` is what filling gave. */
  measure(place: Place, count: number, key?: string): Promise<Sample>;
}

/** What filling alone tells, from outside: the memory that the server uses more than before. */
export const bytesEach: Metric = { label: "Redis bytes each" };

/** Calls a function for numbers below `count`, so many at a time. */
export async function inChunks(
  count: number,
  size: number,
  work: (from: number, to: number) => Promise<unknown>,
): Promise<void> {
  for (let from = 0; from < count; from += size) await work(from, Math.min(count, from + size));
}

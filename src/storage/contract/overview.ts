/**
 * What operators see, and what keeps a docket in order.
 *
 * @module
 */

import type { Millis } from "../../base/clock.ts";
import type { DeferredTask, LiveTask } from "./tasks.ts";

/** How many tasks there are, by state. */
export interface Counts {
  /** Due later. */
  readonly scheduled: number;
  /** Due, and not claimed. */
  readonly queued: number;
  /** Claimed: exact up to 10,000; beyond that some of them may be counted as queued. */
  readonly running: number;
  /** Replacements that wait for a run to end, and what is in line before a gate. */
  readonly waiting: number;
  /** Parked. */
  readonly dead: number;
}

/** What is on a docket: see {@linkcode Storage.survey}. */
export interface Survey {
  /** When, on the storage's clock. */
  readonly at: Millis;
  /** Exact, as of that instant, also where the lists are cut short. */
  readonly counts: Counts;
  /** Those that are due first. */
  readonly scheduled: readonly LiveTask[];
  /** Those that are claimed next. */
  readonly queued: readonly LiveTask[];
  /** Those that were claimed first. */
  readonly running: readonly LiveTask[];
  /** In line before gates: the longest waiting goes first. */
  readonly inLine: readonly LiveTask[];
  /** Replacements, in no order. */
  readonly waiting: readonly (DeferredTask & { readonly key: string })[];
}

/** A worker that says it can claim. */
export interface Presence {
  /** Unique to one worker. */
  readonly consumer: string;
  /** When it said so last, on the storage's clock. */
  readonly seenAt: Millis;
  /** What it says of itself; opaque. */
  readonly text: string;
}

/** What a {@linkcode Storage.sweep} is to look at. */
export interface Sweep {
  /** At most so many tasks. */
  readonly limit: number;
  /** How long after it the docket need not be swept again, whoever wants to; in milliseconds. */
  readonly pause: Millis;
  /** Consumers that hold nothing, are not advertised and have not been heard of for so long are forgotten. */
  readonly silence: Millis;
}

/** What a {@linkcode Storage.sweep} did. */
export interface Swept {
  /** How many tasks have a place to wait again that had lost it. */
  readonly repaired: number;
  /** How many consumers were forgotten. */
  readonly retired: number;
  /** How long to wait before the next one. */
  readonly next: Millis;
}

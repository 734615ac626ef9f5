/**
 * What the storage remembers of a consumer's sequence of calls.
 *
 * @module
 */

import type { Millis } from "../../base/clock.ts";
import type { Brought } from "./scripts/step.ts";

/** How many lanes a consumer has. */
export const LANES = 10;

/** So few entries are deleted with their settlement; more are left for a trim, which is cheaper for many. */
const FEW = 8;

/** So many settled entries are trimmed even while the stream is busy. */
const MANY = 2_000;

/** While the oldest pending entry is older, a trim reaches nothing, so entries are deleted one by one. */
const STUCK: Millis = 10_000;

/** How a step tidies up the stream. */
export interface Tidying {
  /** Deletes what it settles. */
  readonly remove: boolean;
  /** Removes everything below the oldest pending entry: now, when nothing was found, or not. */
  readonly trim: "now" | "idle" | "";
}

/** One lane: its epoch once it is open, and what it left in the stream. */
export class Lane {
  /** Names the lane as it was opened last. */
  epoch = "";
  // Whoever had the stream before may have left something.
  #left = 1;
  #age: Millis = 0;

  /** What to do about the stream in the next step. */
  plan(commits: number): Tidying {
    const remove = commits <= FEW || this.#age > STUCK;
    if (!remove) this.#left += commits;
    return { remove, trim: this.#left === 0 ? "" : this.#left < MANY ? "idle" : "now" };
  }

  /** Learns from the answer. */
  learn({ age }: Exclude<Brought, "old">): void {
    if (age === undefined) return;
    this.#age = age;
    // Behind a pending entry there may be settled ones: the next idle step looks again.
    this.#left = age === 0 ? 0 : 1;
  }
}

/** The fields of `calls` that a consumer may have. */
export function memoriesOf(consumer: string): string[] {
  return [
    ...Array.from({ length: LANES }, (_, lane) => laneField(consumer, lane)),
    reclaimField(consumer),
  ];
}

/** Where a lane is remembered. */
export function laneField(consumer: string, lane: number): string {
  return `${consumer}:${lane}`;
}

/** Where a consumer's last reclaim is remembered. */
export function reclaimField(consumer: string): string {
  return `${consumer}:reclaim`;
}

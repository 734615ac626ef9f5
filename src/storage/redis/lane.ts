/**
 * What the storage remembers of a consumer's sequence of calls.
 *
 * @module
 */

import type { Millis } from "../../base/clock.ts";
import type { Brought } from "./scripts/step.ts";

/** How many lanes a consumer has. */
export const LANES = 10;

/** So few entries are deleted by the step that settles them, if it finds nothing to do: a trim is cheaper for many. */
const FEW = 8;

/** So many settled entries are trimmed even while the stream is busy. */
const MANY = 2_000;

/** While the oldest pending entry is older, a trim reaches nothing, so entries are deleted one by one. */
const STUCK: Millis = 10_000;

/** How a step tidies up the stream. */
export interface Tidying {
  /** Deletes what it settles: in any case, when nothing was found, or not. */
  readonly remove: "now" | "idle" | "";
  /** Removes everything below the oldest pending entry: now, when nothing was found, or not. */
  readonly trim: "now" | "idle" | "";
}

/** One lane: its epoch once it is open, and what it left in the stream. */
export class Lane {
  /** Names the lane as it was opened last. */
  epoch = "";
  /** How many reclaims were sent; they belong to the first lane's epoch. */
  reclaims = 0;
  // Whoever had the stream before may have left something.
  #left = 1;
  #age: Millis = 0;

  /** What to do about the stream in the next step. */
  plan(commits: number): Tidying {
    if (this.#age > STUCK) return { remove: "now", trim: this.#trim() };
    if (commits <= FEW) return { remove: "idle", trim: this.#trim() };
    this.#left += commits;
    return { remove: "", trim: this.#trim() };
  }

  /** Learns from the answer to a step that settled so many. */
  learn({ age, seen }: Exclude<Brought, "old">, { remove }: Tidying, commits: number): void {
    if (remove === "idle" && seen > 0) this.#left += commits;
    if (age === undefined) return;
    this.#age = age;
    // Behind a pending entry there may be settled ones: the next idle step looks again.
    this.#left = age === 0 ? 0 : 1;
  }

  #trim(): Tidying["trim"] {
    return this.#left === 0 ? "" : this.#left < MANY ? "idle" : "now";
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

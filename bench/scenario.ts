/**
 * What a benchmark is: something measured in a process of its own, on one storage.
 *
 * @module
 */

import type { Ability } from "./queue.ts";
import type { Stage } from "./stage.ts";

/** The storages that are measured, in the order of the table's columns. */
export const STORAGES = ["memory", "redis"] as const;

/** One of {@linkcode STORAGES}. */
export type StorageName = typeof STORAGES[number];

/** Where to measure. On Redis nothing else is there. */
export interface Place {
  readonly storage: StorageName;
  readonly url: string;
}

/** How many units of work to measure: about a second's worth. */
export type Counts = Readonly<Record<StorageName, number>>;

/** What one run found, by metric. What a storage cannot tell is left out. */
export type Sample = Readonly<Record<string, number>>;

/** A row of the table. */
export interface Metric {
  readonly label: string;
  /** @default 0 */
  readonly digits?: number;
}

/** A benchmark. */
export interface Scenario {
  /** For `--only`. */
  readonly name: string;
  /** What its rows begin with. */
  readonly title: string;
  /** Its rows, by the names that its samples use. */
  readonly metrics: Readonly<Record<string, Metric>>;
  /** What is needed for it: whoever lacks some of that is not measured. */
  readonly needs?: readonly Ability[];
  /** Runs once, in a process that nothing was measured in before. */
  measure(stage: Stage): Promise<Sample>;
}

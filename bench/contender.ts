/**
 * Who is measured: a column of the table.
 *
 * @module
 */

import { type Place, type Sample, type Scenario, type StorageName, STORAGES } from "./scenario.ts";
import { measure } from "./scenarios/mod.ts";

/** One that scenarios are measured on. */
export interface Contender {
  /** In `--json`. */
  readonly name: string;
  /** The head of its column. */
  readonly title: string;
  /** Measures once, in a process that nothing was measured in before. */
  measure(scenario: Scenario): Promise<Sample>;
}

const TITLES: Readonly<Record<StorageName, string>> = { memory: "memory", redis: "Redis" };

/** The docket on each storage. */
export function storages(redisUrl: string): readonly Contender[] {
  const urls: Readonly<Record<StorageName, string>> = { memory: "memory://bench", redis: redisUrl };
  return STORAGES.map((storage) =>
    docketOn({ storage, url: urls[storage] }, storage, TITLES[storage])
  );
}

/** The docket at one place. */
export function docketOn(place: Place, name: string, title: string): Contender {
  return { name, title, measure: (scenario) => measure(scenario, place) };
}

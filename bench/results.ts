/**
 * What several rounds found.
 *
 * @module
 */

import type { Sample, Scenario } from "./scenario.ts";

/** The samples of all rounds, by contender and scenario. */
export class Results {
  readonly #samples = new Map<string, Map<string, Sample[]>>();

  /** Adds what one run found. */
  add(contender: string, { name }: Scenario, sample: Sample): void {
    const found = this.#samples.get(contender) ?? new Map<string, Sample[]>();
    this.#samples.set(contender, found.set(name, [...found.get(name) ?? [], sample]));
  }

  /** One metric in every round; empty where the contender does not tell. */
  values(contender: string, { name }: Scenario, metric: string): readonly number[] {
    const samples = this.#samples.get(contender)?.get(name) ?? [];
    return samples.map((sample) => sample[metric]).filter((value) => value !== undefined);
  }

  /** Everything, for `--json`. */
  toObject(): Readonly<Record<string, Readonly<Record<string, readonly Sample[]>>>> {
    return Object.fromEntries(
      [...this.#samples].map(([contender, found]) => [contender, Object.fromEntries(found)]),
    );
  }
}

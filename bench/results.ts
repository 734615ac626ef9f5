/**
 * What several rounds found.
 *
 * @module
 */

import { type Sample, type Scenario, type StorageName, STORAGES } from "./scenario.ts";

/** The samples of all rounds, by storage and scenario. */
export class Results {
  readonly #samples = new Map<string, Sample[]>();

  /** Adds what one run found. */
  add(storage: StorageName, { name }: Scenario, sample: Sample): void {
    const id = `${storage} ${name}`;
    const samples = this.#samples.get(id);
    if (samples) samples.push(sample);
    else this.#samples.set(id, [sample]);
  }

  /** One metric in every round; empty where the storage does not tell. */
  values(storage: StorageName, { name }: Scenario, metric: string): readonly number[] {
    const samples = this.#samples.get(`${storage} ${name}`) ?? [];
    return samples.map((sample) => sample[metric]).filter((value) => value !== undefined);
  }

  /** Everything, for `--json`. */
  toObject(scenarios: readonly Scenario[]): object {
    return Object.fromEntries(STORAGES.map((storage) => [
      storage,
      Object.fromEntries(
        scenarios.map(({ name }) => [name, this.#samples.get(`${storage} ${name}`)]),
      ),
    ]));
  }
}

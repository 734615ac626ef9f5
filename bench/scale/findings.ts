/**
 * What was found: the form of `docs/figures/scale.json`.
 *
 * @module
 */

import { summarize } from "../measure.ts";
import type { Sample } from "../scenario.ts";

/** One run of the whole. */
export interface Findings {
  /** The day, as in 2026-01-31. */
  readonly date: string;
  /** How many processors, and which. */
  readonly machine: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly found: readonly Found[];
}

/** What was found of a subject with so many of it there. */
export interface Found {
  readonly subject: string;
  readonly count: number;
  /** One for each round. */
  readonly samples: readonly Sample[];
}

/**
 * What was found before, with more rounds.
 *
 * @throws {TypeError} When the machine or a version is another: then they say nothing of each other.
 */
export function joined(before: Findings, after: Findings): Findings {
  const where = ({ machine, versions }: Findings) => JSON.stringify([machine, versions]);
  if (where(before) !== where(after)) {
    throw new TypeError(
      `Cannot add to what was found on ${where(before)}: this is ${where(after)}`,
    );
  }
  const isOf = ({ subject, count }: Found) => (one: Found) =>
    one.subject === subject && one.count === count;
  const found = before.found.map((one) => {
    const samples = after.found.find(isOf(one))?.samples ?? [];
    return { ...one, samples: [...one.samples, ...samples] };
  });
  const fresh = after.found.filter((one) => !before.found.some(isOf(one)));
  return { ...after, found: [...found, ...fresh] };
}

/** The middle of all rounds; `undefined` where it was not measured. */
export function median(
  { found }: Findings,
  subject: string,
  count: number,
  metric: string,
): number | undefined {
  const samples = found.find((one) => one.subject === subject && one.count === count)?.samples;
  const values = (samples ?? []).map((sample) => sample[metric]);
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : summarize(known).median;
}

/** With how many of the subject something was found, from few to many. */
export function countsOf({ found }: Findings, subject: string): number[] {
  return found.filter((one) => one.subject === subject)
    .map(({ count }) => count)
    .sort((a, b) => a - b);
}

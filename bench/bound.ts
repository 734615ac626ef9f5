/**
 * How far ours may be from the floor.
 *
 * @module
 */

import { summarize } from "./measure.ts";
import type { Scenario } from "./scenario.ts";

/** What ours must keep to, in times of the floor's figure. */
export interface Bound {
  readonly scenario: Scenario;
  readonly metric: string;
  /** The least that is enough. */
  readonly least?: number;
  /** The most that is bearable. */
  readonly most?: number;
}

/** Whether a bound was kept, and in words. */
export interface Verdict {
  readonly kept: boolean;
  readonly text: string;
}

/** Judges by the ratios of all rounds: the middle counts, as a machine that is busy spoils single ones. */
export function judge(bound: Bound, ratios: readonly number[]): Verdict {
  const { scenario, metric, least = 0, most = Infinity } = bound;
  const { median, low, high } = summarize(ratios);
  const kept = least <= median && median <= most;
  const [was, from, to] = [median, low, high].map((ratio) => ratio.toFixed(2));
  const wanted = bound.least === undefined ? `at most ${most}` : `at least ${least}`;
  const what = `${scenario.title}: ${scenario.metrics[metric].label}`;
  return {
    kept,
    text: `${what}: ${was} (${from}–${to}) times the floor, should be ${wanted}`,
  };
}

/**
 * From many numbers to few.
 *
 * @module
 */

/** The middle of several rounds, and how far they lie apart. */
export interface Summary {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** Sums up rounds. */
export function summarize(values: readonly number[]): Summary {
  const sorted = ascending(values);
  const middle = sorted.length / 2;
  const median = (sorted[Math.ceil(middle) - 1] + sorted[Math.floor(middle)]) / 2;
  return { median, low: sorted[0], high: sorted[sorted.length - 1] };
}

/** The smallest value that this share of all values does not exceed. */
export function percentile(values: readonly number[], share: number): number {
  return ascending(values)[Math.max(0, Math.ceil(values.length * share) - 1)];
}

function ascending(values: readonly number[]): readonly number[] {
  if (values.length === 0) throw new RangeError("Cannot sum up nothing");
  return [...values].sort((a, b) => a - b);
}

/** Milliseconds of looking at the clock until it is known well. */
const CALIBRATION = 20;

/** The wall clock in fractions of a millisecond: `Date.now()` shows whole ones only, and lateness would drown in them. */
export function wallClock(): () => number {
  const end = performance.now() + CALIBRATION;
  let offset = -Infinity;
  // It shows the time rounded down, and an interruption between the two looks only adds to that: the greatest is right.
  while (performance.now() < end) offset = Math.max(offset, Date.now() - performance.now());
  return () => offset + performance.now();
}

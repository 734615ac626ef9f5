/**
 * Axes: from values to places on a picture.
 *
 * @module
 */

/** Where a value stands, and which values are written beside it. */
export interface Axis {
  readonly ticks: readonly number[];
  place(value: number): number;
}

/** From nothing to a round number that all values are below, in about five steps. */
export function linear(values: readonly number[], from: number, to: number): Axis {
  const most = Math.max(...values);
  const step = roundStep((most || 1) / 4);
  const steps = Math.max(1, Math.ceil(most / step));
  const ticks = Array.from({ length: steps + 1 }, (_, i) => rounded(i * step));
  return { ticks, place: (value) => from + (to - from) * value / (steps * step) };
}

/** From a power of ten to another: each tenfold is as far. */
export function logarithmic(values: readonly number[], from: number, to: number): Axis {
  const low = Math.floor(rounded(Math.log10(Math.min(...values))));
  const high = Math.max(low + 1, Math.ceil(rounded(Math.log10(Math.max(...values)))));
  const ticks = Array.from({ length: high - low + 1 }, (_, i) => rounded(10 ** (low + i)));
  const place = (value: number) => from + (to - from) * (Math.log10(value) - low) / (high - low);
  return { ticks, place };
}

/** 1, 2 or 5, and zeros. */
function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return rounded([1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= least)!);
}

/** Without what binary fractions leave behind. */
function rounded(value: number): number {
  return Number(value.toPrecision(12));
}

/**
 * How fast something grows.
 *
 * @module
 */

/** A size at an instant. */
export interface Sample {
  /** In milliseconds. */
  readonly at: number;
  readonly bytes: number;
}

/** The slope of the line that fits the samples best (least squares), in bytes a millisecond. */
export function slope(samples: readonly Sample[]): number {
  if (samples.length < 2) throw new RangeError("Cannot fit a line: it takes two samples");
  const mean = (of: (sample: Sample) => number) =>
    samples.reduce((sum, sample) => sum + of(sample), 0) / samples.length;
  const at = mean((sample) => sample.at);
  const bytes = mean((sample) => sample.bytes);
  return mean((sample) => (sample.at - at) * (sample.bytes - bytes)) /
    mean((sample) => (sample.at - at) ** 2);
}

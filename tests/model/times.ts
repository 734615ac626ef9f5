/**
 * How long things take in the model test, in milliseconds.
 *
 * @module
 */

/** How long a short lease lasts, and how soon "soon" is. */
export const SOON = 8;
/** How far time is moved: safely past what is soon, whatever the rounding of clocks. */
export const PAST_SOON = 14;
/** What is not over when time is moved once, but is when it is moved twice. */
export const SPELL = 20;
/** A long lease: longer than any test takes. */
export const LONG = 3_600_000;
/** How long records stay that are wanted: longer than a run, and not so long that they fill the Redis of a long test. */
export const KEPT = 60_000;

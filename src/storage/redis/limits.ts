/**
 * How much one script call may carry: Redis does nothing else meanwhile (invariant 41).
 *
 * @module
 */

/** No script looks at more tasks. */
export const MOST_TASKS = 1_000;

/** So many requests, with their bodies. */
export const MOST_REQUESTS = 200;

/** About so many tasks are cleared. */
export const MOST_CLEARED = 500;

/** About so many bytes. */
export const MOST_BYTES = 1 << 20;

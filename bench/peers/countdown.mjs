/**
 * Until so many tasks are settled.
 *
 * @module
 */

/** `done` resolves once `one` was called so often. */
export function countdown(count) {
  const { promise: done, resolve } = Promise.withResolvers();
  let left = count;
  const one = () => {
    if (--left === 0) resolve();
  };
  return { done, one };
}

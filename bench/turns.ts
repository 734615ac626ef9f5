/**
 * Whose turn it is.
 *
 * @module
 */

/** The same in each round, begun with another one each time: nobody is always the first, or always after the same one. */
export function turns<T>(all: readonly T[], round: number): readonly T[] {
  const first = round % all.length;
  return [...all.slice(first), ...all.slice(0, first)];
}

/**
 * Options are checked where they are given. Misspelt ones are refused: taken for absent, a `dealy` of an hour would be none.
 *
 * @module
 */

/** Names of options, each once: a record, so that the compiler sees to it that none is missing. */
export type OptionNames<Options> = { readonly [Name in keyof Required<Options>]: true };

/**
 * Looks whether all options are known.
 *
 * @throws {TypeError} Names the first one that is not.
 */
export function refuseUnknownOptions<Options extends object>(
  what: string,
  options: Options,
  known: OptionNames<Options>,
): void {
  for (const name in options) {
    if (Object.hasOwn(known, name)) continue;
    throw new TypeError(
      `Cannot use "${name}" for ${what}: there is no such option; there are ${
        Object.keys(known).join(", ")
      }`,
    );
  }
}

/**
 * Looks whether an option counts something.
 *
 * @throws {RangeError} When it is not a whole number from 1.
 */
export function wholeNumber(option: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new RangeError(`Cannot use ${value} for "${option}": it must be a whole number from 1`);
}

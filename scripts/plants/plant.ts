/**
 * What a plant is: one bug, as a replacement in one file.
 *
 * @module
 */

/** A replacement of text that stands in a file exactly once. */
export interface Patch {
  /** From the root of the repository. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** One bug: on each storage that can have it, for the model test to find, or where the simulator is to find it. */
export interface Bug {
  readonly name: string;
  readonly memory?: Patch;
  readonly redis?: Patch;
  readonly simulator?: Patch;
}

/** Names the file of patches. */
export function patch(file: string): (find: string, replace: string) => Patch {
  return (find, replace) => ({ file, find, replace });
}

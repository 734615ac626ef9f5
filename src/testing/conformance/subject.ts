/**
 * What the conformance suite asks of whoever runs it.
 *
 * @module
 */

import type { Storage } from "../../storage/contract.ts";

/** A place for one test's data: fresh, shared by all handles that are opened in it, gone when disposed of. */
export interface Subject extends AsyncDisposable {
  /** Opens another handle on the same docket. */
  open(): Promise<Storage>;
  /** Lets so many milliseconds pass on the storage's clock: moves a fake clock, or sleeps. */
  advance(ms: number): Promise<void>;
  /** Opens another docket at the same place, whose name begins with this docket's name and a dot. */
  neighbour?(): Promise<Storage>;
  /** Throws when anything is left behind (invariant 80). Called when all tasks have ended and all consumers are retired. */
  check?(): Promise<void>;
}

/** Makes a {@linkcode Subject} for one test. */
export type Setup = () => Promise<Subject>;

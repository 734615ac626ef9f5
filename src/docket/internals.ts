/**
 * What a docket shares with its executions and workers, and with nobody else.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import type { Codec } from "../base/codec.ts";
import type { Storage } from "../storage/contract.ts";
import type { Reopening } from "../storage/open.ts";
import type { Docket } from "./docket.ts";
import type { Liveness, Retention } from "./options.ts";
import type { Producer } from "./producer.ts";
import type { Registry } from "./registry.ts";
import type { StrikeBook } from "./strike_book.ts";
import type { Watcher } from "./watcher.ts";

/** The parts of a docket. */
export interface Internals {
  readonly name: string;
  readonly storage: Storage;
  /** How to open the storage again, unless it was given. */
  readonly reopening?: Reopening;
  readonly clock: Clock;
  readonly codec: Codec;
  readonly registry: Registry;
  readonly retention: Retention;
  readonly liveness: Liveness;
  readonly producer: Producer;
  readonly book: StrikeBook;
  readonly watcher: Watcher;
  /** Aborts when the docket closes. */
  readonly closed: AbortSignal;
  /** Closed before the docket is, all at once. */
  readonly workers: Set<AsyncDisposable>;
}

const internals = new WeakMap<Docket, Internals>();

/** Files the parts of a docket. */
export function keepInternals(docket: Docket, parts: Internals): void {
  internals.set(docket, parts);
}

/** The parts of a docket. */
export function internalsOf(docket: Docket): Internals {
  const parts = internals.get(docket);
  if (!parts) throw new TypeError("Cannot use this as a docket: make one with Docket.connect()");
  return parts;
}

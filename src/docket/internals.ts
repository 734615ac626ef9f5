/**
 * What a docket shares with its executions and workers, and with nobody else.
 *
 * @module
 */

import type { Clock, Millis } from "../base/clock.ts";
import type { Codec } from "../base/codec.ts";
import type { Storage } from "../storage/contract.ts";
import type { Docket } from "./docket.ts";
import type { Registry } from "./registry.ts";
import type { Watcher } from "./watcher.ts";

/** How long the records of what ended stay, in milliseconds. */
export interface Retention {
  readonly completed: Millis;
  readonly cancelled: Millis;
  readonly failed: Millis;
}

/** The parts of a docket. */
export interface Internals {
  readonly name: string;
  readonly storage: Storage;
  readonly clock: Clock;
  readonly codec: Codec;
  readonly registry: Registry;
  readonly retention: Retention;
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

/**
 * What the verbs of one storage share.
 *
 * @module
 */

import type { Millis } from "../../base/clock.ts";
import type { Client } from "./client.ts";
import type { Keys } from "./keys.ts";
import { whole } from "./outcome.ts";

/** One docket on one Redis: who calls it, where its keys are, what was heard of its strikes. */
export class Site {
  readonly client: Client;
  readonly keys: Keys;
  /** How long records stay that the storage writes by itself: whole milliseconds. */
  readonly recordTtl: Millis;
  /** What most scripts are told. */
  readonly shared: { readonly recordTtl: string };
  /** The version of the strikes that was heard of last. */
  strikes?: string;

  constructor(client: Client, keys: Keys, recordTtl: Millis) {
    this.client = client;
    this.keys = keys;
    this.recordTtl = whole(recordTtl);
    this.shared = { recordTtl: `${this.recordTtl}` };
  }
}

/**
 * What the verbs of one storage share.
 *
 * @module
 */

import type { Millis } from "../../base/clock.ts";
import type { Client } from "./client.ts";
import type { Keys } from "./keys.ts";
import { whole } from "./outcome.ts";

/** What most scripts are told. */
export type Shared = Readonly<
  Record<"recordPrefix" | "progressPrefix" | "gatePrefix" | "events" | "wake" | "recordTtl", string>
>;

/** One docket on one Redis: who calls it, where its keys are, what was heard of its strikes. */
export class Site {
  readonly client: Client;
  readonly keys: Keys;
  /** How long records stay that the storage writes by itself: whole milliseconds. */
  readonly recordTtl: Millis;
  readonly shared: Shared;
  /** The version of the strikes that was heard of last. */
  strikes?: string;

  constructor(client: Client, keys: Keys, recordTtl: Millis) {
    this.client = client;
    this.keys = keys;
    this.recordTtl = whole(recordTtl);
    const { recordPrefix, progressPrefix, gatePrefix, events, wake } = keys;
    const prefixes = { recordPrefix, progressPrefix, gatePrefix };
    this.shared = { ...prefixes, events, wake, recordTtl: `${this.recordTtl}` };
  }
}

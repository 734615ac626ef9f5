/**
 * What a run must pass before it may begin.
 *
 * @module
 */

import type { Millis } from "../../base/clock.ts";

/** A gate. All who name the same id, of one kind, share it, on the whole docket. */
export type Gate =
  /** At most `max` hold it at once. The rest wait in the order in which they were queued, and are woken. */
  | { readonly kind: "concurrency"; readonly id: string; readonly max: number }
  /** At most `max` pass within any span of `per` milliseconds. The rest come later, in the order in which they came; or never. */
  | {
    readonly kind: "rate";
    readonly id: string;
    readonly max: number;
    readonly per: Millis;
    readonly excess: "wait" | "drop";
  }
  /** Once one has passed, the rest are dropped for `period` milliseconds. */
  | { readonly kind: "cooldown"; readonly id: string; readonly period: Millis }
  /** The last to come passes once no other has come for `quiet` milliseconds; those before it are dropped. */
  | { readonly kind: "debounce"; readonly id: string; readonly quiet: Millis };

/** A run before its gates. */
export interface Entry {
  /** The key of the task. */
  readonly key: string;
  /** The claim it runs under. */
  readonly token: string;
  /** All of them, or none, are passed. The first that refuses decides: drop before others that may have it wait. */
  readonly gates: readonly Gate[];
  /** How long the record stays when it is dropped, in milliseconds. */
  readonly ttl: Millis;
}

/**
 * What became of an {@linkcode Entry}: it `"passed"`, and its concurrency gates are held until its claim is settled with
 * them; it is `"parked"`, waiting for its turn or scheduled for later; it was `"dropped"`: it ended `cancelled`. In both
 * cases the claim is void, as where it was `"fenced"` before.
 */
export type Passage = "passed" | "parked" | "dropped" | "fenced";

/** A concurrency gate that a run holds, to be left with its settlement. */
export type Held = Pick<Extract<Gate, { kind: "concurrency" }>, "id" | "max">;

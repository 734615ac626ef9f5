/**
 * Spans, settlements and comparisons for the tests of the contract.
 *
 * @module
 */

import { deepStrictEqual as deepEqual } from "node:assert/strict";
import { randomId } from "../../base/ids.ts";
import type { Settlement } from "../../storage/contract.ts";

/** How long an abandoned claim lasts here: short, since real storages really wait for it. */
export const LEASE = 120;

/** Longer than {@linkcode LEASE} by enough for a slow machine. */
export const PAST_LEASE = 150;

/** Longer than any test takes. */
export const LONG = 60_000;

/** Settled well; the record outlasts the test. */
export function completed(text = "1|||42"): Settlement {
  return { kind: "completed", text, ttl: LONG };
}

/** Settled badly. */
export function failed(text = "1|||boom"): Settlement {
  return { kind: "failed", text, ttl: LONG };
}

/** The next of a chain. */
export function succeeded(
  parts: Partial<Extract<Settlement, { kind: "succeeded" }>> = {},
): Extract<Settlement, { kind: "succeeded" }> {
  return {
    kind: "succeeded",
    state: "completed",
    text: "1|||42",
    ttl: LONG,
    generation: randomId(),
    due: undefined,
    body: `{"next":1}`,
    ...parts,
  };
}

/** Every field named is as expected; an absent one is `undefined`. */
export function like<T extends object>(actual: T | undefined, expected: Partial<T>): void {
  const shown: Partial<T> = {};
  for (const name of Object.keys(expected) as (keyof T)[]) shown[name] = actual?.[name];
  deepEqual(shown, expected);
}

/** The keys, in order. */
export function keysOf(tasks: readonly { readonly key: string }[]): readonly string[] {
  return tasks.map(({ key }) => key);
}

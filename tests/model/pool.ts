/**
 * The gates that runs are sent to: few, so that runs meet at them.
 *
 * @module
 */

import type { Gate } from "../../src/storage/contract.ts";
import { LONG, SOON, SPELL } from "./times.ts";

/** Of an id with whatever ids may have in them. */
const ODD = "1|🦊\n|2";

/** What there is, by what it is called in a trace. No two share an id and kind: one limit is one limit. */
export const POOL = {
  one: { kind: "concurrency", id: ODD, max: 1 },
  two: { kind: "concurrency", id: "b", max: 2 },
  "short rate": { kind: "rate", id: ODD, max: 1, per: SPELL, excess: "wait" },
  "long rate": { kind: "rate", id: "b", max: 2, per: LONG, excess: "wait" },
  "strict rate": { kind: "rate", id: "c", max: 1, per: SPELL, excess: "drop" },
  "long strict rate": { kind: "rate", id: "d", max: 2, per: LONG, excess: "drop" },
  "short cooldown": { kind: "cooldown", id: ODD, period: SPELL },
  "long cooldown": { kind: "cooldown", id: "b", period: LONG },
  "short debounce": { kind: "debounce", id: ODD, quiet: SOON },
  "long debounce": { kind: "debounce", id: "b", quiet: LONG },
} as const satisfies Record<string, Gate>;

/** What one of them is called. */
export type GateName = keyof typeof POOL;

/**
 * What entries ask for, most of the time one limit of how many run at once. Of the gates that go by the time there is at
 * most one: where it is open whether it refused, the model can tell from what became of the run.
 */
export const ENTRIES: readonly (readonly GateName[])[] = [
  ["one"],
  ["one"],
  ["one"],
  ["one"],
  ["one"],
  ["one"],
  ["two"],
  ["two"],
  ["one", "two"],
  ["two", "one"],
  ["two", "one"],
  ["short rate"],
  ["short rate"],
  ["long rate"],
  ["one", "long rate"],
  ["strict rate"],
  ["long strict rate", "one"],
  ["short cooldown"],
  ["short cooldown"],
  ["one", "long cooldown"],
  ["short debounce"],
  ["short debounce"],
  ["short debounce", "one"],
  ["long debounce"],
];

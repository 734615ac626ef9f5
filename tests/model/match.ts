/**
 * Compares what a storage says with what the model expects, where the model cannot know everything: instants are the
 * storage's own.
 *
 * @module
 */

import { decodeEnding } from "../../src/base/message.ts";

/** Two readings of a clock, between which something happened. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** An instant on the storage's clock: whatever it says first, and from then on that. */
export class Moment {
  /** What the storage said, once it did. */
  shown: number | undefined;

  constructor(shown?: number) {
    this.shown = shown;
  }
}

/** What a storage writes by itself about a run that nobody ended. */
export class Told {
  constructor(readonly attempt: number, readonly worker: string | undefined) {}
}

/** What is expected: everything of the contract's types, but instants as {@linkcode Moment}s. */
export type Expected = Readonly<Record<string, unknown>>;

/** A storage did something else than the model. */
export class Disagreement extends Error {
  override name = "Disagreement";
}

/** @throws {Disagreement} When anything differs. A field that is `undefined` is absent. */
export function match(what: string, expected: unknown, actual: unknown): void {
  if (expected instanceof Moment && typeof actual === "number") {
    expected.shown ??= actual;
    return match(what, expected.shown, actual);
  }
  if (expected instanceof Told && typeof actual === "string") {
    const { attempt, worker, value } = decodeEnding(actual);
    return match(what, { ...expected, value: "" }, { attempt, worker, value });
  }
  if (isObject(expected) && isObject(actual)) {
    for (const name of new Set([...Object.keys(expected), ...Object.keys(actual)])) {
      match(`${what}.${name}`, expected[name], actual[name]);
    }
  } else if (expected !== actual) {
    throw new Disagreement(`${what} is ${show(actual)} where the model has ${show(expected)}`);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !(value instanceof Moment);
}

function show(value: unknown): string {
  return value instanceof Moment ? `an instant` : JSON.stringify(value) ?? "absent";
}

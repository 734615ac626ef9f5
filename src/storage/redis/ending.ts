/**
 * Most of what a record of a completed run says is the same for all of its step: when it started is kept as how long before
 * the end that was, and a first attempt as nothing.
 *
 * @module
 */

import type { Millis } from "../../base/clock.ts";

/** Attempt and start, as `encodeEnding()` writes them. Whatever else a text begins with stays as it is. */
const BEGINNING = /^([1-9]\d*)\|([1-9]\d{0,14})\|/;

/** A text without the start, which is told beside it; `undefined` when it does not say when the run started. */
export function divideEnding(text: string): { started: string; text: string } | undefined {
  const [beginning, attempt, started] = BEGINNING.exec(text) ?? [];
  if (!beginning) return undefined;
  return { started, text: `${attempt === "1" ? "" : attempt}|${text.slice(beginning.length)}` };
}

/** The text again, from one without the start that has the milliseconds from start to end before it. */
export function joinEnding(text: string, endedAt: Millis): string {
  const bar = text.indexOf("|");
  const next = text.indexOf("|", bar + 1);
  const attempt = text.slice(bar + 1, next) || "1";
  return `${attempt}|${endedAt - Number(text.slice(0, bar))}|${text.slice(next + 1)}`;
}

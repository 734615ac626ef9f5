/**
 * How things look as text.
 *
 * @module
 */

import type { Millis } from "../base/clock.ts";
import { cut, pad, widthOf } from "./width.ts";

// Control characters, and those that turn the direction of text or break lines.
// deno-lint-ignore no-control-regex -- finding them is what this is for
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

const SHORT: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** The text without what could drive a terminal: a key or an error message may hold anything. */
export function escapeControls(text: string): string {
  return text.replace(
    CONTROLS,
    (character) =>
      SHORT[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

// Up to the last @: a password with a colon or a slash of its own is no URL, and was meant as one.
const CREDENTIALS = /([a-z][a-z0-9+.-]{0,30}:\/\/)(?:[^\s/:@]*:\S*|[^\s/]*)@/gi;

// A password may stand in the query, too.
const QUERY = /([a-z][a-z0-9+.-]{0,30}:\/\/[^\s?]*)\?\S*/gi;

/** The text without users and passwords of URLs: what is refused is repeated, and may be one in the wrong place. */
export function hideCredentials(text: string): string {
  return text.replace(CREDENTIALS, "$1***@").replace(QUERY, "$1?***");
}

/** How long a cell may be on a terminal before it is cut. */
const WIDEST = 48;

/**
 * A table with a header, as lines, its cells escaped. On a terminal of so many columns the lines are cut to fit, in a pipe
 * nothing is.
 */
export function table(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  columns: number,
): string[] {
  const bounded = Number.isFinite(columns);
  const cells = rows.map((row) =>
    row.map((cell) => bounded ? cut(escapeControls(cell), WIDEST) : escapeControls(cell))
  );
  const widths = header.map((title, i) =>
    Math.max(title.length, ...cells.map((row) => widthOf(row[i])))
  );
  return [header, ...cells].map((row) => {
    const line = row.map((cell, i) => pad(cell, widths[i])).join("  ").trimEnd();
    return bounded ? cut(line, columns) : line;
  });
}

const SPANS: readonly (readonly [unit: string, Millis])[] = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000],
];

/** A span in the two largest units that it has: `2d 3h`, `1m 5s`, `250ms`. */
export function span(millis: Millis): string {
  const rounded = Math.round(millis);
  if (rounded < 1_000) return `${rounded}ms`;
  const first = SPANS.findIndex(([, unit]) => rounded >= unit);
  const [name, unit] = SPANS[first];
  const [nextName, nextUnit] = SPANS[first + 1] ?? [];
  if (nextUnit === undefined) {
    const seconds = Math.floor(rounded / 100) / 10;
    return seconds < 10 ? `${seconds}s` : `${Math.floor(seconds)}s`;
  }
  const rest = Math.floor((rounded % unit) / nextUnit);
  return `${Math.floor(rounded / unit)}${name}${rest > 0 ? ` ${rest}${nextName}` : ""}`;
}

/** An instant as seen from another: `in 5m`, `3s ago`, `now`. */
export function relative(instant: Date | undefined, now: Date): string {
  if (instant === undefined) return "";
  const exact = instant.getTime() - now.getTime();
  if (Math.abs(exact) < 1_000) return "now";
  const away = Math.abs(exact) < 10_000 ? exact : Math.round(exact / 1_000) * 1_000;
  return away > 0 ? `in ${span(away)}` : `${span(-away)} ago`;
}

/** A bar of so many characters. */
export function bar(current: number, total: number, width: number): string {
  const share = total > 0 ? Math.min(1, Math.max(0, current / total)) : 0;
  const full = Math.round(share * width);
  return `[${"#".repeat(full)}${"-".repeat(width - full)}] ${Math.floor(share * 100)}%`;
}

const SIZES = ["B", "KiB", "MiB", "GiB", "TiB"];

/** A number of bytes: `512 B`, `1.5 MiB`. */
export function size(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(SIZES.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1_024 ** power;
  return `${value < 10 && power > 0 ? value.toFixed(1) : Math.round(value)} ${SIZES[power]}`;
}

/** `1 task`, `2 tasks`. */
export function count(number: number, noun: string): string {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}

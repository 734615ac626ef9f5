/**
 * A table that fits into some columns, whatever is in it.
 *
 * @module
 */

import { escapeControls } from "../render.ts";
import { cut, pad, widthOf } from "../width.ts";

/** Between two columns. */
const GAP = "  ";

/** A column that is cut to less than this tells little: rather none. */
const LEAST = 8;

/** More than this of a text is on no screen. */
const LONGEST = 1_000;

/**
 * Rows below a header, as lines, their cells escaped. Where there is no room for all, the widest columns are cut; where
 * that would leave little of them, the last ones are left out.
 */
export function grid(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  columns: number,
): string[] {
  const cells = [header, ...rows.map((row) => row.map(oneLine))];
  const wanted = header.map((_, i) => Math.max(...cells.map((row) => widthOf(row[i]))));
  while (wanted.length > 1 && capOf(wanted, columns) < LEAST) wanted.pop();
  const cap = capOf(wanted, columns);
  const widths = wanted.map((width) => Math.min(width, cap));
  return cells.map((row) =>
    widths.map((width, i) => pad(cut(row[i], width), width)).join(GAP).trimEnd()
  );
}

/** A text of others, in which nothing is left that drives a terminal. */
export function oneLine(text: string): string {
  return escapeControls(text.slice(0, LONGEST));
}

/** How wide a column may be at most, so that all fit. */
function capOf(wanted: readonly number[], columns: number): number {
  let room = columns - GAP.length * (wanted.length - 1);
  const ascending = [...wanted].sort((a, b) => a - b);
  for (const [i, width] of ascending.entries()) {
    const cap = Math.floor(room / (ascending.length - i));
    if (width > cap) return cap;
    room -= width;
  }
  return Infinity;
}

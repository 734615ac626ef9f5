/**
 * Tables one below the other, which share the rows of a screen.
 *
 * @module
 */

import { grid } from "./grid.ts";

/** A table, of which as many rows are shown as there is room for. */
export interface Section {
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** How many rows there would be, where more is known than has a row here; `undefined` when nobody knows. */
  readonly total: number | undefined;
  /** What is said where there is no row, or no room for one. */
  readonly summary: string;
}

/** How much room there is. */
export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** The lines of the sections: no more than there are rows. */
export function stack(sections: readonly Section[], { columns, rows }: Size): string[] {
  const blanks = rows >= 4 * sections.length ? sections.length : 0; // each has its header and two lines then
  const shares = share(sections.map(heightOf), rows - blanks);
  return sections.flatMap((section, i) => [
    ...blanks > 0 ? [""] : [],
    ...render(section, { columns, rows: shares[i] }),
  ]);
}

/** Gives each what it needs; where there is not enough, the same to all that need more than that. */
function share(needs: readonly number[], rows: number): number[] {
  const shares = needs.map(() => 0);
  for (let left = rows; left > 0;) {
    const hungry = [...needs.keys()].filter((i) => shares[i] < needs[i]).slice(0, left);
    if (hungry.length === 0) break;
    for (const i of hungry) shares[i]++;
    left -= hungry.length;
  }
  return shares;
}

function heightOf({ rows, total }: Section): number {
  if (rows.length === 0) return 1;
  return 1 + rows.length + ((total ?? 0) > rows.length ? 1 : 0);
}

function render(section: Section, { columns, rows }: Size): string[] {
  const { header, rows: all, total, summary } = section;
  const fits = rows >= heightOf(section);
  if (rows <= 0) return [];
  if (all.length === 0 || !fits && rows < 3) return [summary];
  const shown = fits ? all : all.slice(0, rows - 2);
  const left = (total ?? all.length) - shown.length;
  const told = total === undefined ? "more" : `${left.toLocaleString("en")} more`;
  return [...grid(header, shown, columns), ...left > 0 ? [`… and ${told}`] : []];
}

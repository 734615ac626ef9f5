/**
 * SVG, written by hand. Text is mid-grey and the background clear, so that it can be read on a light page and on a dark one.
 *
 * @module
 */

/** The colours of series, in order: each is told from the others, and from both backgrounds. */
export const COLORS = ["#3b82d6", "#d9822b", "#2f9e5f", "#a463d0"] as const;

/** Text and axes; and lines that are only there to measure by. */
export const GREY = "#808890";
export const FAINT = "#80889040";

/** Where text stands: at its beginning, its middle or its end. */
export type Anchor = "start" | "middle" | "end";

/** Settings of {@linkcode text}. */
export interface TextOptions {
  /** @default "start" */
  readonly anchor?: Anchor;
  /** @default false */
  readonly bold?: boolean;
  /** @default 12 */
  readonly size?: number;
}

/** A whole picture. `summary` is what is read to who cannot see it. */
export function picture(
  width: number,
  height: number,
  summary: string,
  parts: readonly string[],
): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}"` +
    ` height="${height}" role="img" font-family="system-ui, sans-serif">`,
    `<title>${escape(summary)}</title>`,
    ...parts,
    "</svg>\n",
  ].join("\n");
}

/** A line of text. */
export function text(
  x: number,
  y: number,
  content: string,
  { anchor = "start", bold = false, size = 12 }: TextOptions = {},
): string {
  const weight = bold ? ` font-weight="600"` : "";
  return `<text x="${at(x)}" y="${at(y)}" text-anchor="${anchor}" font-size="${size}"${weight}` +
    ` fill="${GREY}">${escape(content)}</text>`;
}

/** A straight line. */
export function line(x1: number, y1: number, x2: number, y2: number, color: string): string {
  return `<line x1="${at(x1)}" y1="${at(y1)}" x2="${at(x2)}" y2="${at(y2)}" stroke="${color}"/>`;
}

/** A line through points, with a dot on each. */
export function path(points: readonly (readonly [number, number])[], color: string): string {
  const corners = points.map(([x, y]) => `${at(x)},${at(y)}`).join(" ");
  const dots = points.map(([x, y]) => `<circle cx="${at(x)}" cy="${at(y)}" r="3"/>`).join("");
  return `<polyline points="${corners}" fill="none" stroke="${color}" stroke-width="2"/>` +
    `<g fill="${color}">${dots}</g>`;
}

/** A filled rectangle. */
export function bar(x: number, y: number, width: number, height: number, color: string): string {
  return `<rect x="${at(x)}" y="${at(y)}" width="${at(width)}" height="${at(height)}" rx="2"` +
    ` fill="${color}"/>`;
}

/** A coordinate; tenths are enough. */
function at(value: number): string {
  if (!Number.isFinite(value)) throw new RangeError(`Cannot draw at ${value}`);
  return `${Math.round(value * 10) / 10}`;
}

function escape(content: string): string {
  return content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

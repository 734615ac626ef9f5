/**
 * Charts in a part of a picture: lines over an axis of tens, and bars.
 *
 * @module
 */

import { linear, logarithmic } from "./axis.ts";
import { bar, FAINT, GREY, line, path, text } from "./svg.ts";

/** A part of a picture. */
export interface Area {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** A line, by what it stands for. */
export interface Series {
  readonly name: string;
  readonly color: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** A bar, by what it stands for. */
export interface Bar {
  readonly name: string;
  readonly color: string;
  readonly value: number;
}

/** Settings of {@linkcode lineChart}. */
export interface LineOptions {
  /** What is above the chart: what it shows, and in which unit. */
  readonly title: string;
  /** What is below it. */
  readonly below: string;
}

const TITLE = 26;
const FOOT = 40;
const MARGIN = 46;

/** Lines over an axis on which each tenfold is as far. */
export function lineChart(
  area: Area,
  series: readonly Series[],
  { title, below }: LineOptions,
): string[] {
  const [left, right] = [area.left + MARGIN, area.left + area.width - 16];
  const [top, bottom] = [area.top + TITLE, area.top + area.height - FOOT];
  const points = series.flatMap((one) => one.points);
  const across = logarithmic(points.map(([x]) => x), left, right);
  const up = linear(points.map(([, y]) => y), bottom, top);
  return [
    text(area.left, area.top + 12, title, { bold: true }),
    ...up.ticks.flatMap((tick) => [
      line(left, up.place(tick), right, up.place(tick), tick === up.ticks[0] ? GREY : FAINT),
      text(left - 6, up.place(tick) + 4, short(tick), { anchor: "end", size: 11 }),
    ]),
    ...across.ticks.map((tick) =>
      text(across.place(tick), bottom + 16, short(tick), { anchor: "middle", size: 11 })
    ),
    text((left + right) / 2, bottom + 34, below, { anchor: "middle", size: 11 }),
    ...series.map(({ points, color }) =>
      path(points.map(([x, y]) => [across.place(x), up.place(y)]), color)
    ),
  ];
}

/** Lying bars, with their values behind them. */
export function barChart(
  area: Area,
  bars: readonly Bar[],
  { title }: { readonly title: string },
): string[] {
  const names = 210;
  const [left, right] = [area.left + names, area.left + area.width - 60];
  const across = linear(bars.map(({ value }) => value), left, right);
  const row = (area.height - TITLE) / bars.length;
  return [
    text(area.left, area.top + 12, title, { bold: true }),
    ...bars.flatMap(({ name, color, value }, i) => {
      const top = area.top + TITLE + i * row;
      return [
        text(left - 10, top + row / 2 + 4, name, { anchor: "end" }),
        bar(left, top + row * 0.2, across.place(value) - left, row * 0.6, color),
        text(across.place(value) + 8, top + row / 2 + 4, value.toFixed(0)),
      ];
    }),
    line(left, area.top + TITLE, left, area.top + area.height, GREY),
  ];
}

/** What each colour stands for, in one row. */
export function legend(left: number, y: number, series: readonly Series[]): string[] {
  let x = left;
  return series.flatMap(({ name, color }) => {
    const parts = [bar(x, y - 9, 14, 10, color), text(x + 20, y, name)];
    x += 40 + name.length * 7;
    return parts;
  });
}

/** 1,000 and above without their zeros. */
function short(value: number): string {
  if (value >= 1e6) return `${value / 1e6} M`;
  return value >= 1e3 ? `${value / 1e3} k` : `${value}`;
}

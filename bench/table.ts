/**
 * Results as a Markdown table.
 *
 * @module
 */

import { summarize } from "./measure.ts";
import type { Results } from "./results.ts";
import type { Scenario } from "./scenario.ts";

/** A column of the table: its head, and what is in it. */
export interface Column {
  readonly title: string;
  /** What every round found; empty where there is nothing to tell. */
  values(scenario: Scenario, metric: string): readonly number[];
  /** Replaces the digits of the metric. */
  readonly digits?: number;
}

/** What one contender was measured to do. */
export function measured(
  results: Results,
  { name, title }: { readonly name: string; readonly title: string },
): Column {
  return { title, values: (scenario, metric) => results.values(name, scenario, metric) };
}

/** How many times the second is in the first, round by round: what slows both down leaves that alone. */
export function ratio(title: string, first: Column, second: Column): Column {
  return {
    title,
    digits: 2,
    values(scenario, metric) {
      const divisors = second.values(scenario, metric);
      const quotients = first.values(scenario, metric).map((value, i) => value / divisors[i]);
      return quotients.filter(Number.isFinite);
    },
  };
}

/** A row for each metric; in the cells the median and the range of all rounds. */
export function table(scenarios: readonly Scenario[], columns: readonly Column[]): string {
  const rows = [["", ...columns.map(({ title }) => title)]];
  for (const scenario of scenarios) {
    for (const [metric, { label, digits = 0 }] of Object.entries(scenario.metrics)) {
      const cells = columns.map((column) =>
        cell(column.values(scenario, metric), column.digits ?? digits)
      );
      rows.push([`${scenario.title}: ${label}`, ...cells]);
    }
  }
  return markdown(rows);
}

function cell(values: readonly number[], digits: number): string {
  if (values.length === 0) return "–";
  const { median, low, high } = summarize(values);
  const text = format(median, digits);
  return values.length === 1 ? text : `${text} (${format(low, digits)}–${format(high, digits)})`;
}

/** A number with so many digits behind the point. */
export function format(value: number, digits: number): string {
  return value.toLocaleString("en", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}

/** A table as `deno fmt` would write it. */
export function markdown([head, ...body]: readonly string[][]): string {
  const widths = head.map((_, i) => Math.max(...[head, ...body].map((row) => row[i].length)));
  const line = (row: readonly string[]) =>
    `| ${row.map((text, i) => text.padEnd(widths[i])).join(" | ")} |`;
  const rule = line(widths.map((width) => "-".repeat(width)));
  return [line(head), rule, ...body.map(line)].join("\n");
}

/**
 * Results as a Markdown table.
 *
 * @module
 */

import { summarize } from "./measure.ts";
import type { Results } from "./results.ts";
import { type Scenario, type StorageName, STORAGES } from "./scenario.ts";

const NAMES: Readonly<Record<StorageName, string>> = { memory: "memory", redis: "Redis" };

/** A row for each metric, a column for each storage; in the cells the median and the range of all rounds. */
export function table(scenarios: readonly Scenario[], results: Results): string {
  const rows = [["", ...STORAGES.map((storage) => NAMES[storage])]];
  for (const scenario of scenarios) {
    for (const [metric, { label, digits = 0 }] of Object.entries(scenario.metrics)) {
      const cells = STORAGES.map((storage) =>
        cell(results.values(storage, scenario, metric), digits)
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

function format(value: number, digits: number): string {
  return value.toLocaleString("en", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}

function markdown([head, ...body]: readonly string[][]): string {
  const widths = head.map((_, i) => Math.max(...[head, ...body].map((row) => row[i].length)));
  const line = (row: readonly string[]) =>
    `| ${row.map((text, i) => text.padEnd(widths[i])).join(" | ")} |`;
  const rule = `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`;
  return [line(head), rule, ...body.map(line)].join("\n");
}

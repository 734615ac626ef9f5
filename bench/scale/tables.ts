/**
 * What was found, as Markdown.
 *
 * @module
 */

import type { Metric } from "../scenario.ts";
import { format, markdown } from "../table.ts";
import { countsOf, type Findings, median } from "./findings.ts";

/** What a table needs to know of a subject. */
export interface Topic {
  readonly name: string;
  readonly title: string;
  readonly metrics: Readonly<Record<string, Metric>>;
}

/** One table for each subject that something was found of: a row for each metric, a column for each count. */
export function tables(findings: Findings, topics: readonly Topic[]): string {
  return topics.filter(({ name }) => countsOf(findings, name).length > 0)
    .map((topic) => `**${capitalized(topic.title)}**\n\n${tableOf(findings, topic)}`)
    .join("\n\n");
}

/** When it was, on which machine, and with what. */
export function facts({ date, machine, versions }: Findings): string {
  const programs = Object.entries(versions).map(([program, version]) => `${program} ${version}`);
  return [date, machine, ...programs].join(", ");
}

function tableOf(findings: Findings, { name, metrics }: Topic): string {
  const counts = countsOf(findings, name);
  const head = ["", ...counts.map((count) => format(count, 0))];
  const rows = Object.entries(metrics).map(([metric, { label, digits = 0 }]) => {
    const cells = counts.map((count) => median(findings, name, count, metric));
    return [label, ...cells.map((value) => value === undefined ? "–" : format(value, digits))];
  });
  return markdown([head, ...rows]);
}

function capitalized(text: string): string {
  return text[0].toUpperCase() + text.slice(1);
}

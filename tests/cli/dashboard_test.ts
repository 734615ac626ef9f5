/**
 * `docs/grafana.json` and `docs/production.md` ask for metrics that there are, and know them all.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { before, test } from "node:test";
import { parser } from "@prometheus-io/lezer-promql";
import { metricsPage } from "../../src/cli/metrics.ts";
import {
  AGES,
  type Counter,
  COUNTERS,
  HISTOGRAMS,
  type Level,
  LEVELS,
} from "../../src/instrumentation/instruments.ts";
import { meters } from "../../src/instrumentation/meters.ts";
import { parsePrometheus } from "./_prometheus.ts";

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number };
  readonly datasource?: { readonly uid: string };
  readonly targets?: readonly { readonly expr: string; readonly datasource: unknown }[];
}

interface Dashboard {
  readonly schemaVersion: number;
  readonly panels: readonly Panel[];
  readonly templating: {
    readonly list: readonly {
      readonly name: string;
      readonly type: string;
      readonly definition?: string;
    }[];
  };
}

/** Metric → the names that its samples have. */
let scraped: ReadonlyMap<string, readonly string[]>;
let dashboard: Dashboard;
let guide: string;

before(async () => {
  scraped = await scrapeAll();
  const read = (path: string) => readFile(new URL(`../../${path}`, import.meta.url), "utf8");
  dashboard = JSON.parse(await read("docs/grafana.json"));
  guide = await read("docs/production.md");
});

test("docs/grafana.json asks for metrics that there are, and shows them all", () => {
  const asked = new Set(expressionsOf(dashboard).flatMap(metricsIn));

  deepEqual([...asked].filter((name) => !samples().includes(name)), []);
  const unseen = [...scraped].filter(([, names]) => !names.some((name) => asked.has(name)));
  deepEqual(unseen, []);
});

test("docs/grafana.json can be imported into any Grafana", () => {
  const { schemaVersion, panels, templating } = dashboard;

  ok(schemaVersion >= 36);
  equal(new Set(panels.map(({ id }) => id)).size, panels.length);
  equal(new Set(panels.map(({ gridPos: { x, y } }) => `${x} ${y}`)).size, panels.length);
  ok(panels.every(({ gridPos: { x, w } }) => x + w <= 24));
  deepEqual(templating.list.map(({ name, type }) => [name, type]), [
    ["datasource", "datasource"],
    ["docket", "query"],
  ]);
  for (const { title, type, datasource, targets = [] } of panels) {
    if (type === "row") continue;
    equal(datasource?.uid, "${datasource}", title);
    ok(targets.length > 0, title);
    for (const target of targets) deepEqual(target.datasource, datasource, title);
  }
});

test("docs/production.md tells of every metric what it means, and alerts on some", () => {
  const told = [...guide.matchAll(/^\| `(docket_\w+)` /gm)].map(([, name]) => name);
  const alerts = [...guide.matchAll(/^ +expr: (.+)$/gm)].map(([, text]) => text);

  deepEqual(told.sort(), [...scraped.keys()].sort());
  ok(alerts.length > 4);
  deepEqual(alerts.flatMap(metricsIn).filter((name) => !samples().includes(name)), []);
});

test("metricsIn() finds names, and what is no PromQL", () => {
  deepEqual(metricsIn('sum by (task) (rate(a_total{b="c"}[5m])) > on () group_left () d'), [
    "a_total",
    "d",
  ]);
  for (const wrong of ["sum(", "rate(a[)", "a b", ""]) {
    let refused = false;
    try {
      metricsIn(wrong);
    } catch {
      refused = true;
    }
    ok(refused, wrong);
  }
});

function samples(): readonly string[] {
  return [...scraped.values()].flat();
}

function expressionsOf({ panels, templating }: Dashboard): readonly string[] {
  const variables = templating.list.flatMap(({ definition }) =>
    /^label_values\((.+), \w+\)$/.exec(definition ?? "")?.[1] ?? []
  );
  const targets = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
  return [...variables, ...targets.map((expr) => expr.replaceAll("$__rate_interval", "1m"))];
}

/** The metrics that a PromQL expression asks for. */
function metricsIn(expression: string): readonly string[] {
  const names: string[] = [];
  let empty = true;
  parser.parse(expression).iterate({
    enter({ type, from, to, node }) {
      if (type.isError) throw new SyntaxError(`It is no PromQL: ${expression}`);
      empty &&= type.isTop;
      if (type.name === "Identifier" && node.parent?.name === "VectorSelector") {
        names.push(expression.slice(from, to));
      }
    },
  });
  if (empty) throw new SyntaxError("It is empty");
  return names;
}

/** Every metric of the table, as it is scraped. */
async function scrapeAll(): Promise<ReadonlyMap<string, readonly string[]>> {
  const page = await metricsPage();
  const labels = { docket: "all", worker: "all", task: "all" };
  for (const name of Object.keys(COUNTERS)) meters.count(name as Counter, labels);
  for (const name of Object.keys({ ...LEVELS, ...AGES })) meters.set(name as Level, 1, labels);
  const tally = meters.tallies.of(labels);
  for (const name of Object.keys(HISTOGRAMS)) {
    meters.record(name as keyof typeof HISTOGRAMS, 1, tally);
  }
  return new Map(
    [...parsePrometheus(page().text)].map(([name, { samples }]) =>
      [name, [...new Set(samples.map((sample) => sample.name))]] as const
    ),
  );
}

/**
 * What is made of what `deno task scale` found: figures and tables, of the numbers alone.
 *
 * @module
 */

import {
  deepStrictEqual as deepEqual,
  doesNotMatch,
  ok,
  strictEqual as equal,
  throws,
} from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { linear, logarithmic } from "../../bench/scale/axis.ts";
import { withTables } from "../../bench/scale/documents.ts";
import { figures } from "../../bench/scale/figures.ts";
import { countsOf, type Findings, joined, median } from "../../bench/scale/findings.ts";
import { readOptions } from "../../bench/scale/options.ts";
import { subjects } from "../../bench/scale/subjects.ts";
import { line } from "../../bench/scale/svg.ts";

const docs = new URL("../../docs/", import.meta.url);
const STATES = ["pending", "scheduled", "terminal", "waiting"];

test("The same findings give the same figures", () => {
  deepEqual(figures(made()), figures(made()));
});

test("Every state is drawn in every chart, with a dot for every count", () => {
  const { scale_cost, scale_looks, scale_memory } = figures(made());

  for (const [svg, charts] of [[scale_cost, 2], [scale_looks, 4]] as const) {
    equal(count(svg, /<polyline /g), charts * 4);
    equal(count(svg, /<circle /g), charts * (3 + 3 + 3 + 2));
  }
  equal(count(scale_memory, /<rect /g), 4);
});

test("Nothing is drawn outside of a picture, or where there is no number", () => {
  for (const svg of Object.values(figures(made()))) {
    const [, width, height] = /viewBox="0 0 (\d+) (\d+)"/.exec(svg)!.map(Number);

    doesNotMatch(svg, /NaN|Infinity|undefined/);
    for (const [x, y] of pointsOf(svg)) {
      ok(x >= 0 && x <= width && y >= 0 && y <= height, `${x},${y} is not in the picture`);
    }
  }
});

test("What is no number cannot be drawn", () => {
  throws(() => line(0, NaN, 1, 1, "red"), { message: "Cannot draw at NaN" });
});

test("A state that was not measured is left out", () => {
  const { found, ...rest } = made();
  const some = found.filter(({ subject }) => subject !== "waiting");

  const { scale_cost, scale_memory } = figures({ ...rest, found: some });

  equal(count(scale_cost, /<polyline /g), 2 * 3);
  equal(count(scale_memory, /<rect /g), 3);
});

test("A linear axis begins with nothing and ends with a round number above all values", () => {
  const { ticks, place } = linear([3, 17], 100, 0);

  deepEqual(ticks, [0, 5, 10, 15, 20]);
  deepEqual([0, 10, 20].map(place), [100, 50, 0]);
  deepEqual(linear([0.12], 0, 1).ticks, [0, 0.05, 0.1, 0.15]);
  deepEqual(linear([0], 0, 1).ticks, [0, 0.5]);
});

test("On a logarithmic axis each tenfold is as far", () => {
  const { ticks, place } = logarithmic([1_000, 1_000_000], 0, 300);

  deepEqual(ticks, [1_000, 10_000, 100_000, 1_000_000]);
  deepEqual(ticks.map(place), [0, 100, 200, 300]);
  deepEqual(logarithmic([1_000], 0, 1).ticks, [1_000, 10_000]);
});

test("The tables go between the marks of the page, in the place of those that were there", () => {
  const page =
    "# Scale\n\n<!-- begin: written by `deno task figures` -->\nold\n<!-- end -->\nlater\n";

  const once = withTables(page, made());

  ok(once.startsWith("# Scale\n") && once.endsWith("<!-- end -->\nlater\n"));
  ok(!once.includes("old") && once.includes("2026-01-31, 2 × Some CPU, Deno 2.9.0."));
  equal(withTables(once, made()), once);
  throws(() => withTables("# Scale\n", made()), { message: /has no marks/ });
});

test("The documentation shows what is kept beside it", async () => {
  const kept: Findings = JSON.parse(await read("figures/scale.json"));
  const page = await read("scale.md");

  equal(withTables(page, kept), page);
  for (const [name, svg] of Object.entries(figures(kept))) {
    equal(await read(`figures/${name}.svg`), svg);
    ok(page.includes(`(figures/${name}.svg)`), name);
  }
});

test("The middle of the rounds counts, and what was not measured is not made up", () => {
  const findings = made();

  deepEqual(countsOf(findings, "waiting"), [1_000, 10_000]);
  equal(median(findings, "pending", 1_000, "addRedis"), 6);
  equal(median(findings, "pending", 7, "addRedis"), undefined);
  equal(median(findings, "pending", 1_000, "speed"), undefined);
});

test("More rounds go to those before, if they are of the same machine", () => {
  const { found, ...where } = made();
  const before = { ...where, found: found.slice(0, 2) };

  const all = joined(before, { ...made(), found: found.slice(1, 3) });

  deepEqual(all.found.map(({ samples }) => samples.length), [2, 4, 2]);
  throws(() => joined(before, { ...made(), machine: "Another" }), { name: "TypeError" });
});

test("Without options all is measured with up to a million of it, twice", () => {
  deepEqual(readOptions([], subjects), {
    subjects,
    most: 1_000_000,
    rounds: 2,
    json: false,
    save: false,
    more: false,
  });
  deepEqual(
    readOptions(["--only", "strikes", "--most", "100"], subjects).subjects.map(({ name }) => name),
    ["strikes"],
  );
  throws(() => readOptions(["--only", "speed"], subjects), { message: /^Cannot measure "speed"/ });
  throws(() => readOptions(["--most", "1e3"], subjects), {
    message: `Cannot use "1e3" for --most: give a number from 1`,
  });
});

function made(): Findings {
  const metrics = ["addRedis", "drainRedis", "snapshot", "execution", "sweep", "promote", "bytes"];
  const sample = (value: number) =>
    Object.fromEntries(metrics.map((metric, i) => [metric, value * (1 + i / 10)]));
  return {
    date: "2026-01-31",
    machine: "2 × Some CPU",
    versions: { Deno: "2.9.0" },
    found: STATES.flatMap((subject) =>
      [1_000, 10_000, 1_000_000].slice(0, subject === "waiting" ? 2 : 3)
        .map((count) => ({ subject, count, samples: [sample(5), sample(7)] }))
    ),
  };
}

/** Where lines, dots and text are. */
function pointsOf(svg: string): [number, number][] {
  const single = svg.matchAll(/\b(?:x|x1|x2|cx)="([^"]+)" (?:y|y1|y2|cy)="([^"]+)"/g);
  const corners = svg.matchAll(/([\d.-]+),([\d.-]+)/g);
  return [...single, ...corners].map(([, x, y]) => [Number(x), Number(y)]);
}

function count(text: string, pattern: RegExp): number {
  return [...text.matchAll(pattern)].length;
}

function read(name: string): Promise<string> {
  return readFile(new URL(name, docs), "utf8");
}

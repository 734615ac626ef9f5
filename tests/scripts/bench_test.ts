/**
 * What the benchmark makes of its command line and of what it measured. What it measures is not tested: `deno task bench`.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, strictEqual as equal, throws } from "node:assert/strict";
import { test } from "node:test";
import { type Choice, readOptions } from "../../bench/options.ts";
import { Results } from "../../bench/results.ts";
import type { Scenario } from "../../bench/scenario.ts";
import { measured, ratio, table } from "../../bench/table.ts";

const drain = scenario("drain", { rate: { label: "per second" }, sent: { label: "sent" } });
const idle = scenario("idle", { cpu: { label: "CPU ms", digits: 1 } });
const choice: Choice = { all: [drain, idle], compared: [drain] };

test("Without options everything of ours is measured, three times", () => {
  deepEqual(readOptions([], choice), {
    scenarios: [drain, idle],
    rounds: 3,
    json: false,
    peers: false,
  });
});

test("Beside peers is measured what they can do as well", () => {
  deepEqual(readOptions(["--peers", "--rounds", "1"], choice).scenarios, [drain]);
  deepEqual(readOptions(["--peers", "--only", "drain"], choice).scenarios, [drain]);
  throws(() => readOptions(["--peers", "--only", "idle"], choice), {
    name: "TypeError",
    message: `Cannot measure "idle": give drain`,
  });
});

test("A ratio is that of each round, so that a machine that was slow in one does not show", () => {
  const results = new Results();
  for (const [ours, theirs] of [[300, 100], [30, 10], [400, 100]]) {
    results.add("ours", drain, { rate: ours, sent: 1 });
    results.add("theirs", drain, { rate: theirs });
  }
  const ours = measured(results, { name: "ours", title: "Ours" });
  const theirs = measured(results, { name: "theirs", title: "Theirs" });

  const text = table([drain], [ours, theirs, ratio("Ours / Theirs", ours, theirs)]);

  equal(
    text,
    `
|                   | Ours         | Theirs       | Ours / Theirs    |
| ----------------- | ------------ | ------------ | ---------------- |
| drain: per second | 300 (30–400) | 100 (10–100) | 3.00 (3.00–4.00) |
| drain: sent       | 1 (1–1)      | –            | –                |`.trimStart(),
  );
});

test("What was measured once stands without a range", () => {
  const results = new Results();
  results.add("ours", idle, { cpu: 1.25 });

  equal(
    table([idle], [measured(results, { name: "ours", title: "Ours" })]).split("\n").at(-1),
    "| idle: CPU ms | 1.3  |",
  );
  deepEqual(results.toObject(), { ours: { idle: [{ cpu: 1.25 }] } });
});

function scenario(name: string, metrics: Scenario["metrics"]): Scenario {
  const measure = () => Promise.reject(new Error("Nothing is measured here"));
  return { name, title: name, metrics, measure };
}

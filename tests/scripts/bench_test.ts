/**
 * What the benchmark makes of its command line and of what it measured. What it measures is not tested: `deno task bench`.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, strictEqual as equal, throws } from "node:assert/strict";
import { test } from "node:test";
import { judge } from "../../bench/bound.ts";
import { type Choice, readOptions } from "../../bench/options.ts";
import { Results } from "../../bench/results.ts";
import type { Scenario } from "../../bench/scenario.ts";
import { measured, ratio, table } from "../../bench/table.ts";
import { turns } from "../../bench/turns.ts";

const drain = scenario("drain", { rate: { label: "per second" }, sent: { label: "sent" } });
const idle = scenario("idle", { cpu: { label: "CPU ms", digits: 1 } });
const choice: Choice = { all: [drain, idle], core: [drain] };

test("The short form measures the most important once, beside others", () => {
  deepEqual(readOptions([], choice), {
    scenarios: [drain],
    rounds: 1,
    json: false,
    peers: true,
    persistences: ["none"],
    check: false,
  });
});

test("The full form measures everything three times, with each way of persistence", () => {
  const { scenarios, rounds, persistences } = readOptions(["--full"], choice);

  deepEqual({ scenarios, rounds, persistences }, {
    scenarios: [drain, idle],
    rounds: 3,
    persistences: ["none", "aof"],
  });
  deepEqual(readOptions(["--full", "--aof"], choice).persistences, ["aof"]);
});

test("What is named is measured three times, or as often as wanted", () => {
  const { scenarios, rounds, peers } = readOptions(["--only", "idle", "--ours"], choice);

  deepEqual({ scenarios, rounds, peers }, { scenarios: [idle], rounds: 3, peers: false });
  equal(readOptions(["--only", "idle", "--rounds", "2"], choice).rounds, 2);
});

test("What cannot be measured is refused", () => {
  throws(() => readOptions(["--only", "nap"], choice), {
    name: "TypeError",
    message: `Cannot measure "nap": give drain, idle`,
  });
  throws(() => readOptions(["--rounds", "0"], choice), {
    name: "TypeError",
    message: `Cannot use "0" for --rounds: give a number from 1`,
  });
});

test("Each round begins with another one", () => {
  const rounds = [0, 1, 2, 3].map((round) => turns(["ours", "theirs", "floor"], round));

  deepEqual(rounds.map(([first]) => first), ["ours", "theirs", "floor", "ours"]);
  deepEqual(rounds[1], ["theirs", "floor", "ours"]);
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

test("A bound is kept or broken by the middle of all rounds", () => {
  const least = { scenario: drain, metric: "rate", least: 0.4 };

  deepEqual(judge(least, [0.1, 0.5, 0.6]), {
    kept: true,
    text: "drain: per second: 0.50 (0.10–0.60) times the floor, should be at least 0.4",
  });
  equal(judge(least, [0.1, 0.3, 0.6]).kept, false);
  deepEqual(judge({ scenario: idle, metric: "cpu", most: 2 }, [1, 2.5, 3]), {
    kept: false,
    text: "idle: CPU ms: 2.50 (1.00–3.00) times the floor, should be at most 2",
  });
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

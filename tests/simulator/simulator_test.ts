// Whole dockets on a clock and a network that a seed decides. A failure prints the seed and the trace;
// `DOCKET_SEED=<seed> deno task sim` plays it again.
import { deepStrictEqual as deepEqual, ok } from "node:assert/strict";
import { test } from "node:test";
import { simulate } from "../../chaos/simulator/simulate.ts";

/** How many seeds every run of the tests plays; `deno task sim` plays more. */
const SEEDS = 200;

test("a docket keeps every promise, whatever breaks whenever, in 200 histories", async () => {
  let duplicates = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { findings, trace, figures } = await simulate(seed);
    duplicates += figures.duplicates;
    if (findings.length === 0) continue;
    console.log(trace.join("\n"));
    throw new Error(`seed ${seed}; replay with DOCKET_SEED=${seed}\n${findings.join("\n")}`);
  }
  ok(duplicates > 0, "no claim was ever lost: too little breaks");
});

test("simulate() plays the same history for the same seed, and another for another", async () => {
  for (let seed = 1; seed <= 10; seed++) {
    const { trace } = await simulate(seed);

    ok(trace.length > 100);
    deepEqual((await simulate(seed)).trace, trace);
    ok((await simulate(seed + 10)).trace.join() !== trace.join());
  }
});

/**
 * Plays many seeds: `deno task sim --seeds 10000 --seed 1`. It stops at the first that breaks a promise, prints its trace,
 * and exits with 1. `DOCKET_SEED=<seed>` plays that one, and prints its trace in any case.
 *
 * @module
 */

import { env } from "node:process";
import { parseArgs } from "node:util";
import { simulate } from "./simulate.ts";

async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      seeds: { type: "string", default: "10000" },
      seed: { type: "string", default: "1" },
    },
  });
  const replayed = env.DOCKET_SEED;
  const first = Number(replayed ?? values.seed);
  const count = replayed === undefined ? Number(values.seeds) : 1;
  if (!Number.isSafeInteger(first) || !(count >= 1)) {
    console.error("Cannot simulate: give whole numbers as --seeds and --seed");
    return 2;
  }
  const started = performance.now();
  const total = { accepted: 0, runs: 0, duplicates: 0 };
  for (let seed = first; seed < first + count; seed++) {
    const { findings, figures, trace } = await simulate(seed);
    total.accepted += figures.accepted;
    total.runs += figures.runs;
    total.duplicates += figures.duplicates;
    if (findings.length > 0 || replayed !== undefined) console.log(trace.join("\n"));
    if (findings.length === 0) continue;
    console.log(`\nrun ${seed - first + 1}; replay with DOCKET_SEED=${seed}`);
    console.log(findings.join("\n"));
    return 1;
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(
    `${count} seeds in ${seconds} s: ${total.accepted} accepted, ${total.runs} runs, ` +
      `${total.duplicates} of them again; every promise was kept`,
  );
  return 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));

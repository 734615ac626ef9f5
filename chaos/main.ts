/**
 * `deno task chaos`: ten workers and five producers on a Redis of their own, while processes are killed and stopped,
 * connections are cut and Redis dies; then whether every promise was kept. It fails when one was not, and prints the seed:
 * `--seed <n>` has the same things break in the same order again. `--minutes <n>` says for how long, and `--keep` leaves the
 * journal where it was, whatever was found.
 *
 * `--soak` breaks nothing: it looks whether one worker, and Redis, need more memory the longer they work.
 *
 * @module
 */

import { toTable } from "./figures.ts";
import { type Options, readOptions } from "./options.ts";
import { runChaos } from "./run.ts";
import { soak } from "./soak.ts";

async function main({ seed, minutes, soak: isSoak, keep }: Options): Promise<number> {
  if (isSoak) return await soak(minutes * 60_000) ? 0 : 1;
  console.log(`Seed ${seed}, ${minutes} minutes`);
  const outcome = await runChaos({ seed, span: minutes * 60_000, keep });
  const { findings, evidence } = outcome;
  console.log(toTable(outcome));
  if (findings.length === 0) {
    console.log("Every promise was kept: 0 lost, 0 stuck");
    if (evidence !== undefined) console.log(`What happened is in ${evidence}`);
    return 0;
  }
  for (const finding of findings.slice(0, 50)) console.error(finding);
  console.error(`${findings.length} findings with seed ${seed}; what happened is in ${evidence}`);
  return 1;
}

if (import.meta.main) Deno.exit(await main(readOptions(Deno.args)));

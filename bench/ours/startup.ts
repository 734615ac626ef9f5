/**
 * How long the command line takes to be there.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { Docket } from "../../mod.ts";
import type { Place, Sample, Scenario } from "../scenario.ts";

const cli = fileURLToPath(new URL("../../cli.ts", import.meta.url));

/** So often is the fastest looked for: a start that something else slowed down says nothing. */
const TRIES = 5;

/** `docket version` beside an empty script, and `docket worker` until it has claimed a task. */
export const startup = {
  name: "startup",
  title: "start-up",
  metrics: {
    empty: { label: "an empty script, ms" },
    version: { label: "docket version, ms" },
    firstClaim: { label: "docket worker until its first claim, ms" },
  },

  needs: ["docket"],

  async measure({ place }: { readonly place: Place }): Promise<Sample> {
    const empty = await fastest(() => timed(["eval", ""]));
    const version = await fastest(() => timed(["run", "-A", cli, "version"]));
    if (place.storage === "memory") return { empty, version }; // its tasks are in no other process
    return { empty, version, firstClaim: await fastest(() => firstClaim(place)) };
  },
} as const satisfies Scenario;

/** Milliseconds from the start of a worker to that of a task which was there before. */
async function firstClaim({ url }: Place): Promise<number> {
  const name = `startup.${crypto.randomUUID()}`;
  await using docket = await Docket.connect({ name, url });
  const execution = await docket.add("trace")("Howdy!");
  const spawnedAt = Date.now();
  const worker = start(["run", "-A", cli, "worker", "--until-finished"], {
    DOCKET_NAME: name,
    DOCKET_URL: url,
  });
  await execution.result();
  await execution.refresh();
  await worker.status;
  return execution.startedAt!.getTime() - spawnedAt;
}

async function timed(args: readonly string[]): Promise<number> {
  const before = performance.now();
  await start(args).status;
  return performance.now() - before;
}

function start(args: readonly string[], env: Record<string, string> = {}): Deno.ChildProcess {
  const pipes = { stdin: "null", stdout: "null", stderr: "null" } as const;
  return new Deno.Command(Deno.execPath(), { args: [...args], env, ...pipes }).spawn();
}

async function fastest(measure: () => Promise<number>): Promise<number> {
  let best = Infinity;
  for (let i = 0; i < TRIES; i++) best = Math.min(best, await measure());
  return best;
}

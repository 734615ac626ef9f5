/**
 * `deno task bench`: what the docket costs, in memory and on a Redis that this starts for itself, without persistence.
 * Storages and scenarios take turns, so that a machine that drifts drifts for all of them.
 *
 * `--only <name>` measures one scenario, `--rounds <n>` says how often, `--json` gives all that was measured.
 *
 * @module
 */

import { availableParallelism, cpus } from "node:os";
import { Redis } from "ioredis";
import { startRedis } from "../scripts/redis.ts";
import { type Options, readOptions } from "./options.ts";
import { Results } from "./results.ts";
import { type StorageName, STORAGES } from "./scenario.ts";
import { measure, scenarios } from "./scenarios/mod.ts";
import { table } from "./table.ts";

const NOTE = `
Payload {customerId, name}, handler empty, default settings: every guarantee, records kept for 15 minutes.
Each worker has a process of its own; on Redis its tasks come from another one, in memory from the same.`;

const interrupt = new AbortController();

async function main(options: Options): Promise<void> {
  // An interrupt ends the measuring only, so that this process still disposes the server.
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => interrupt.abort(new Error("Interrupted")));
  }
  await using server = await startRedis();
  const admin = new Redis(server.url);
  try {
    const facts = [...machine(), `Redis ${await version(admin)} without persistence`];
    const results = await measureAll(
      options,
      { memory: "memory://bench", redis: server.url },
      admin,
    );
    if (options.json) return print({ facts, results: results.toObject(options.scenarios) });
    console.log(`${facts.join(", ")}; median (range) of rounds: ${options.rounds}\n`);
    console.log(table(options.scenarios, results));
    console.log(NOTE);
  } finally {
    admin.disconnect();
  }
}

async function measureAll(
  { scenarios, rounds }: Options,
  urls: Readonly<Record<StorageName, string>>,
  admin: Redis,
): Promise<Results> {
  const results = new Results();
  for (let round = 1; round <= rounds; round++) {
    for (const scenario of scenarios) {
      for (const storage of STORAGES) {
        interrupt.signal.throwIfAborted();
        tell(`round ${round} of ${rounds}: ${scenario.name} on ${storage}`);
        await admin.flushall();
        results.add(storage, scenario, await measure(scenario, { storage, url: urls[storage] }));
      }
    }
  }
  tell("");
  return results;
}

function machine(): string[] {
  const model = cpus()[0]?.model.trim() || "unknown CPU";
  return [`${availableParallelism()} × ${model}`, `Deno ${Deno.version.deno}`];
}

async function version(admin: Redis): Promise<string> {
  return /^redis_version:(\S+)/m.exec(await admin.info("server"))?.[1] ?? "unknown";
}

/** On one line of the terminal, if there is one: the output itself may go to a file. */
function tell(progress: string): void {
  if (!Deno.stderr.isTerminal()) return;
  Deno.stderr.writeSync(new TextEncoder().encode(`\r\x1b[K${progress}`));
}

function print(value: object): void {
  console.log(JSON.stringify(value, null, 2));
}

if (import.meta.main) await main(readOptions(Deno.args, scenarios));

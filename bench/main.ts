/**
 * `deno task bench`: what the docket costs, in memory and on a Redis that this starts for itself, without persistence.
 * Contenders and scenarios take turns, so that a machine that drifts drifts for all of them.
 *
 * `--only <name>` measures one scenario, `--rounds <n>` says how often, `--json` gives all that was measured. `--peers`
 * measures ours on Redis beside BullMQ, bee-queue and the least that Redis must do; the first time it installs them from npm.
 *
 * @module
 */

import { Redis } from "ioredis";
import { startRedis } from "../scripts/redis.ts";
import { type Contender, storages } from "./contender.ts";
import { processors, tell, versionOf } from "./machine.ts";
import { type Options, readOptions } from "./options.ts";
import { compared, peers, ratios } from "./peers/mod.ts";
import { save } from "./record.ts";
import { Results } from "./results.ts";
import { scenarios } from "./scenarios/mod.ts";
import { measured, table } from "./table.ts";

const NOTE = `
Payload {customerId, name}, handler empty, default settings: every guarantee, records kept for 15 minutes.
Each worker has a process of its own; on Redis its tasks come from another one, in memory from the same.`;

const PEERS = `
BullMQ and bee-queue, in the same Node, keep nothing of what ended; the floor is XADD, XREADGROUP and XACK, pipelined.`;

const interrupt = new AbortController();

async function main(options: Options): Promise<void> {
  // An interrupt ends the measuring only, so that this process still disposes the server.
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => interrupt.abort(new Error("Interrupted")));
  }
  await using server = await startRedis();
  const admin = new Redis(server.url);
  try {
    const contenders = options.peers ? await peers(server.url) : storages(server.url);
    const facts = [
      processors(),
      `Deno ${Deno.version.deno}`,
      `Redis ${await versionOf(admin)} without persistence`,
    ];
    const results = await measureAll(options, contenders, admin);
    const titles = Object.fromEntries(contenders.map(({ name, title }) => [name, title]));
    const data = JSON.stringify({ facts, titles, results: results.toObject() }, null, 2);
    const text = describe(options, facts, contenders, results);
    await save(data, text);
    console.log(options.json ? data : text);
  } finally {
    admin.disconnect();
  }
}

async function measureAll(
  { scenarios, rounds }: Options,
  contenders: readonly Contender[],
  admin: Redis,
): Promise<Results> {
  const results = new Results();
  for (let round = 1; round <= rounds; round++) {
    for (const scenario of scenarios) {
      for (const contender of contenders) {
        interrupt.signal.throwIfAborted();
        tell(`round ${round} of ${rounds}: ${scenario.name}, ${contender.title}`);
        await admin.flushall();
        results.add(contender.name, scenario, await contender.measure(scenario));
      }
    }
  }
  tell("");
  return results;
}

function describe(
  { scenarios, rounds, peers }: Options,
  facts: readonly string[],
  contenders: readonly Contender[],
  results: Results,
): string {
  const columns = contenders.map((contender) => measured(results, contender));
  return [
    `${facts.join(", ")}; median (range) of rounds: ${rounds}\n`,
    table(scenarios, peers ? [...columns, ...ratios(results)] : columns),
    peers ? NOTE + PEERS : NOTE,
  ].join("\n");
}

if (import.meta.main) await main(readOptions(Deno.args, { all: scenarios, compared }));

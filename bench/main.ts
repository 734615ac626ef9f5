/**
 * `deno task bench`: what the docket costs, in memory and on a Redis that this starts for itself, beside BullMQ, bee-queue
 * and the least that Redis must do. The first time it installs those from npm.
 *
 * It takes some minutes and measures the most important scenarios once. `--full` measures all of them three times, on a
 * Redis without persistence and on one with AOF. `--only <name>` measures one scenario, `--rounds <n>` says how often,
 * `--aof` measures with AOF alone, `--ours` without the others, `--json` gives all that was measured.
 *
 * `--check` measures little: whether ours is as near to the floor as it should be, on whatever machine.
 *
 * @module
 */

import { Redis } from "ioredis";
import { startRedis } from "../scripts/redis.ts";
import { check } from "./check.ts";
import { type Contender, inMemory, onRedis } from "./contender.ts";
import { processors, versionOf } from "./machine.ts";
import { type Options, readOptions } from "./options.ts";
import { own } from "./ours/mod.ts";
import { install, version } from "./peers/install.ts";
import { peers } from "./peers/mod.ts";
import { persistence, type PersistenceName } from "./persistence.ts";
import { save } from "./record.ts";
import { type Part, type Report, toData, toText } from "./report.ts";
import { measureAll } from "./rounds.ts";
import { common, core } from "./scenarios/mod.ts";

const interrupt = new AbortController();

async function main(options: Options): Promise<number> {
  // An interrupt ends the measuring only, so that this process still disposes the server.
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => interrupt.abort(new Error("Interrupted")));
  }
  if (options.check) return await check(interrupt.signal);
  const report = await measure(options);
  const [data, text] = [toData(report), toText(report)];
  await save(report.date, data, text);
  console.log(options.json ? data : text);
  return 0;
}

async function measure({ scenarios, rounds, persistences, ...options }: Options): Promise<Report> {
  const date = new Date();
  const withPeers = options.peers && scenarios.some((scenario) => common.includes(scenario));
  if (withPeers) await install();
  const parts: Part[] = [];
  let redis = "unknown";
  for (const name of persistences) {
    await using server = await startRedis({ args: persistence[name].args });
    redis = await redisVersion(server.url);
    const contenders = await contendersOf(name, server.url, withPeers);
    const plan = { url: server.url, scenarios, rounds, contenders, signal: interrupt.signal };
    parts.push({ name, contenders, results: await measureAll(plan) });
  }
  const node = withPeers ? [`Node ${await version("node")}`] : [];
  const facts = [processors(), `Deno ${Deno.version.deno}`, ...node, `Redis ${redis}`];
  return { date, facts, scenarios, rounds, parts };
}

/** In memory it is the same whatever Redis does. */
async function contendersOf(
  name: PersistenceName,
  url: string,
  withPeers: boolean,
): Promise<readonly Contender[]> {
  const ours = name === "none" ? [inMemory, onRedis(url)] : [onRedis(url)];
  return withPeers ? [...ours, ...await peers(url)] : ours;
}

async function redisVersion(url: string): Promise<string> {
  const redis = new Redis(url);
  try {
    return await versionOf(redis);
  } finally {
    redis.disconnect();
  }
}

if (import.meta.main) {
  Deno.exit(await main(readOptions(Deno.args, { all: [...common, ...own], core })));
}

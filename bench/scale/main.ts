/**
 * `deno task scale`: how cost grows with what is on a docket, on a Redis that this starts for itself, without persistence.
 *
 * `--only <name>` measures one subject, `--most <n>` leaves out what is more, `--rounds <n>` says how often, `--json`
 * gives all that was measured. `--save` keeps it for the figures of the documentation, and draws them; `--more` adds it
 * to what was kept before.
 *
 * @module
 */

import { Redis } from "ioredis";
import { startRedis } from "../../scripts/redis.ts";
import { processors, tell, versionOf } from "../machine.ts";
import { save } from "../record.ts";
import type { Place, Sample } from "../scenario.ts";
import { load, publish, store } from "./documents.ts";
import { type Findings, type Found, joined } from "./findings.ts";
import { type Options, readOptions } from "./options.ts";
import type { Subject } from "./subject.ts";
import { fill, measure, subjects } from "./subjects.ts";
import { facts, tables } from "./tables.ts";

const interrupt = new AbortController();

async function main(options: Options): Promise<void> {
  // An interrupt ends the measuring only, so that this process still disposes the server.
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => interrupt.abort(new Error("Interrupted")));
  }
  const date = new Date();
  await using server = await startRedis();
  const admin = new Redis(server.url);
  try {
    const place: Place = { storage: "redis", url: server.url };
    const findings: Findings = {
      date: date.toISOString().slice(0, 10),
      machine: processors(),
      versions: { Deno: Deno.version.deno, Redis: await versionOf(admin) },
      found: await measureAll(options, place, admin),
    };
    const data = JSON.stringify(findings, null, 2);
    const text = `${facts(findings)}\n\n${tables(findings, options.subjects)}`;
    await save(date, data, text, "scale-");
    if (options.save) {
      await store(options.more ? joined(await load(), findings) : findings);
      await publish(await load());
    }
    console.log(options.json ? data : text);
  } finally {
    admin.disconnect();
  }
}

async function measureAll(options: Options, place: Place, admin: Redis): Promise<Found[]> {
  const samples = new Map<Subject, Map<number, Sample[]>>();
  for (let round = 1; round <= options.rounds; round++) {
    for (const subject of options.subjects) {
      const counts = samples.get(subject) ?? new Map<number, Sample[]>();
      samples.set(subject, counts);
      for (const count of subject.counts) {
        if (count > options.most || round > 1 && count > subject.mostRepeated) continue;
        interrupt.signal.throwIfAborted();
        tell(`round ${round} of ${options.rounds}: ${count} ${subject.title}`);
        const sample = await measureOnce(subject, place, count, admin);
        counts.set(count, [...counts.get(count) ?? [], sample]);
      }
    }
  }
  tell("");
  return [...samples].flatMap(([{ name }, counts]) =>
    [...counts].map(([count, samples]) => ({ subject: name, count, samples }))
  );
}

async function measureOnce(
  subject: Subject,
  place: Place,
  count: number,
  admin: Redis,
): Promise<Sample> {
  const before = await usedMemory(admin, "FLUSHALL");
  const filled = await fill(subject, place, count);
  const after = await usedMemory(admin);
  const sample = await measure(subject, place, count, filled);
  return { ...sample, bytes: (after - before) / count };
}

/** Without the scripts, which are the same for one task and for a million. */
async function usedMemory(admin: Redis, ...first: readonly string[]): Promise<number> {
  for (const command of first) await admin.call(command);
  await admin.script("FLUSH");
  return Number(/^used_memory:(\d+)/m.exec(await admin.info("memory"))?.[1]);
}

if (import.meta.main) await main(readOptions(Deno.args, subjects));

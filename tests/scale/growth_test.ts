/**
 * What does not grow with what is on a docket, counted and not timed.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, ok } from "node:assert/strict";
import type { Redis } from "ioredis";
import { randomId } from "../../src/base/ids.ts";
import { type Gate, NEW, type Storage } from "../../src/storage/contract.ts";
import type { Docket } from "../../mod.ts";
import { onOwnRedis, type OwnRedisStage } from "../_harness.ts";

const FEW = 600; // more than Redis keeps in its form for small things
const MANY = 5_000;
const SWEPT = 100;

onOwnRedis("A docket with many tasks", (test) => {
  test("costs as many commands as one with few, where they are queued", async (stage) => {
    await expectNoGrowth(stage, (docket, count) => addMany(docket, count));
  });

  test("costs as many commands as one with few, where they are due later", async (stage) => {
    await expectNoGrowth(stage, (docket, count) => addMany(docket, count, "1h"));
  });

  test("costs as many commands as one with few, where they are in line", async (stage) => {
    await expectNoGrowth(stage, lineUp);
  });
});

type Fill = (docket: Docket, count: number, storage: Storage) => Promise<void>;

async function expectNoGrowth(stage: OwnRedisStage, fill: Fill): Promise<void> {
  const few = await countAll(stage, `${stage.name}.few`, FEW, fill);
  const many = await countAll(stage, `${stage.name}.many`, MANY, fill);

  const { sweep: sweptFew, ...lookedAtFew } = few;
  const { sweep: sweptMany, ...lookedAtMany } = many;
  deepEqual(lookedAtMany, lookedAtFew);
  // Pages are of about so many tasks, each looked at with a few commands.
  ok(Math.max(sweptFew, sweptMany) < SWEPT * 4 + 50, `${sweptFew} and ${sweptMany} commands`);
}

/** The commands of each verb, those that its script calls included. */
async function countAll(
  stage: OwnRedisStage,
  name: string,
  count: number,
  fill: Fill,
): Promise<Record<"add" | "survey" | "remaining" | "promote" | "load" | "sweep", number>> {
  const docket = await stage.connect({ name });
  const storage = await stage.open(name);
  await fill(docket, count, storage);
  const counted = (work: () => Promise<unknown>) => countCommands(stage.admin, work);
  const found = {
    add: await counted(() => docket.add("more", { key: "one" })()),
    survey: await counted(() => storage.survey(10)),
    remaining: await counted(() => storage.remaining()),
    promote: await counted(() => storage.promote(100)),
    load: await counted(() => storage.load(["one"])),
    sweep: await counted(() => storage.sweep({ limit: SWEPT, pause: 0, silence: 60_000 })),
  };
  stage.forget(); // the server goes, and all that is on it
  return found;
}

async function addMany(docket: Docket, count: number, delay?: "1h"): Promise<void> {
  const options = delay ? { delay } as const : {};
  await docket.addAll(Array.from({ length: count }, () => docket.call("work", options)()));
}

/** The first holds the gate, and the rest are turned away. */
async function lineUp(docket: Docket, count: number, storage: Storage): Promise<void> {
  const gates: readonly Gate[] = [{ kind: "concurrency", id: "line", max: 1 }];
  const consumer = `tester~${randomId()}`;
  const read = { consumer, lane: 0, commits: [], want: 1_000, from: NEW, maxDeliveries: 5 };
  await addMany(docket, count);
  for (let call = 0, taken = 0; taken < count; call++) {
    const token = randomId();
    const { claims } = await storage.step({ ...read, call, token });
    await storage.enter(claims.map(({ key }) => ({ key, token, gates, ttl: 60_000 })));
    taken += claims.length;
  }
}

async function countCommands(admin: Redis, work: () => Promise<unknown>): Promise<number> {
  await admin.config("RESETSTAT");
  await work();
  const stats = await admin.info("commandstats");
  const calls = [...stats.matchAll(/^cmdstat_(.+?):calls=(\d+)/gm)];
  // A script is sent again where the server does not know it yet.
  return calls.filter(([, name]) => !/^(?:config|info|eval)/.test(name))
    .reduce((sum, [, , calls]) => sum + Number(calls), 0);
}

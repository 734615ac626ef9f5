/** With Redis full, what takes in work is refused with nothing written, and all else goes on (F19, invariant 78). */

import { deepStrictEqual as deepEqual, rejects, strictEqual as equal } from "node:assert/strict";
import { test } from "node:test";
import { Redis } from "ioredis";
import { startRedis } from "../../scripts/redis.ts";
import { systemClock } from "../../src/base/clock.ts";
import { randomId } from "../../src/base/ids.ts";
import type { Storage } from "../../src/storage/contract.ts";
import { openStorage } from "../../src/storage/open.ts";
import { leave } from "../../src/testing/conformance/gates.ts";
import { Scene } from "../../src/testing/conformance/scene.ts";
import { completed, failed, LONG, succeeded } from "../../src/testing/conformance/shorthands.ts";
import { assertNoLeaks } from "../_leaks.ts";

const LIMITS = { recordTtl: 60_000, commandTimeout: 2_000, connectTimeout: 5_000 };

test("Storage takes in nothing when Redis is full, and goes on with the rest", async () => {
  await using server = await startRedis();
  const admin = new Redis(server.socket, { protocol: 2 });
  const docket = `test-${randomId()}`;
  await using scene = await Scene.open({
    open: () => openStorage(server.url, { docket, clock: systemClock, ...LIMITS }),
    advance: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    check: () => assertNoLeaks(server.url, docket),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
  const { storage } = scene;
  const bad = await scene.running("failed");
  await bad.worker.settle(bad.claim, failed());
  const runs = [await scene.running("a"), await scene.running("b"), await scene.running("c")];
  const gate = { kind: "concurrency", id: "one", max: 1 } as const;
  const gated = [await scene.running("d"), await scene.running("e")];
  const entries = gated.map(({ claim: { key, token } }) => ({
    key,
    token,
    gates: [gate],
    ttl: LONG,
  }));
  const chain = runs[2];
  await storage.seed([{ key: "c", generation: randomId(), due: undefined, body: "" }]);
  await scene.add("lost", { due: { after: LONG } });
  await admin.del(`{${docket}}:due`);
  await scene.add("waits");
  await admin.config("SET", "maxmemory", "1");
  const before = await contents(admin, docket);

  const full = { code: "STORAGE_FULL" };
  for (
    const [verb, call] of Object.entries(refused(storage, bad.generation, runs[0].claim.token))
  ) {
    await rejects(call(), full, verb);
    deepEqual(await contents(admin, docket), before, verb); // nothing half-written
  }

  equal(await storage.strike("rule", true, randomId()), true);
  equal((await storage.strikes()).rules.length, 1);
  equal(await storage.advertise(runs[0].worker.name, LONG, "text"), true);
  equal(await storage.advertise(runs[0].worker.name, LONG, undefined), true);
  await storage.withdraw(runs[0].worker.name);
  deepEqual(await storage.enter(entries), ["passed", "parked"]);
  deepEqual(await storage.enter(entries), ["passed", "fenced"]);
  await leave(gated[0].worker, gated[0].claim, gate);
  equal((await scene.live("e")).state, "queued");
  deepEqual(await scene.cancel("e"), ["cancelled"]);
  equal(await runs[0].worker.settle(runs[0].claim, failed()), true);
  const held = { kind: "released", held: true, due: { after: LONG } } as const;
  equal(await runs[1].worker.settle(runs[1].claim, held), true);
  equal(await chain.worker.settle(chain.claim, succeeded({ due: { after: LONG } })), true);
  deepEqual(await scene.cancel("c"), ["cancelled"]);
  equal((await storage.sweep({ limit: 100, pause: 0, silence: LONG })).repaired, 1);
  equal((await storage.parked("failed", 10)).length, 2);
  deepEqual(await storage.discard([{ key: "failed", generation: bad.generation }]), [true]);
  const worker = scene.worker();
  const [claim] = await worker.claim();
  equal(await worker.settle(claim, completed()), true);
  equal((await storage.clear(randomId(), "")).cleared, 2);
  equal((await storage.survey(10)).counts.scheduled, 0);

  await admin.config("SET", "maxmemory", "0");
  admin.disconnect();
  await scene.clear();
});

/** What needs memory for what is not there yet. */
function refused(
  storage: Storage,
  generation: string,
  token: string,
): Readonly<Record<string, () => Promise<unknown>>> {
  const seed = { key: "new", generation: randomId(), due: undefined, body: "" };
  return {
    schedule: () => storage.schedule([{ ...seed, mode: "add" }]),
    "schedule for later": () =>
      storage.schedule([{ ...seed, mode: "replace", key: "waits", due: { after: LONG } }]),
    seed: () => storage.seed([seed]),
    "seed what is live": () => storage.seed([{ ...seed, key: "waits" }]),
    requeue: () => storage.requeue([{ key: "failed", generation, as: randomId() }]),
    report: () => storage.report([{ key: "a", token, progress: { current: 1, total: 2 } }]),
  };
}

/** How each type is read. */
const READ: Readonly<Record<string, (admin: Redis, key: string) => Promise<unknown>>> = {
  string: (admin, key) => admin.get(key),
  hash: (admin, key) => admin.hgetall(key),
  set: (admin, key) => admin.smembers(key),
  zset: (admin, key) => admin.zrange(key, "0", "-1", "WITHSCORES"),
  stream: (admin, key) => admin.xrange(key, "-", "+"),
};

/** Every key, and what is in it. */
async function contents(admin: Redis, docket: string): Promise<Readonly<Record<string, unknown>>> {
  const found: Record<string, unknown> = {};
  for (const key of await admin.keys(`{${docket}}:*`)) {
    found[key] = await READ[await admin.type(key)](admin, key);
  }
  return found;
}

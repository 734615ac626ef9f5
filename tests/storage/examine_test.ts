/** What Redis tells of itself, and what is made of it. */

import { deepStrictEqual as deepEqual, match, strictEqual as equal } from "node:assert/strict";
import { test } from "node:test";
import { Redis } from "ioredis";
import { startRedis } from "../../scripts/redis.ts";
import { systemClock } from "../../src/base/clock.ts";
import { openStorage } from "../../src/storage/open.ts";
import { judgeInfo, mayForget, readInfo, serverOf } from "../../src/storage/redis/info.ts";

const LIMITS = { recordTtl: 1_000, connectTimeout: 5_000, commandTimeout: 5_000 };

test("Storage.examine() finds those who died and left work, once they have been silent for long", async () => {
  await using server = await startRedis();
  const docket = "abandoned";
  await using storage = await openStorage(server.url, { docket, clock: systemClock, ...LIMITS });
  const admin = new Redis(server.socket, { protocol: 2 });
  const stream = `{${docket}}:stream`;
  await admin.xgroup("CREATE", stream, "workers", "0", "MKSTREAM");
  for (const key of ["a", "b"]) await admin.xadd(stream, "*", "k", key);
  await admin.xreadgroup("GROUP", "workers", "gone", "STREAMS", stream, ">");
  await admin.xgroup("CREATECONSUMER", stream, "workers", "here");
  await storage.advertise("here", 60_000, "text");
  await new Promise((resolve) => setTimeout(resolve, 2));
  admin.disconnect();

  const { findings, consumers } = await storage.examine({ silence: 1 });

  equal((await storage.examine()).findings.length, 0);
  deepEqual(findings.map(({ about }) => about), ["consumers"]);
  match(findings[0].text, /^Consumers without a worker: 1; they hold 2 tasks /);
  deepEqual(
    consumers?.map(({ consumer, pending, alive }) => [consumer, pending, alive]).sort(),
    [["gone", 2, false], ["here", 0, true]],
  );
  await storage.withdraw("here");
});

test("Storage.examine() finds no key of a docket whose name is like a pattern of its own", async () => {
  await using server = await startRedis();
  const admin = new Redis(server.socket, { protocol: 2 });
  for (const name of ["a.b", "axb", "a.b.c"]) await admin.set(`{${name}}:r:1`, "x", "PX", 60_000);
  admin.disconnect();
  await using storage = await openStorage(server.url, {
    docket: "a.b",
    clock: systemClock,
    ...LIMITS,
  });

  const { families } = await storage.examine();

  deepEqual(families.map(({ name, keys }) => [name, keys]), [["r:", 1]]);
});

const FRESH = "aof_enabled:0\r\nrdb_saves:0\r\n";

for (
  const [what, text, save, about] of [
    ["a Redis with an append-only file", "redis_version:7.0.15\r\naof_enabled:1\r\n", "", []],
    [
      "one that has made a snapshot",
      "redis_version:7.0.15\r\naof_enabled:0\r\nrdb_saves:2\r\n",
      undefined,
      [],
    ],
    ["one that will make one", `redis_version:7.0.15\r\n${FRESH}`, "3600 1", []],
    ["one that will make none", `redis_version:7.0.15\r\n${FRESH}`, "", ["persistence"]],
    ["one of which that is not known", `redis_version:7.0.15\r\n${FRESH}`, undefined, [
      "persistence",
    ]],
    ["the oldest", "redis_version:6.2.0\r\n", undefined, []],
    ["one that is older", "redis_version:6.0.16\r\n", undefined, ["version"]],
    ["one that is much older", "redis_version:5.0.7\r\n", undefined, ["version"]],
    [
      "a Valkey",
      "redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.0\r\n",
      undefined,
      [],
    ],
    ["one whose version is no number", "redis_version:unstable\r\n", undefined, []],
    ["one that evicts", "redis_version:7.0.15\r\nmaxmemory_policy:allkeys-lfu\r\n", undefined, [
      "eviction",
    ]],
    [
      "one that could not write",
      "aof_enabled:1\r\naof_last_write_status:err\r\nrdb_last_bgsave_status:err\r\n",
      undefined,
      ["disk", "disk"],
    ],
    ["one that says nothing", "", undefined, []],
  ] as const
) {
  test(`judgeInfo() of ${what}: ${about.join(", ") || "nothing"}`, () => {
    deepEqual(judgeInfo(readInfo(text), save).map((finding) => finding.about), about);
  });
}

test("mayForget() goes by the start where snapshots are not counted", () => {
  const started = "aof_enabled:0\r\nserver_time_usec:2000000000\r\nuptime_in_seconds:1000\r\n";

  equal(mayForget(readInfo(`${started}rdb_last_save_time:1000`)), true);
  equal(mayForget(readInfo(`${started}rdb_last_save_time:1500`)), false);
});

test("serverOf() tells Redis from Valkey", () => {
  equal(serverOf(readInfo("redis_version:7.0.15\r\n")), "Redis 7.0.15");
  equal(serverOf(readInfo("redis_version:7.2.4\r\nvalkey_version:8.1.0\r\n")), "Valkey 8.1.0");
  equal(serverOf(readInfo("# Server\r\n")), undefined);
});

/** However many tasks fail or die, so many are kept and no more: what is listed for people must not fill Redis. */

import { deepStrictEqual as deepEqual, strictEqual as equal } from "node:assert/strict";
import { env } from "node:process";
import { test } from "node:test";
import { Redis } from "ioredis";
import { systemClock } from "../../src/base/clock.ts";
import { randomId } from "../../src/base/ids.ts";
import { openStorage } from "../../src/storage/open.ts";
import { Scene } from "../../src/testing/conformance/scene.ts";
import { failed } from "../../src/testing/conformance/shorthands.ts";

const url = env.REDIS_URL;
if (!url) throw new Error("Cannot test what is kept: set REDIS_URL, or run `deno task test`");

const LIMITS = { recordTtl: 60_000, commandTimeout: 5_000, connectTimeout: 5_000 };
const MOST = 10_000;

test("Storage keeps 10,000 of the dead and of the failed, the newest", async () => {
  const docket = `test-${randomId()}`;
  const redis = new Redis(url, { protocol: 2 });
  const key = (name: string) => `{${docket}}:${name}`;
  await using scene = await Scene.open({
    open: () => openStorage(url, { docket, clock: systemClock, ...LIMITS }),
    advance: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
  // As if so many had gone that way, long ago.
  const names = Array.from({ length: MOST }, (_, n) => `old ${n}`);
  await redis.zadd(key("dead"), ...names.flatMap((name, n) => [n, name]));
  await redis.zadd(key("failed"), ...names.flatMap((name, n) => [n, name]));
  await redis.hset(key("graves"), Object.fromEntries(names.map((name) => [name, "D"])));

  const dies = await scene.running("dies");
  await dies.worker.settle(dies.claim, { kind: "dead", text: "1|||boom" });
  const fails = await scene.running("fails");
  await fails.worker.settle(fails.claim, failed());

  const [dead, graves, failures] = [
    await redis.zcard(key("dead")),
    await redis.hlen(key("graves")),
    await redis.zcard(key("failed")),
  ];
  deepEqual([dead, graves, failures], [MOST, MOST, MOST]);
  deepEqual(await redis.hmget(key("graves"), "old 0", "old 1"), [null, "D"]);
  equal(await redis.zscore(key("dead"), "old 0"), null);
  equal(await redis.zscore(key("failed"), "old 0"), null);
  await redis.del(key("dead"), key("graves"), key("failed"));
  await scene.clear();
  redis.disconnect();
});

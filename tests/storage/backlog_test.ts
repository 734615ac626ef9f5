/**
 * How settled entries leave the stream: all below the oldest pending one at once, or one by one where that reaches nothing.
 *
 * @module
 */

import { ok, strictEqual as equal } from "node:assert/strict";
import type { Redis } from "ioredis";
import { onOwnRedis } from "../_harness.ts";

const TASKS = 6_000;

/** Longer than the oldest pending entry may be in the way before entries are deleted one by one. */
const AGE = 3_600_000;

onOwnRedis("A worker", (test) => {
  test("deletes no entries one by one because they have waited for long", async (stage) => {
    const docket = await stage.connect();
    docket.register({ work() {} });
    await docket.addAll(Array.from({ length: TASKS }, () => docket.call("work")()));
    await makeOlder(stage.admin, docket.name);

    await stage.admin.config("RESETSTAT");
    await stage.finish(docket, { concurrency: 100 });
    const stats = await stage.admin.info("commandstats");

    const deletions = Number(/^cmdstat_xdel:calls=(\d+)/m.exec(stats)?.[1] ?? 0);
    ok(deletions < 10, `${deletions} calls of XDEL`); // what an idle step settles goes that way
    equal(await stage.admin.xlen(`{${docket.name}}:stream`), 0);
  });

  test("deletes them one by one while a run that began long ago is in their way", async (stage) => {
    const docket = await stage.connect();
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    docket.register({ hold: () => released, work() {} });
    const { key } = await docket.add("hold")();
    stage.start(docket, { concurrency: 100 });
    const state = `{${docket.name}}:state`;
    await stage.eventually(async () => (await stage.admin.hget(state, key))?.[0] === "R");
    const row = await stage.admin.hget(state, key) ?? "";
    const began = row.replace(/\|(\d{13})(?=\|)/, (_, at) => `|${Number(at) - AGE}`);
    await stage.admin.hset(state, key, began);

    await docket.addAll(Array.from({ length: 2 * TASKS }, () => docket.call("work")()));
    await stage.eventually(async () => await stage.admin.hlen(state) === 1);
    const left = await stage.admin.xlen(`{${docket.name}}:stream`);

    release();
    ok(began !== row && left < TASKS, `${left} entries are left`);
  });
});

/** As if all that is queued had been so for an hour: the ids of entries are their times. */
async function makeOlder(redis: Redis, name: string): Promise<void> {
  const key = (ending: string) => `{${name}}:${ending}`;
  const rows = await redis.hgetall(key("state"));
  const entries = await redis.xrange(key("stream"), "-", "+");
  const older = redis.pipeline().del(key("stream"));
  for (const [id, [, task]] of entries) {
    const [ms, sequence] = id.split("-");
    const before = `${Number(ms) - AGE}-${sequence}`;
    older.xadd(key("stream"), before, "k", task);
    older.hset(key("state"), task, rows[task].replace(id, before));
  }
  await older.exec();
}

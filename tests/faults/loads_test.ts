/**
 * Much of everything: many tasks due at once, many strikes made and taken back, many workers that hardly live.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import type { Redis } from "ioredis";
import { randomId } from "../../src/base/ids.ts";
import { NEW } from "../../src/storage/contract.ts";
import { task } from "../../mod.ts";
import { onOwnRedis, type OwnRedisStage } from "../_harness.ts";

/** Redis must not be blocked for 50 ms; a machine that is busy with other things may be much slower than that. */
const BLOCKED = 500;

const DUE = 200_000;
const STRIKES = 10_000;
const SHORT_LIVED = 1_000;

onOwnRedis("F55 Tasks of which very many are due at once", (test) => {
  test("are queued some hundreds at a time, and Redis answers meanwhile", async (stage) => {
    const docket = await stage.connect();
    const run = new Set<string>();
    docket.register(task("note", ({ key }): void => void run.add(key)));
    const [state, due] = [`{${stage.name}}:state`, `{${stage.name}}:due`];
    for (let n = 0; n < DUE; n += 5_000) {
      const calls = Array.from({ length: 5_000 }, () => docket.call("note", { delay: "1h" })());
      await docket.addAll(calls);
    }
    await stage.admin.zunionstore(due, 1, due, "WEIGHTS", 0); // all of them, long ago
    await stage.admin.config("SET", "slowlog-log-slower-than", `${BLOCKED * 1_000}`);
    await stage.admin.config("RESETSTAT");
    await stage.admin.slowlog("RESET");

    const worker = stage.start(docket, { concurrency: 100 });
    await stage.eventually(async () => await stage.admin.zcard(due) === 0);
    const moves = await commandsOf(stage.admin);
    await stage.eventually(() => run.size > 1_000); // while they are moved, and afterwards, some run
    await stage.soon(worker.close());

    deepEqual(await stage.admin.slowlog("GET", 10), []);
    ok(moves.zrangebyscore >= DUE / 1_000, `${moves.zrangebyscore} calls moved ${DUE} tasks`);
    ok(await stage.admin.hlen(state) > 0);
    stage.forget(); // the server goes, and all that is on it
  });
});

onOwnRedis("F56 Strikes that were made and taken back ten thousand times", (test) => {
  test("leave nothing that anybody would have to read", async (stage) => {
    const docket = await stage.connect();
    await docket.strike({ task: "kept" });
    for (let n = 0; n < STRIKES; n += 500) {
      const some = Array.from({ length: 500 }, (_, i) => ({ task: `task ${n + i}` }));
      await Promise.all(some.map((strike) => docket.strike(strike)));
      await Promise.all(some.map((strike) => docket.restore(strike)));
    }
    const strikes = `{${stage.name}}:strikes`;
    equal(await stage.admin.hlen(strikes), 1);
    ok((await stage.admin.memory("USAGE", strikes) ?? 0) < 1_000);

    await stage.admin.config("RESETSTAT");
    const late = await stage.connect();
    equal((await late.add("kept")()).disposition, "struck");

    const commands = await commandsOf(stage.admin);
    const count = Object.values(commands).reduce((sum, calls) => sum + calls, 0);
    ok(count < 40, JSON.stringify(commands));
  });
});

onOwnRedis("F57 Workers that hardly live", (test) => {
  test("are forgotten when they leave, and later when they only fall silent", async (stage) => {
    const docket = await stage.connect({ heartbeatInterval: 50, missedHeartbeats: 2 });
    const work = task("work", (): void => {});
    docket.register(work);
    const storage = await stage.open();
    for (let n = 0; n < SHORT_LIVED; n += 100) { // they open a lane, look for work, and are never heard of again
      await Promise.all(Array.from({ length: 100 }, (_, i) =>
        storage.step({
          consumer: `silent${n + i}~${randomId()}`,
          lane: 0,
          call: 0,
          token: randomId(),
          commits: [],
          from: NEW,
          want: 1,
          maxDeliveries: 5,
        })));
    }
    equal(await consumersOf(stage), SHORT_LIVED);

    for (let n = 0; n < 100; n += 10) {
      const some = Array.from({ length: 10 }, () => stage.worker(docket, { concurrency: 1 }));
      const execution = await docket.add(work)();
      for (const worker of some) void worker.runForever();
      await stage.soon(execution.result());
      await stage.soon(Promise.all(some.map((worker) => worker.close())));
    }
    ok(await consumersOf(stage) <= SHORT_LIVED); // those that closed are gone

    stage.start(docket, { redeliveryTimeout: 200 });
    await stage.eventually(async () => await consumersOf(stage) === 1);
    equal((await docket.workers()).length, 1);
    const remembered = await stage.admin.hkeys(`{${stage.name}}:calls`);
    deepEqual(remembered.filter((field) => field.startsWith("silent")), []);
  });
});

/** How often each command was called since the statistics were reset. */
async function commandsOf(redis: Redis): Promise<Readonly<Record<string, number>>> {
  const stats = await redis.info("commandstats");
  return Object.fromEntries(
    [...stats.matchAll(/^cmdstat_([^:|]+):calls=(\d+)/gm)].map((
      [, name, calls],
    ) => [name, Number(calls)]),
  );
}

async function consumersOf({ admin, name }: OwnRedisStage): Promise<number> {
  return (await admin.xinfo("CONSUMERS", `{${name}}:stream`, "workers") as unknown[]).length;
}

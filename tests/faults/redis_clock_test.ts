/**
 * The clock of Redis is set, far ahead or back, while tasks wait and run: some run again, some run late, and none is lost.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import { test } from "node:test";
import { startRedis } from "../../scripts/redis.ts";
import { task } from "../../mod.ts";
import { Freezer, OwnRedisStage } from "../_harness.ts";
import { assertNoLeaks } from "../_leaks.ts";
import { processClock } from "./_clocks.ts";

const HOUR = 3_600_000;
const LEASE = 500;
const TASKS = 20;

test("F31 when the clock of Redis is set ahead, all that runs is taken over, and the first runs are fenced", async () => {
  await withClock(async (stage, set) => {
    const freezer = new Freezer();
    stage.afterwards(() => freezer.thaw());
    const docket = await stage.connect({ executionTtl: "24h" });
    const first = await stage.connect({ storage: freezer.around(await stage.open()) });
    const runs: string[] = [];
    let returned = 0;
    const release = Promise.withResolvers<void>();
    const finish = Promise.withResolvers<void>();
    stage.afterwards(() => (release.resolve(), finish.resolve()));
    const hold = task("hold", async ({ worker }): Promise<string> => {
      runs.push(worker.name);
      await (worker.name === "first" ? release : finish).promise;
      if (worker.name === "first") returned++;
      return worker.name;
    });
    for (const each of [docket, first]) each.register(hold);
    const later = await docket.add(hold, { key: "later", delay: HOUR / 2 })();
    const held = [];
    for (let n = 0; n < TASKS; n++) held.push(await docket.add(hold, { key: `${n}` })());
    stage.start(first, { name: "first", redeliveryTimeout: LEASE, concurrency: TASKS });
    await stage.eventually(() => runs.length === TASKS);

    freezer.freeze(); // else it may renew before anybody looks
    await set(HOUR);
    stage.start(docket, { name: "second", redeliveryTimeout: LEASE, concurrency: TASKS + 1 });
    await stage.eventually(() => runs.length === 2 * TASKS + 1); // the jump has made due what was later
    freezer.thaw();
    release.resolve(); // they return, and are settled as if nothing had happened
    await stage.eventually(() => returned === TASKS);
    await stage.sleep(LEASE / 2);
    finish.resolve();
    const taken = [...held, later];
    const names = await stage.soon(Promise.all(taken.map((each) => each.result())));

    deepEqual(new Set(names), new Set(["second"]));
    deepEqual(runs.length, 2 * TASKS + 1);
  });
});

test("F31 when the clock of Redis is set back, leases last longer and tasks are late, and none is lost", async () => {
  await withClock(async (stage, set) => {
    const freezer = new Freezer();
    stage.afterwards(() => freezer.thaw());
    const mortal = await stage.connect({ storage: freezer.around(await stage.open()) });
    const docket = await stage.connect();
    const runs: string[] = [];
    const work = task("work", async ({ key, worker }): Promise<string> => {
      runs.push(key);
      if (worker.name === "mortal") await new Promise(() => {});
      return key;
    });
    for (const each of [docket, mortal]) each.register(work);
    const dying = await mortal.add(work, { key: "dying" })();
    stage.start(mortal, { name: "mortal", redeliveryTimeout: LEASE });
    await stage.eventually(() => runs.length === 1);
    freezer.freeze();
    const due = await docket.add(work, { key: "due", delay: 100 })();
    stage.start(docket, { redeliveryTimeout: LEASE });

    await set(-HOUR);
    const before = await lastEntry(stage);
    const [fresh, soon] = [
      await docket.add(work, { key: "fresh" })(),
      await docket.add(work, { key: "soon", delay: 50 })(),
    ];
    deepEqual(await stage.soon(Promise.all([fresh.result(), soon.result()])), ["fresh", "soon"]);
    const after = await lastEntry(stage);
    ok(isAbove(after, before), `${after} is not above ${before}`); // the stream's ids go on rising
    await stage.sleep(2 * LEASE);
    const late = [(await dying.refresh()).state];
    if (!runs.includes("due")) late.push((await due.refresh()).state);

    await set(0);
    deepEqual(await stage.soon(Promise.all([due.result(), dying.result()])), ["due", "dying"]);
    equal(late[0], "running"); // nobody has taken it over meanwhile
    deepEqual([...runs].sort(), ["due", "dying", "dying", "fresh", "soon"]);
  });
});

test("F31 while the clock of Redis jumps to and fro, every task ends, and each result counts once", async () => {
  await withClock(async (stage, set) => {
    const docket = await stage.connect({ executionTtl: "24h" });
    const work = task("work", async (_, n: number): Promise<number> => {
      await stage.sleep(10);
      return n;
    });
    docket.register(work);
    for (const name of ["one", "two"]) {
      stage.start(docket, {
        name,
        redeliveryTimeout: 2 * LEASE,
        concurrency: 5,
        maxDeliveries: 50,
      });
    }
    const executions = [];
    for (let n = 0; n < 100; n++) {
      if (n % 10 === 0) await set(n % 20 === 0 ? HOUR / 4 : -HOUR / 4);
      executions.push(await docket.add(work, { key: `${n}`, delay: n % 3 * 20 })(n));
      await stage.sleep(2);
    }
    await set(HOUR); // later than anything was due by any of the clocks

    const results = await stage.soon(Promise.all(executions.map((each) => each.result())));

    deepEqual(results, executions.map((_, n) => n));
  });
});

/** With a Redis whose clock can be set. Nothing may be left of the docket. */
async function withClock(
  use: (stage: OwnRedisStage, set: (shift: number) => Promise<void>) => Promise<void>,
): Promise<void> {
  await using clock = await processClock();
  await using server = await startRedis({ env: clock.env });
  const stage = new OwnRedisStage(server);
  try {
    await use(stage, (shift) => clock.set(shift));
    await stage.close();
    stage.admin.disconnect();
    await assertNoLeaks(stage.url, stage.name);
  } finally {
    await stage.close().catch(() => {}); // what the test says matters more
    stage.admin.disconnect();
  }
}

async function lastEntry({ admin, name }: OwnRedisStage): Promise<string> {
  const info = await admin.xinfo("STREAM", `{${name}}:stream`) as unknown[];
  return `${info[info.indexOf("last-generated-id") + 1]}`;
}

function isAbove(id: string, other: string): boolean {
  const [[ms, n], [otherMs, otherN]] = [id, other].map((each) => each.split("-").map(Number));
  return ms > otherMs || ms === otherMs && n > otherN;
}

/**
 * Rolling deploys: what a newer version has written is left to its workers, and never parked, dropped or charged.
 *
 * @module
 */

import {
  deepStrictEqual as deepEqual,
  ok,
  rejects,
  strictEqual as equal,
} from "node:assert/strict";
import { Redis } from "ioredis";
import { randomId } from "../../src/base/ids.ts";
import { type Docket, task, type Worker } from "../../mod.ts";
import { failureOf, onEveryStorage, onRedis, type Stage } from "../_harness.ts";
import { captureLogs } from "../_logs.ts";
import { nextMessage, NextRows, nextStorage } from "./_next_version.ts";

/** Long enough that nobody who lives loses a task by accident, short enough to wait for. */
const LEASE = 400;

const logged = captureLogs();

onEveryStorage("F40 A message of a newer version", (test) => {
  test("is held and charged for nothing, and one who knows it runs it", async (stage) => {
    const docket = await stage.connect();
    await plant(stage, "later", nextMessage("greet", "you"));
    const known = await docket.add(function known() {})();
    const old = stage.start(docket, { name: "old", maxDeliveries: 1 });
    await stage.soon(known.result());
    const execution = await docket.execution("later");
    await stage.eventually(async () => (await execution!.refresh()).state === "scheduled");
    const { attempt, deliveries } = execution!;

    stage.start(await connectNext(stage), { name: "next" });
    await old.close();

    equal(await stage.soon(execution!.result()), "next greets you: 1, 1");
    deepEqual([attempt, deliveries], [1, 0]);
  });

  test("is warned about once, and dead when nobody has known it for too long", async (stage) => {
    const docket = await stage.connect();
    await plant(stage, "one", nextMessage("greet", "you"));
    await plant(stage, "two", nextMessage("greet", "you"));

    stage.start(docket, { unknownTaskTtl: 500 });

    for (const key of ["one", "two"]) {
      const execution = await docket.execution(key);
      const { message } = await stage.soon(failureOf(execution!));
      ok(/version 2/.test(message), message);
      equal(execution!.state, "dead");
    }
    const warned = logged.filter(({ level }) => level === "warning");
    deepEqual(warned.map(({ properties }) => properties.version), [2]);
  });

  test("is for its workers only, while half of all are of either version", async (stage) => {
    const ours = await stage.connect({ tasks: [greet] });
    const old: Worker[] = [];
    for (let n = 0; n < 2; n++) {
      old.push(stage.start(ours, { name: `old ${n}`, concurrency: 4 }));
      stage.start(await connectNext(stage), { name: `next ${n}`, concurrency: 4 });
    }
    const keys = Array.from({ length: 100 }, (_, n) => `${n}`);

    for (const [n, key] of keys.entries()) {
      if (n % 2 === 0) await plant(stage, key, nextMessage("greet", key));
      else await ours.add(greet, { key })(key);
    }

    const executions = await Promise.all(keys.map((key) => ours.execution(key)));
    const results = executions.map((each) => each!.result());
    await stage.soon(Promise.all(results.filter((_, n) => n % 2 === 1)));
    await stage.soon(Promise.all(old.map((worker) => worker.close()))); // else some are held again and again
    const said = await stage.soon(Promise.all(results));
    for (const [n, text] of said.entries()) {
      ok(new RegExp(`^(old|next) \\d greets ${n}: 1, 1$`).test(`${text}`), `${text}`);
      if (n % 2 === 0) ok(`${text}`.startsWith("next"), `${text}`);
    }
  });
});

onRedis("F40 A row of a newer version", (test) => {
  test("is left to its workers, and never parked, moved or dropped", async (stage) => {
    const docket = await stage.connect({ tasks: [greet] });
    await withNext(stage, async (next) => {
      const keys = Array.from({ length: 20 }, (_, n) => `next ${n}`);
      for (const key of keys.slice(10)) await next.schedule(key, 1);
      stage.start(docket, { redeliveryTimeout: LEASE, concurrency: 2 });
      await stage.soon((await docket.add(greet)("first")).result());
      for (const key of keys.slice(0, 10)) await next.queue(key);
      const beside = await Promise.all(keys.map((key) => docket.add(greet)(key)));
      await stage.soon(Promise.all(beside.map((each) => each.result())));
      await stage.sleep(2 * LEASE); // looked at by promote, step, reclaim and sweep, again and again
      deepEqual(next.ran, []);
      for (const [n, key] of keys.entries()) {
        const [row, due] = await next.look(key);
        ok(row?.startsWith("N"), key);
        if (n < 10) equal(due, null);
        else ok(Number(due) > 1, key); // looked at, and put off
      }
      deepEqual(await docket.dead(), []);

      await stage.eventually(async () => {
        await next.work(LEASE / 2);
        return next.ran.length === keys.length;
      });

      deepEqual([...next.ran].sort(), keys.sort()); // each of them once
    });
  });

  test("refuses whoever would change it, and stops nobody else", async (stage) => {
    const docket = await stage.connect({ tasks: [greet] });
    await withNext(stage, async (next) => {
      await next.queue("next");
      await next.schedule("due", Date.now() + 3_600_000);
      const before = [await next.look("next"), await next.look("due")];

      for (const key of ["next", "due"]) {
        const beside = docket.add(greet)("beside"); // in the same call
        await rejects(docket.add(greet, { key })("you"), { code: "PROTOCOL" });
        await rejects(docket.replace(greet, { key })("you"), { code: "PROTOCOL" });
        await rejects(docket.cancel(key), { code: "PROTOCOL" });
        await rejects(docket.execution(key), { code: "PROTOCOL" });
        equal((await beside).disposition, "scheduled");
      }
      equal(await docket.clear(), 2); // those beside them
      equal((await docket.snapshot()).queued.length, 0);
      deepEqual([await next.look("next"), await next.look("due")], before);

      const worker = stage.start(docket, { redeliveryTimeout: LEASE });
      await stage.soon((await docket.add(greet)("you")).result());
      await stage.eventually(async () => {
        await next.work(LEASE / 2);
        return next.ran.length === 2;
      });
      await worker.close();
    });
  });
});

const greet = task("greet", ({ worker, execution }, whom: string): string => {
  return `${worker.name} greets ${whom}: ${execution.attempt}, ${execution.deliveries}`;
});

/** As a process of the next version connects. */
async function connectNext(stage: Stage): Promise<Docket> {
  return await stage.connect({ storage: nextStorage(await stage.open()), tasks: [greet] });
}

async function plant(stage: Stage, key: string, body: string): Promise<void> {
  const storage = await stage.open();
  const call = { key, generation: randomId(), mode: "add", due: undefined, body } as const;
  await storage.schedule([call]);
}

async function withNext(stage: Stage, use: (next: NextRows) => Promise<void>): Promise<void> {
  const redis = new Redis(stage.url, { protocol: 2 });
  const next = new NextRows(redis, stage.name);
  try {
    await use(next);
    await next.leave();
  } finally {
    redis.disconnect();
  }
}

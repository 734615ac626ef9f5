/**
 * Tasks that nobody knows yet: held, charged for nothing, and run once somebody does (invariant 38).
 *
 * @module
 */

import { deepStrictEqual as deepEqual, strictEqual as equal } from "node:assert/strict";
import { type Execution, task } from "../../mod.ts";
import { onEveryStorage, onMemory } from "../_harness.ts";
import { captureLogs } from "../_logs.ts";

const logged = captureLogs();

onEveryStorage("An unknown task", (test) => {
  test("is held, and runs once its worker knows it", async (stage) => {
    const producer = await stage.connect();
    const consumer = await stage.connect();
    const seen: [text: string, attempt: number, deliveries: number][] = [];
    const late = task("late", ({ execution: { attempt, deliveries } }, text: string): string => {
      seen.push([text, attempt, deliveries]);
      return text;
    });
    const execution = await producer.add<typeof late>("late")("hello");
    stage.start(consumer, { maxDeliveries: 1 });
    await stage.eventually(async () => (await execution.refresh()).state === "scheduled");
    const { attempt, deliveries, worker } = execution;

    consumer.register(late);

    equal(await stage.soon(execution.result()), "hello");
    deepEqual([attempt, deliveries, worker], [1, 0, undefined]); // charged for nothing
    deepEqual(seen, [["hello", 1, 1]]);
  });

  // A rolling deploy
  test("goes to another worker that knows it", async (stage) => {
    const old = await stage.connect();
    const current = await stage.connect();
    const fresh = task("fresh", ({ worker }): string => worker.name);
    const execution = await old.add<typeof fresh>("fresh")();
    const worker = stage.start(old, { name: "old" });
    await stage.eventually(async () => (await execution.refresh()).state === "scheduled");

    current.register(fresh);
    stage.start(current, { name: "current" });
    await worker.close();

    equal(await stage.soon(execution.result()), "current");
    equal(execution.attempt, 1);
  });

  test("does not keep others from running", async (stage) => {
    const docket = await stage.connect();
    function known(): string {
      return "known";
    }
    for (let n = 0; n < 20; n++) await docket.add(`unknown ${n}`)();
    const execution = await docket.add(known)();

    stage.start(docket, { concurrency: 2 });

    equal(await stage.soon(execution.result()), "known");
  });

  test("can be cancelled and replaced", async (stage) => {
    const docket = await stage.connect();
    function known(): string {
      return "known";
    }
    const one = await docket.add("unknown", { key: "one" })();
    const two = await docket.add("unknown", { key: "two" })();
    stage.start(docket);
    await stage.eventually(async () =>
      (await one.refresh()).state === "scheduled" && (await two.refresh()).state === "scheduled"
    );

    equal(await docket.cancel("one"), "cancelled");
    const replacement = await docket.replace(known, { key: "two" })();

    equal(await stage.soon(replacement.result()), "known");
  });

  test("is warned about once per name", async (stage) => {
    const docket = await stage.connect();
    const executions: Execution[] = [];
    for (let n = 0; n < 6; n++) executions.push(await docket.add(`unknown ${n % 2}`)());

    stage.start(docket);
    await stage.eventually(async () => {
      await Promise.all(executions.map((execution) => execution.refresh()));
      return executions.every(({ state }) => state === "scheduled");
    });

    const warned = logged.map(({ level, properties }) => `${level} ${properties.task}`);
    deepEqual(warned.sort(), ["warning unknown 0", "warning unknown 1"]);
  });
});

onMemory("An unknown task", (test) => {
  test("is tried again after a second, then after longer and longer, up to a minute", async (stage) => {
    const storage = await stage.open();
    const docket = await stage.connect();
    const begin = stage.clock.now();
    const execution = await docket.add("unknown")();
    stage.start(docket);
    await stage.advance(1);
    const tries: number[] = [];

    for (let last = 0; tries.length < 9;) {
      const [{ live }] = await storage.load([execution.key]);
      const due = live!.due! - begin;
      if (due !== last) tries.push(due - last);
      last = due;
      await stage.advance(1_000);
    }

    deepEqual(tries, [1, 2, 4, 8, 16, 32, 60, 60, 60].map((seconds) => seconds * 1_000));
    deepEqual(logged.length, 1);
  });
});

onMemory("A burst of unknown tasks", (test) => {
  // 38: the delay grows from try to try, and not from one execution to the next
  test("is held for one second, all of it", async (stage) => {
    const docket = await stage.connect();
    const executions = await Promise.all(
      Array.from({ length: 10 }, () => docket.add("nobody knows")()),
    );
    const start = stage.clock!.now();
    stage.start(docket);
    await stage.advance(1);

    for (const execution of executions) await execution.refresh();

    deepEqual(
      new Set(executions.map(({ when }) => Math.round((when!.getTime() - start) / 1_000))),
      new Set([1]),
    );
  });
});

/**
 * What `schedule` promises of adding.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import type { Test } from "./scene.ts";
import { completed, keysOf, like, LONG } from "./shorthands.ts";

/** Declares them. */
export function scheduleTests(test: Test): void {
  test("Storage.schedule() queues a task that is due now", async (scene) => {
    const { verdict, generation, body } = await scene.add("a");

    deepEqual(verdict, { kind: "scheduled" });
    const { live, deferred, ended, dead } = await scene.find("a");
    like(live, { key: "a", generation, state: "queued", attempt: 1, deliveries: 0, body });
    like(live, { cancelled: false, due: undefined, startedAt: undefined });
    like(live, { consumer: undefined, token: undefined });
    deepEqual([deferred, ended, dead], [undefined, undefined, undefined]);
    equal(await scene.storage.count(), 1);
  });

  test("Storage.schedule() waits for replicas, or says that they have not confirmed", async (scene) => {
    const replication = { replicas: 1, timeout: 20 };

    const outcome = await scene.storage.schedule([scene.call("a")], { replication })
      .then(([{ kind }]) => kind, ({ code }) => code);

    ok(outcome === "scheduled" || outcome === "NOT_REPLICATED", String(outcome));
    equal((await scene.live("a")).state, "queued"); // either way
  });

  test("Storage.schedule() keeps a task for its instant", async (scene) => {
    const at = Date.UTC(2100, 0, 1);

    const { generation, verdict } = await scene.add("a", { due: { at } });

    deepEqual(verdict, { kind: "scheduled" });
    like(await scene.live("a"), { generation, state: "scheduled", due: at, attempt: 1 });
    deepEqual(await scene.worker().claim(), []);
  });

  test("Storage.schedule() measures a delay on the storage's clock", async (scene) => {
    await scene.add("a", { due: { after: LONG } }); // invariant 79: the caller's clock has no say

    const { next = 0 } = await scene.storage.promote(10);
    equal((await scene.live("a")).state, "scheduled");
    ok(next <= LONG && next > LONG - 5_000, `due in ${next} ms`);
  });

  test("Storage.now() is the time by which delays are measured", async (scene) => {
    const before = await scene.storage.now();
    await scene.add("a", { due: { after: LONG } });
    const after = await scene.storage.now();

    const { due = 0 } = await scene.live("a");
    ok(before + LONG <= due && due <= after + LONG, `${before} + ${LONG}, ${due}, ${after}`);
  });

  test("Storage.schedule() queues at once what was due in the past", async (scene) => {
    await scene.storage.schedule([
      scene.call("past", { due: { at: 1_000 } }), // invariant 45
      scene.call("no delay", { due: { after: 0 } }),
    ]);

    like(await scene.live("past"), { state: "queued", due: 1_000 });
    like(await scene.live("no delay"), { state: "queued" });
  });

  test("Storage.schedule() tells apart what is due by now and what is not", async (scene) => {
    const before = await scene.storage.now();
    await scene.storage.schedule([
      scene.call("past", { due: { at: before - 1_000 } }),
      scene.call("at once"),
      scene.call("future", { due: { at: before + LONG } }),
      scene.call("later", { due: { after: LONG } }),
    ]);

    like(await scene.live("past"), { state: "queued", due: before - 1_000 });
    like(await scene.live("at once"), { state: "queued", due: undefined });
    like(await scene.live("future"), { state: "scheduled", due: before + LONG });
    equal((await scene.live("later")).state, "scheduled");
    const claims = await scene.worker().claim();
    deepEqual(claims.map(({ key, due }) => [key, due]), [
      ["past", before - 1_000],
      ["at once", undefined],
    ]);
  });

  test("Storage.schedule() takes any instant, and fractions of a millisecond", async (scene) => {
    const end = 8.64e15; // the last instant of a Date
    await scene.storage.schedule([
      scene.call("last", { due: { at: end } }),
      scene.call("fraction", { due: { after: 20.5 } }),
    ]);

    equal((await scene.live("last")).due, end);
    await scene.advance(40);
    equal((await scene.storage.promote(10)).promoted, 1);
    const worker = scene.worker();
    const [claim] = await worker.claim();
    equal(claim.key, "fraction");
    await worker.settle(claim, { kind: "completed", text: "t", ttl: 60_000.5 });
    equal((await scene.ended("fraction")).text, "t");
  });

  test("Storage.schedule() changes nothing when it adds a key that is queued", async (scene) => {
    const first = await scene.add("a");

    const { verdict } = await scene.add("a", { due: { after: LONG }, body: "second" });

    // Invariant 7: the first call's time and arguments stay.
    ok(verdict.kind === "exists");
    like(verdict.live, { generation: first.generation, state: "queued", body: first.body });
    like(await scene.live("a"), { generation: first.generation, body: first.body, due: undefined });
    equal((await scene.find("a")).ended, undefined);
    equal((await scene.worker().claim()).length, 1);
  });

  test("Storage.schedule() changes nothing when it adds a key that is scheduled", async (scene) => {
    const at = Date.UTC(2100, 0, 1);
    const first = await scene.add("a", { due: { at } });

    const { verdict } = await scene.add("a", { body: "second" });

    ok(verdict.kind === "exists");
    like(verdict.live, { generation: first.generation, state: "scheduled", due: at });
    like(await scene.live("a"), { generation: first.generation, state: "scheduled", due: at });
    deepEqual(await scene.worker().claim(), []);
  });

  test("Storage.schedule() changes nothing when it adds a key that runs", async (scene) => {
    const { claim } = await scene.running("a");

    const { verdict } = await scene.add("a"); // invariant 2

    ok(verdict.kind === "exists");
    like(verdict.live, { generation: claim.generation, state: "running", token: claim.token });
    equal((await scene.find("a")).deferred, undefined);
  });

  test("Storage.schedule() adds a key again as soon as its run has ended", async (scene) => {
    const { worker, claim } = await scene.running("a");
    await worker.settle(claim, completed());

    const { verdict, generation } = await scene.add("a"); // invariant 2

    deepEqual(verdict, { kind: "scheduled" });
    like(await scene.live("a"), { generation, state: "queued", attempt: 1, deliveries: 0 });
    equal((await scene.ended("a")).generation, claim.generation);
  });

  test("Storage.schedule() keeps a task for longer than the record of its key", async (scene) => {
    const { worker, claim } = await scene.running("a");
    await worker.settle(claim, { kind: "completed", text: "", ttl: 40 });
    const { generation } = await scene.add("a", { due: { after: 60 } });

    await scene.advance(100);
    await scene.storage.promote(10);

    // Invariants 15, 22: a record that is gone never means that the task is, or that it is superseded.
    const [again] = await scene.worker().claim();
    equal(again?.generation, generation);
    equal((await scene.find("a")).ended, undefined);
  });

  test("Storage.schedule() works through its calls in order, also for one key twice", async (scene) => {
    const { storage } = scene;
    const calls = [
      scene.call("a"),
      scene.call("b"),
      scene.call("a", { body: "ignored" }),
      scene.call("b", { mode: "replace", body: "new b" }),
      scene.call("b", { due: { after: LONG } }),
    ];

    const verdicts = await storage.schedule(calls);

    const kinds = verdicts.map(({ kind }) => kind);
    deepEqual(kinds, ["scheduled", "scheduled", "exists", "scheduled", "exists"]);
    like(await scene.live("a"), { generation: calls[0].generation });
    like(await scene.live("b"), { generation: calls[3].generation, body: "new b" });
    like(await scene.ended("b"), { generation: calls[1].generation, reason: "replaced" });
    equal(await storage.count(), 2);
    equal((await scene.worker().claim()).length, 2);
  });

  test("Storage.schedule() accepts exactly one of many adds of a key", async (scene) => {
    const handles = [scene.storage, await scene.another(), await scene.another()];

    const verdicts = await Promise.all(
      Array.from({ length: 90 }, (_, i) => handles[i % 3].schedule([scene.call("a")])),
    );

    // Invariant 18.
    equal(verdicts.filter(([{ kind }]) => kind === "scheduled").length, 1);
    equal((await scene.worker().claim()).length, 1);
  });

  test("Storage.schedule() queues first come, first served", async (scene) => {
    await scene.add("a");
    await scene.storage.schedule([scene.call("c"), scene.call("b")]);

    deepEqual(keysOf(await scene.worker().claim()), ["a", "c", "b"]);
  });

  test("Storage.schedule() takes a thousand calls, and none", async (scene) => {
    const calls = Array.from({ length: 1_000 }, (_, i) => scene.call(`key ${i}`));

    const verdicts = await scene.storage.schedule(calls);

    equal(verdicts.filter(({ kind }) => kind === "scheduled").length, 1_000);
    equal(await scene.storage.count(), 1_000);
    deepEqual(await scene.storage.schedule([]), []);
  });

  test("Storage.schedule() takes thousands of calls, new ones and others", async (scene) => {
    const several = (count: number, body: string) =>
      Array.from({ length: count }, (_, i) => scene.call(`key ${i}`, { body: `${body} ${i}` }));
    const calls = several(4_500, "first");

    const verdicts = await scene.storage.schedule(calls);
    const others = await scene.storage.schedule(several(4_501, "second"));

    deepEqual(new Set(verdicts.map(({ kind }) => kind)), new Set(["scheduled"]));
    equal(others.filter(({ kind }) => kind === "exists").length, 4_500);
    equal(others[4_500].kind, "scheduled");
    equal(await scene.storage.count(), 4_501);
    for (const i of [0, 999, 1_000, 1_001, 4_000, 4_499]) {
      like(await scene.live(`key ${i}`), { generation: calls[i].generation, body: `first ${i}` });
    }
  });

  test("Storage.schedule() never looks into a body", async (scene) => {
    const bodies = ["", "\0", "a|b\n{}", '"', "🦊", "+5", "x".repeat(10_000)];
    const running = await scene.running("d");
    await scene.replace("d", { body: "|1|\0\n", due: { after: LONG } });
    await scene.storage.schedule(bodies.map((body, i) => scene.call(`${i}`, { body })));

    const claims = await scene.worker().claim(bodies.length);

    deepEqual(claims.map(({ body }) => body), bodies);
    equal((await scene.find("d")).deferred?.body, "|1|\0\n");
    await running.worker.settle(running.claim, completed());
    equal((await scene.live("d")).body, "|1|\0\n");
  });

  test("Storage.schedule() shares nothing with another docket", async (scene) => {
    const neighbour = await scene.neighbour(); // invariant 8: `a` and `a.b`
    if (!neighbour) return;

    await scene.add("a");

    equal(await neighbour.count(), 0);
    equal((await scene.find("a", neighbour)).live, undefined);
    deepEqual(await scene.worker(neighbour).claim(), []);
    equal((await scene.live("a")).state, "queued");
  });
}

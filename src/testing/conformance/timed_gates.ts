/**
 * What `enter` promises of gates that go by the time: rates, cooldowns, debounces (invariants 61, 62).
 *
 * @module
 */

import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import type { Claim, Gate, Passage } from "../../storage/contract.ts";
import { claimed, enter, entry, leave, ONE } from "./gates.ts";
import type { Scene, Test } from "./scene.ts";
import { keysOf, like, LONG } from "./shorthands.ts";
import type { Worker } from "./worker.ts";

/** Declares them. */
export function timedGateTests(test: Test): void {
  test("Storage.enter() lets pass so many within any window, and puts the rest off in order", async (scene) => {
    const { claims } = await claimed(scene, ["a", "b", "c", "d", "e"]);
    const gate: Gate = { kind: "rate", id: "r", max: 2, per: LONG, excess: "wait" };
    const before = await scene.storage.now();

    const passages: Passage[] = [];
    for (const claim of claims) passages.push(await enter(scene, claim, gate));

    deepEqual(passages, ["passed", "passed", "parked", "parked", "parked"]);
    const after = await scene.storage.now();
    const due = async (key: string) => (await scene.live(key)).due!;
    for (const [key, windows] of [["c", 1], ["d", 1], ["e", 2]] as const) {
      like(await scene.live(key), { state: "scheduled", deliveries: 0, background: undefined });
      const at = await due(key);
      ok(before + windows * LONG <= at && at <= after + windows * LONG, `${key}: ${at - before}`);
    }
    ok(await due("c") <= await due("d"));
  });

  test("Storage.enter() lets who was put off pass at its time, once", async (scene) => {
    const { worker, claims: [a, b] } = await claimed(scene, ["a", "b"]);
    const gate: Gate = { kind: "rate", id: "r", max: 1, per: 60, excess: "wait" };
    deepEqual([await enter(scene, a, gate), await enter(scene, b, gate)], ["passed", "parked"]);

    await scene.advance(80);
    await scene.storage.promote(10);
    const [again] = await worker.claim();
    const late = await scene.running("late");

    const passages = await scene.storage.enter([entry(again, gate), entry(late.claim, gate)]);

    deepEqual(passages, ["passed", "parked"]);
  });

  test("Storage.enter() has a run before a rate count from when it begins, however late", async (scene) => {
    const per = 300;
    const gate: Gate = { kind: "rate", id: "r", max: 1, per, excess: "wait" };
    const { worker, claims: [first, b, c] } = await claimed(scene, ["first", "b", "c"]);
    for (const claim of [first, b, c]) await enter(scene, claim, gate);
    await scene.advance(per * 1.7);
    await scene.storage.promote(10);
    const [late, soon] = await worker.claim(); // two, where this took very long
    const { from } = await within(
      scene,
      async () => equal(await enter(scene, late, gate), "passed"),
    );
    await scene.advance(per * 0.5);
    await scene.storage.promote(10);
    const third = soon ?? (await worker.claim())[0];

    const passage = await within(scene, async () => await enter(scene, third, gate));

    if (passage.to - from < per) equal(passage.value, "parked"); // its time has come, but not since the late one's
  });

  test("Storage.enter() drops the excess of a rate, where it is to", async (scene) => {
    const { claims } = await claimed(scene, ["a", "b"]);
    const gate: Gate = { kind: "rate", id: "r", max: 1, per: LONG, excess: "drop" };

    const passages = [await enter(scene, claims[0], gate), await enter(scene, claims[1], gate)];

    deepEqual(passages, ["passed", "dropped"]);
    like(await scene.ended("b"), { state: "cancelled", reason: "dropped" });
  });

  test("Storage.enter() drops what comes during a cooldown, but not the run that began it", async (scene) => {
    const { worker, claims: [a, b] } = await claimed(scene, ["a", "b"]);
    const gate: Gate = { kind: "cooldown", id: "c", period: 80 };
    deepEqual([await enter(scene, a, gate), await enter(scene, b, gate)], ["passed", "dropped"]);
    await worker.settle(a, { kind: "retried", due: undefined });
    const [again] = await worker.claim();

    equal(await enter(scene, again, gate), "passed"); // invariant 61
    await scene.advance(100);
    const late = await scene.running("late");
    equal(await enter(scene, late.claim, gate), "passed");
  });

  test("Storage.enter() lets only the last pass a debounce, once things are quiet", async (scene) => {
    const { worker, claims: [a, b, c] } = await claimed(scene, ["a", "b", "c"]);
    const gate: Gate = { kind: "debounce", id: "d", quiet: 60 };

    for (const claim of [a, b, c]) equal(await enter(scene, claim, gate), "parked");
    for (const key of ["a", "b"]) {
      like(await scene.ended(key), { state: "cancelled", reason: "dropped" });
    }
    like(await scene.live("c"), { state: "scheduled" });
    await scene.advance(80);
    await scene.storage.promote(10);
    const [last] = await worker.claim();

    equal(last.key, "c");
    equal(await enter(scene, last, gate), "passed");
    equal(await enter(scene, last, gate), "passed");
    const next = await scene.running("next"); // the first of another burst, beside the one that runs
    equal(await enter(scene, next.claim, gate), "parked");
    like(await scene.live("c"), { state: "running" });
  });

  test("Storage.enter() has a retry pass where it has begun before, and supersede nothing", async (scene) => {
    const { worker, claims: [a] } = await claimed(scene, ["a"]);
    const debounce: Gate = { kind: "debounce", id: "d", quiet: 30 };
    equal(await enter(scene, a, debounce), "parked");
    await scene.advance(50);
    await scene.storage.promote(10);
    const [run] = await worker.claim();
    equal(await enter(scene, run, debounce), "passed");
    const newer = await scene.running("newer");
    equal(await enter(scene, newer.claim, debounce), "parked");

    await worker.settle(run, { kind: "retried", due: undefined });
    const [retried] = await worker.claim();

    equal(await enter(scene, retried, debounce), "passed");
    like(await scene.live("newer"), { state: "scheduled" }); // it still comes, and is the last
    const other = await scene.running("other");
    equal(await enter(scene, other.claim, debounce), "parked");
    like(await scene.ended("newer"), { reason: "dropped" });
    await worker.settle(retried, { kind: "retried", due: undefined });
    const [again] = await worker.claim();
    const rate: Gate = { kind: "rate", id: "r", max: 1, per: LONG, excess: "drop" };
    const cooldown: Gate = { kind: "cooldown", id: "c", period: LONG };
    const first = await scene.running("first");
    equal(await enter(scene, first.claim, cooldown, rate), "passed");
    equal(await enter(scene, again, cooldown), "passed"); // a third attempt is no other run
    await worker.settle(again, { kind: "retried", due: undefined });
    const [fourth] = await worker.claim();
    equal(await enter(scene, fourth, rate), "parked"); // later, but not dropped
  });

  test("Storage.enter() drops an older one that is queued again, or in line", async (scene) => {
    const { worker, claims: [a] } = await claimed(scene, ["a"]);
    const gate: Gate = { kind: "debounce", id: "d", quiet: 30 };
    equal(await enter(scene, a, gate), "parked");
    await scene.advance(50);
    await scene.storage.promote(10); // a is queued
    const b = await scene.add("b");
    const claims = await worker.claim();
    const holder = await scene.running("holder");
    equal(await enter(scene, holder.claim, ONE), "passed");
    const older = claims.find(({ key }) => key === "a")!;
    equal(await enter(scene, older, gate, ONE), "parked"); // it is quiet, but the limit is reached
    like(await scene.live("a"), { state: "waiting" });

    equal(await enter(scene, claims.find(({ key }) => key === "b")!, gate, ONE), "parked");

    like(await scene.ended("a"), { state: "cancelled", reason: "dropped" });
    like(await scene.live("b"), { generation: b.generation, state: "scheduled" });
    equal((await scene.storage.survey(10)).counts.waiting, 0);
    await leave(holder.worker, holder.claim, ONE);
  });

  test("Storage.enter() lets a debounce's last pass, also where an older one was about to enter", async (scene) => {
    const { worker, claims: [older] } = await claimed(scene, ["older"]);
    const gate: Gate = { kind: "debounce", id: "d", quiet: 30 };
    equal(await enter(scene, older, gate), "parked");
    const newer = await scene.add("newer"); // queued before the older one is due
    await scene.advance(50);
    await scene.storage.promote(10);
    const claims = await worker.claim();
    deepEqual(keysOf(claims), ["newer", "older"]);

    const passages = await scene.storage.enter(claims.map((claim) => entry(claim, gate)));

    deepEqual(passages, ["parked", "dropped"]); // invariant 62
    like(await scene.ended("older"), { state: "cancelled", reason: "dropped" });
    like(await scene.live("newer"), { generation: newer.generation, state: "scheduled" });
  });

  test("Storage.enter() drops who was given back when a later one has passed a debounce since", async (scene) => {
    const { worker, claims: [a] } = await claimed(scene, ["a"]);
    const gate: Gate = { kind: "debounce", id: "d", quiet: 30 };
    equal(await enter(scene, a, gate), "parked");
    const [run] = await due(scene, worker);
    equal(await enter(scene, run, gate), "passed");
    const b = await scene.running("b");
    equal(await enter(scene, b.claim, gate), "parked");
    await worker.settle(run, { kind: "released", due: undefined });
    const [again] = await worker.claim();
    equal(await enter(scene, again, gate), "passed"); // the later one only waits
    const [later] = await due(scene, b.worker);
    equal(await enter(scene, later, gate), "passed");
    await worker.settle(again, { kind: "released", due: undefined });
    const [late] = await worker.claim();

    equal(await enter(scene, late, gate), "dropped"); // older arguments after newer ones
  });

  test("Storage.enter() has retries pass a debounce that has been forgotten", async (scene) => {
    const { worker, claims } = await claimed(scene, ["a", "another"]);
    const gate: Gate = { kind: "debounce", id: "d", quiet: 30 };
    for (const claim of claims) await worker.settle(claim, { kind: "retried", due: undefined });

    for (const retried of await worker.claim()) {
      equal(await enter(scene, retried, gate), "passed"); // nobody came later
    }
    const b = await scene.running("b");
    equal(await enter(scene, b.claim, gate), "parked");
  });
}

/** What is due after a while, claimed. */
async function due(scene: Scene, worker: Worker): Promise<readonly Claim[]> {
  await scene.advance(50);
  await scene.storage.promote(10);
  return await worker.claim();
}

/** What comes of something, and the storage's instants before and after it. */
async function within<T>({ storage }: Scene, act: () => Promise<T>) {
  const from = await storage.now();
  const value = await act();
  return { from, value, to: await storage.now() };
}

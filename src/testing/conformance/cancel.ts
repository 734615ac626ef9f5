/**
 * What `cancel` promises.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, strictEqual as equal } from "node:assert/strict";
import { randomId } from "../../base/ids.ts";
import type { Settlement } from "../../storage/contract.ts";
import type { Test } from "./scene.ts";
import { completed, failed, like, LONG, PAST_LEASE, succeeded } from "./shorthands.ts";

/** What would go on, if nobody had cancelled it. */
const GOING_ON: readonly Settlement[] = [
  { kind: "retried", due: undefined },
  { kind: "retried", due: { after: LONG } },
  { kind: "released", due: undefined },
  succeeded(),
  succeeded({ state: "failed" }),
];

/** Declares them. */
export function cancelTests(test: Test): void {
  test("Storage.cancel() ends a queued task", async (scene) => {
    const { generation } = await scene.add("a");

    deepEqual(await scene.cancel("a"), ["cancelled"]);

    like(await scene.ended("a"), { generation, state: "cancelled", reason: "cancelled", text: "" });
    equal((await scene.find("a")).live, undefined);
    deepEqual(await scene.worker().claim(), []); // invariant 28
    equal(await scene.storage.count(), 0);
  });

  test("Storage.cancel() ends a scheduled task", async (scene) => {
    await scene.add("a", { due: { after: 20 } });

    deepEqual(await scene.cancel("a"), ["cancelled"]);

    await scene.advance(40);
    deepEqual(await scene.storage.promote(10), { promoted: 0, next: undefined });
    deepEqual(await scene.worker().claim(), []);
  });

  test("Storage.cancel() ends a task that was moved to the queue already", async (scene) => {
    await scene.add("a", { due: { after: 10 } });
    await scene.advance(30);
    await scene.storage.promote(10);

    deepEqual(await scene.cancel("a"), ["cancelled"]);

    deepEqual(await scene.worker().claim(), []); // invariant 28: also when it was already moved
  });

  test("Storage.cancel() ends a task that waits for its retry", async (scene) => {
    const { worker, claim } = await scene.running("a");
    await worker.settle(claim, { kind: "retried", due: { after: LONG } });

    deepEqual(await scene.cancel("a"), ["cancelled"]);

    like(await scene.ended("a"), { generation: claim.generation, state: "cancelled" });
  });

  test("Storage.cancel() changes nothing where nothing is live, or a second time", async (scene) => {
    const { generation } = await scene.add("a");

    const replies = await scene.cancel("nobody", "a", "a");

    // Invariant 55.
    deepEqual(replies, ["none", "cancelled", "none"]);
    deepEqual(await scene.cancel("a"), ["none"]);
    equal((await scene.ended("a")).generation, generation);
    equal((await scene.find("nobody")).ended, undefined);
    deepEqual(await scene.cancel(), []);
  });

  test("Storage.cancel() leaves the record of an ended task alone", async (scene) => {
    const { worker, claim } = await scene.running("a");
    await worker.settle(claim, completed());

    deepEqual(await scene.cancel("a"), ["none"]); // invariant 55: late

    equal((await scene.ended("a")).state, "completed");
  });

  test("Storage.cancel() frees a waiting key at once", async (scene) => {
    await scene.add("a");
    await scene.cancel("a");

    const { verdict, generation } = await scene.add("a"); // invariant 4

    deepEqual(verdict, { kind: "scheduled" });
    deepEqual((await scene.worker().claim()).map((claim) => claim.generation), [generation]);
  });

  test("Storage.cancel() asks a running task to stop, by a durable mark", async (scene) => {
    const { worker, claim } = await scene.running("a");

    deepEqual(await scene.cancel("a"), ["requested"]);
    deepEqual(await scene.cancel("a", "a"), ["requested", "requested"]);

    // Invariant 53: read at each renewal.
    like(await scene.live("a"), { state: "running", cancelled: true, token: claim.token });
    deepEqual(await scene.storage.renew(worker.name, [claim]), ["cancel"]);
    deepEqual(await scene.storage.renew(worker.name, [claim]), ["cancel"]);
  });

  test("Storage.cancel() keeps a running key busy until the body ends", async (scene) => {
    const { worker, claim } = await scene.running("a");
    await scene.cancel("a");

    equal((await scene.add("a")).verdict.kind, "exists"); // invariant 55

    await worker.settle(claim, { kind: "cancelled", reason: "cancelled", text: "t", ttl: LONG });
    like(await scene.ended("a"), { state: "cancelled", reason: "cancelled", text: "t" });
    equal((await scene.add("a")).verdict.kind, "scheduled");
  });

  for (const settlement of [completed(), failed()]) {
    test(`Storage.cancel() does not overrule a body that ${settlement.kind} all the same`, async (scene) => {
      const { worker, claim } = await scene.running("a");
      await scene.cancel("a");

      equal(await worker.settle(claim, settlement), true); // invariant 53

      equal((await scene.ended("a")).state, settlement.kind);
      equal((await scene.find("a")).live, undefined);
    });
  }

  for (const settlement of GOING_ON) {
    const what = `${settlement.kind}${"state" in settlement ? ` (${settlement.state})` : ""}`;
    const delay = "due" in settlement && settlement.due ? " with a delay" : "";
    test(`Storage.cancel() wins over ${what}${delay}`, async (scene) => {
      const { worker, claim, generation } = await scene.running("a");
      await scene.cancel("a");

      equal(await worker.settle(claim, settlement), true);

      // Invariants 28, 48 and 53: neither a retry nor a next of the chain; what ended by itself stays as it ended.
      const expected = settlement.kind === "succeeded"
        ? { state: settlement.state, text: settlement.text, reason: undefined }
        : { state: "cancelled" as const, text: "", reason: "cancelled" as const };
      like(await scene.ended("a"), { generation, ...expected });
      equal((await scene.find("a")).live, undefined);
      deepEqual(await worker.claim(), []);
    });
  }

  test("Storage.cancel() keeps a running task from being run again after a crash", async (scene) => {
    const { generation } = await scene.running("a");
    await scene.cancel("a");
    await scene.advance(PAST_LEASE);

    deepEqual(await scene.worker().reclaim(), []); // invariants 28 and 55

    like(await scene.ended("a"), { generation, state: "cancelled", reason: "cancelled", text: "" });
    equal((await scene.find("a")).live, undefined);
    deepEqual(await scene.worker().claim(), []);
  });

  test("Storage.cancel() drops the deferred replacement of a running task", async (scene) => {
    const { worker, claim } = await scene.running("a");
    const { generation } = await scene.replace("a");

    deepEqual(await scene.cancel("a"), ["requested"]);

    const { deferred, ended } = await scene.find("a");
    equal(deferred, undefined);
    like(ended, { generation, state: "cancelled", reason: "cancelled", text: "" });
    await worker.settle(claim, { kind: "retried", due: undefined });
    equal((await scene.find("a")).live, undefined);
    deepEqual(await worker.claim(), []);
  });

  test("Storage.cancel() of one generation leaves every other alone", async (scene) => {
    const { worker, claim, generation } = await scene.running("a");
    const { generation: deferred } = await scene.replace("a");
    const queued = await scene.add("b");
    const { storage } = scene;

    const replies = await storage.cancel([
      { key: "a", generation: randomId() },
      { key: "b", generation },
      { key: "nobody", generation },
    ]);

    deepEqual(replies, ["none", "none", "none"]);
    deepEqual(await scene.live("a"), claim);
    equal((await scene.find("a")).deferred?.generation, deferred);
    equal((await scene.live("b")).generation, queued.generation);
    deepEqual(await storage.renew(worker.name, [claim]), ["kept"]);
  });

  test("Storage.cancel() of one generation ends it where it waits", async (scene) => {
    const { generation } = await scene.add("a");

    deepEqual(await scene.storage.cancel([{ key: "a", generation }]), ["cancelled"]);
    deepEqual(await scene.storage.cancel([{ key: "a", generation }]), ["none"]);

    like(await scene.ended("a"), { generation, state: "cancelled", reason: "cancelled" });
    deepEqual(await scene.worker().claim(), []);
  });

  test("Storage.cancel() of a deferred generation lets the running one go on", async (scene) => {
    const { worker, claim } = await scene.running("a");
    const { generation } = await scene.replace("a");

    deepEqual(await scene.storage.cancel([{ key: "a", generation }]), ["cancelled"]);
    deepEqual(await scene.storage.cancel([{ key: "a", generation }]), ["none"]);

    const { live, deferred, ended } = await scene.find("a");
    deepEqual([live, deferred], [claim, undefined]);
    like(ended, { generation, state: "cancelled", reason: "cancelled" });
    await worker.settle(claim, { kind: "retried", due: undefined });
    like((await worker.claim())[0], { generation: claim.generation, attempt: 2 });
  });

  test("Storage.cancel() of a running generation leaves its replacement alone", async (scene) => {
    const { worker, claim, generation } = await scene.running("a");
    const next = await scene.replace("a");

    deepEqual(await scene.storage.cancel([{ key: "a", generation }]), ["requested"]);

    equal((await scene.live("a")).cancelled, true);
    await worker.settle(claim, { kind: "retried", due: undefined });
    like(await scene.ended("a"), { generation, state: "cancelled", reason: "cancelled" });
    like((await worker.claim())[0], { generation: next.generation, cancelled: false });
  });

  test("Storage.cancel() does not reach a replacement that comes after it", async (scene) => {
    const { worker, claim } = await scene.running("a");
    await scene.cancel("a");
    const { verdict, generation } = await scene.replace("a");

    await worker.settle(claim, { kind: "retried", due: undefined });

    deepEqual(verdict, { kind: "deferred" });
    like(await scene.ended("a"), { generation: claim.generation, reason: "cancelled" });
    const [next] = await worker.claim();
    like(next, { generation, cancelled: false });
  });

  test("Storage.cancel() lets a replacement that comes after it survive the crash", async (scene) => {
    await scene.running("a");
    await scene.cancel("a");
    const { generation } = await scene.replace("a");
    await scene.advance(PAST_LEASE);
    const worker = scene.worker();

    deepEqual(await worker.reclaim(), []);

    deepEqual((await worker.claim()).map((claim) => claim.generation), [generation]);
  });
}

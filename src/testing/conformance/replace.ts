/**
 * What `schedule` promises of replacing.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import type { DeferredTask, Settlement } from "../../storage/contract.ts";
import type { Test } from "./scene.ts";
import { completed, failed, like, LONG, succeeded } from "./shorthands.ts";

/** Every way a run can end or go on, and how the record of a replaced one then reads. */
const OUTCOMES: readonly (readonly [Settlement, string, string | undefined])[] = [
  [completed(), "completed", undefined],
  [failed(), "failed", undefined],
  [{ kind: "cancelled", reason: "struck", text: "", ttl: LONG }, "cancelled", "struck"],
  [{ kind: "dead", text: "1|||" }, "dead", undefined],
  [{ kind: "retried", due: undefined }, "cancelled", "replaced"],
  [{ kind: "retried", due: { after: LONG } }, "cancelled", "replaced"],
  [{ kind: "released", due: undefined }, "cancelled", "replaced"],
  [succeeded(), "completed", undefined],
  [succeeded({ state: "failed" }), "failed", undefined],
];

/** Declares them. */
export function replaceTests(test: Test): void {
  test("Storage.schedule() adds where there is nothing to replace", async (scene) => {
    const { verdict, generation } = await scene.replace("a"); // invariant 3

    deepEqual(verdict, { kind: "scheduled" });
    like(await scene.live("a"), { generation, state: "queued" });
    equal((await scene.find("a")).ended, undefined);
  });

  test("Storage.schedule() puts a replacement in the place of a queued task", async (scene) => {
    const old = await scene.add("a");

    const { verdict, generation } = await scene.replace("a", { body: "new" });

    deepEqual(verdict, { kind: "scheduled" });
    like(await scene.ended("a"), { generation: old.generation, state: "cancelled", text: "" });
    like(await scene.ended("a"), { reason: "replaced" });
    const claims = await scene.worker().claim(); // invariant 1: the old one is gone from wherever it was
    deepEqual(claims.map((claim) => [claim.generation, claim.body]), [[generation, "new"]]);
  });

  test("Storage.schedule() puts a replacement in the place of a scheduled task", async (scene) => {
    const old = await scene.add("a", { due: { after: 20 } });

    const { generation } = await scene.replace("a");

    equal((await scene.ended("a")).generation, old.generation);
    await scene.advance(40);
    equal((await scene.storage.promote(10)).promoted, 0);
    const claims = await scene.worker().claim();
    deepEqual(claims.map((claim) => claim.generation), [generation]);
  });

  test("Storage.schedule() can put a queued task off", async (scene) => {
    await scene.add("a");

    const { generation } = await scene.replace("a", { due: { after: LONG } });

    deepEqual(await scene.worker().claim(), []);
    like(await scene.live("a"), { generation, state: "scheduled" });
  });

  test("Storage.schedule() can move a scheduled task to another instant", async (scene) => {
    await scene.add("a", { due: { at: Date.UTC(2100, 0, 1) } });

    await scene.replace("a", { due: { after: 10 } });
    await scene.advance(30);

    equal((await scene.storage.promote(10)).promoted, 1);
    equal((await scene.storage.promote(10)).next, undefined);
  });

  test("Storage.schedule() runs only the last of many replacements", async (scene) => {
    let last = "";
    for (let i = 0; i < 20; i++) {
      ({ generation: last } = await scene.replace("a", {
        due: i % 3 === 0 ? { after: 5 } : undefined,
      }));
    }
    await scene.advance(20);
    await scene.storage.promote(100);

    const claims = await scene.worker().claim(); // invariant 1

    deepEqual(claims.map(({ generation }) => generation), [last]);
    equal(await scene.storage.count(), 1);
  });

  test("Storage.schedule() defers the replacement of a running task", async (scene) => {
    const { worker, claim } = await scene.running("a");

    const { verdict, generation } = await scene.replace("a", { body: "new" });

    // Invariant 14: the bodies never overlap.
    deepEqual(verdict, { kind: "deferred" });
    deepEqual(await scene.worker().claim(), []);
    const { live, deferred } = await scene.find("a");
    like(live, { generation: claim.generation, token: claim.token, state: "running" });
    like(deferred, { generation, due: undefined, body: "new" });
    deepEqual(await scene.storage.renew(worker.name, [claim]), ["kept"]);
  });

  test("Storage.schedule() starts a replacement afresh", async (scene) => {
    const { worker, claim } = await scene.running("a");
    await worker.settle(claim, { kind: "retried", due: undefined });
    const [second] = await worker.claim();
    const { generation } = await scene.replace("a");

    await worker.settle(second, completed());

    like(await scene.live("a"), { generation, state: "queued", attempt: 1, deliveries: 0 });
    like(await scene.live("a"), { token: undefined, startedAt: undefined, cancelled: false });
    equal((await scene.find("a")).deferred, undefined);
  });

  for (const [settlement, state, reason] of OUTCOMES) {
    const wish = "due" in settlement && settlement.due ? "with a delay" : "";
    const what = `${settlement.kind} ${"state" in settlement ? settlement.state : wish}`.trim();
    test(`Storage.step() hands over to a replacement when a run is ${what}`, async (scene) => {
      const { worker, claim } = await scene.running("a");
      const { generation, body } = await scene.replace("a", { body: "new" });

      equal(await worker.settle(claim, settlement), true);

      // Invariant 14: whatever the run wanted; first the old, then the new.
      like(await scene.ended("a"), { generation: claim.generation, state, reason } as object);
      const claims = await worker.claim();
      deepEqual(claims.map((next) => [next.generation, next.body]), [[generation, body]]);
      equal(await scene.storage.count(), 1);
    });
  }

  test("Storage.schedule() keeps only the last of several deferred replacements", async (scene) => {
    const { worker, claim } = await scene.running("a");
    const first = await scene.replace("a");

    const second = await scene.replace("a", { body: "second" });

    deepEqual(second.verdict, { kind: "deferred" });
    const { deferred, ended } = await scene.find("a");
    like(deferred, { generation: second.generation, body: "second" });
    like(ended, { generation: first.generation, state: "cancelled", reason: "replaced" });
    await worker.settle(claim, completed());
    deepEqual((await worker.claim()).map(({ body }) => body), ["second"]);
  });

  test("Storage.schedule() measures a deferred delay from when it was asked for", async (scene) => {
    const { worker, claim } = await scene.running("a");
    await scene.replace("a", { due: { after: 60 } });
    const due = ((await scene.find("a")).deferred as DeferredTask).due;

    await scene.advance(80);
    await worker.settle(claim, completed());

    ok(due && "at" in due);
    like(await scene.live("a"), { state: "queued", due: due.at });
  });

  test("Storage.schedule() keeps a deferred replacement for its instant", async (scene) => {
    const { worker, claim } = await scene.running("a");
    const at = Date.UTC(2100, 0, 1);
    const { generation } = await scene.replace("a", { due: { at } });

    await worker.settle(claim, completed());

    like(await scene.live("a"), { generation, state: "scheduled", due: at });
    deepEqual(await worker.claim(), []);
  });
}

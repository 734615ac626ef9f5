/**
 * What is in the background, and what is not (invariant 51).
 *
 * @module
 */

import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import type { Test } from "./scene.ts";
import { completed, like, LONG, PAST_LEASE, succeeded } from "./shorthands.ts";

/** Given back, because nobody knows the task. */
const HELD = { kind: "released", held: true, due: { after: LONG } } as const;

/** Declares them. */
export function backgroundTests(test: Test): void {
  test("Storage.remaining() counts everything that is live", async (scene) => {
    await scene.running("running");
    await scene.replace("running");
    await scene.add("queued");
    await scene.add("scheduled", { due: { after: LONG } });

    equal(await scene.storage.remaining(), 3);
    equal(await scene.storage.count(), 3);
  });

  test("Storage.remaining() leaves out the next of a chain while it is scheduled", async (scene) => {
    const { worker, claim } = await scene.running("a");
    await scene.add("b", { due: { after: LONG } });

    await worker.settle(claim, succeeded({ due: { after: 20 } }));

    equal(await scene.storage.remaining(), 1);
    equal(await scene.storage.count(), 2);
    like(await scene.live("a"), { state: "scheduled", background: true });
    like(await scene.live("b"), { state: "scheduled", background: undefined });
    await scene.advance(40);
    await scene.storage.promote(10);
    equal(await scene.storage.remaining(), 2);
    like(await scene.live("a"), { state: "queued", background: undefined });
  });

  test("Storage.remaining() counts the next of a chain that is due", async (scene) => {
    const { worker, claim } = await scene.running("a");

    await worker.settle(claim, succeeded());

    equal(await scene.storage.remaining(), 1);
    equal((await scene.live("a")).background, undefined);
  });

  test("Storage.remaining() counts retries and what was merely released", async (scene) => {
    const { worker, claim } = await scene.running("a");
    await worker.settle(claim, { kind: "retried", due: { after: LONG } });
    const other = await scene.running("b");
    await other.worker.settle(other.claim, { kind: "released", due: { after: LONG } });

    equal(await scene.storage.remaining(), 2);
    like(await scene.live("a"), { background: undefined, heldSince: undefined });
    like(await scene.live("b"), { background: undefined, heldSince: undefined });
  });

  test("Storage.remaining() counts what replaced the next of a chain", async (scene) => {
    for (const due of [undefined, { after: LONG }]) {
      const key = due ? "later" : "now";
      const { worker, claim } = await scene.running(key);
      await worker.settle(claim, succeeded({ due: { after: LONG } }));
      equal(await scene.storage.remaining(), due ? 1 : 0);

      await scene.replace(key, { due });

      equal(await scene.storage.remaining(), due ? 2 : 1);
      equal((await scene.live(key)).background, undefined);
      if (!due) equal((await scene.worker().claim()).length, 1);
    }
  });

  test("Storage.remaining() is right after a cancel in the background", async (scene) => {
    const { worker, claim } = await scene.running("a");
    await worker.settle(claim, succeeded({ due: { after: LONG } }));
    await scene.add("b");

    deepEqual(await scene.cancel("a"), ["cancelled"]);

    equal(await scene.storage.remaining(), 1);
  });

  test("Storage.schedule() finds a task in the background in its way", async (scene) => {
    const { worker, claim } = await scene.running("a");
    await worker.settle(claim, succeeded({ due: { after: LONG } }));

    const { verdict } = await scene.add("a");

    like(verdict.kind === "exists" ? verdict.live : undefined, {
      state: "scheduled",
      background: true,
    });
  });

  test("Storage.step() holds a task that nobody knows in the background", async (scene) => {
    const { worker, claim } = await scene.running("a");

    await worker.settle(claim, HELD);

    const { heldSince = 0, ...held } = await scene.live("a");
    like(held, { state: "scheduled", background: true, attempt: 1, deliveries: 0 });
    ok(heldSince >= claim.startedAt && heldSince <= claim.startedAt + 5_000);
    equal(await scene.storage.remaining(), 0);
  });

  test("Storage.step() remembers since when a task is held, from hold to hold", async (scene) => {
    const { worker, claim } = await scene.running("a");
    await worker.settle(claim, { ...HELD, due: { after: 20 } });
    const { heldSince } = await scene.live("a");

    for (let round = 0; round < 2; round++) {
      await scene.advance(40);
      await scene.storage.promote(10);
      like(await scene.live("a"), { state: "queued", heldSince, background: undefined });
      equal(await scene.storage.remaining(), 1);
      const [again] = await worker.claim();
      like(again, { heldSince, attempt: 1, deliveries: 1 });
      equal((await scene.live("a")).heldSince, heldSince);
      await worker.settle(again, { ...HELD, due: { after: 20 } });
      equal((await scene.live("a")).heldSince, heldSince);
    }
  });

  test("Storage.step() holds a task that is due at once in the queue", async (scene) => {
    const { worker, claim } = await scene.running("a");

    await worker.settle(claim, { ...HELD, due: undefined });

    const { heldSince, state, background, due } = await scene.live("a");
    deepEqual([state, background, due], ["queued", undefined, undefined]);
    const [again] = await worker.claim();
    like(again, { heldSince, due: undefined });
  });

  test("Storage.reclaim() keeps since when a task is held", async (scene) => {
    const { worker, claim } = await scene.running("a");
    await worker.settle(claim, { ...HELD, due: undefined });
    const { heldSince } = await scene.live("a");
    await worker.claim();
    await scene.advance(PAST_LEASE);

    const [taken] = await scene.worker().reclaim();

    like(taken, { heldSince, deliveries: 2 });
  });

  test("Storage.step() forgets the hold once somebody knows the task", async (scene) => {
    const { worker, claim } = await scene.running("a");
    for (const kind of ["retried", "released"] as const) {
      const [again] = kind === "retried" ? [claim] : await worker.claim();
      await worker.settle(again, { ...HELD, due: undefined });
      const [known] = await worker.claim();

      await worker.settle(known, { kind, due: undefined });

      equal((await scene.live("a")).heldSince, undefined);
    }
    const [last] = await worker.claim();
    equal(last.heldSince, undefined);
    await worker.settle(last, completed());
  });

  test("Storage.promote() keeps every field of what is in the background", async (scene) => {
    const { worker, claim } = await scene.running("a", { body: "b" });
    const next = succeeded({ due: { after: 20 }, body: "next" });
    await worker.settle(claim, next);
    const { background: _, ...before } = await scene.live("a");
    await scene.advance(40);

    equal((await scene.storage.promote(10)).promoted, 1);

    like(await scene.live("a"), { ...before, state: "queued" }); // invariant 16
    like((await worker.claim())[0], { generation: next.generation, body: "next", deliveries: 1 });
  });
}

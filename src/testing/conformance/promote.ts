/**
 * What `promote` promises.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import type { Test } from "./scene.ts";
import { keysOf, like, LONG } from "./shorthands.ts";

/** Declares them. */
export function promoteTests(test: Test): void {
  test("Storage.promote() does nothing when nothing is scheduled", async (scene) => {
    await scene.add("queued");

    const { promoted, next } = await scene.storage.promote(10);

    deepEqual([promoted, next], [0, undefined]);
  });

  test("Storage.promote() leaves what is not due, and says when to come back", async (scene) => {
    await scene.add("a", { due: { after: LONG } });
    await scene.add("b", { due: { after: 5_000 } });

    const { promoted, next = 0 } = await scene.storage.promote(10);

    equal(promoted, 0);
    ok(next > 3_000 && next <= 5_000, `next in ${next} ms`);
    equal((await scene.live("b")).state, "scheduled");
    deepEqual(await scene.worker().claim(), []);
  });

  test("Storage.promote() queues what is due", async (scene) => {
    await scene.add("soon", { due: { after: 30 } });
    await scene.add("late", { due: { after: LONG } });
    await scene.advance(50);

    const { promoted, next = 0 } = await scene.storage.promote(10);

    equal(promoted, 1);
    ok(next > LONG / 2, `next in ${next} ms`);
    equal((await scene.live("soon")).state, "queued");
    deepEqual(keysOf(await scene.worker().claim()), ["soon"]);
  });

  test("Storage.promote() keeps every field of what it queues", async (scene) => {
    const { worker, claim, generation } = await scene.running("a", { body: "b|\n\0" });
    await worker.settle(claim, { kind: "retried", due: { after: 30 } });
    const before = await scene.live("a");
    await scene.advance(50);

    await scene.storage.promote(10);

    // Invariant 16.
    const { queuedAt, ...after } = await scene.live("a");
    deepEqual(after, { ...before, state: "queued" });
    ok(queuedAt! >= before.due!);
    const [next] = await worker.claim();
    like(next, { generation, attempt: 2, deliveries: 1, due: before.due, body: "b|\n\0" });
  });

  test("Storage.promote() keeps when a task was due that never ran", async (scene) => {
    await scene.add("a", { due: { after: 20 } });
    const { due } = await scene.live("a");
    await scene.advance(40);

    await scene.storage.promote(10);

    equal((await scene.live("a")).due, due);
    const [claim] = await scene.worker().claim();
    like(claim, { due, attempt: 1, deliveries: 1 });
    like(await scene.live("a"), claim);
  });

  test("Storage.promote() takes no more than its limit", async (scene) => {
    const due = { after: 20 };
    await scene.storage.schedule(Array.from({ length: 25 }, (_, i) => scene.call(`${i}`, { due })));
    await scene.advance(40);

    const promoted: number[] = [];
    for (let i = 0; i < 4; i++) promoted.push((await scene.storage.promote(10)).promoted);

    deepEqual(promoted, [10, 10, 5, 0]); // invariant 41
    equal((await scene.worker().claim(25)).length, 25);
  });

  test("Storage.promote() queues in the order of the instants", async (scene) => {
    const calls = [30, 10, 20].map((after) => scene.call(`${after}`, { due: { after } }));
    await scene.storage.schedule(calls);
    await scene.advance(60);

    await scene.storage.promote(1);
    await scene.storage.promote(10);

    deepEqual(keysOf(await scene.worker().claim()), ["10", "20", "30"]);
  });

  test("Storage.promote() forgets what was cancelled or replaced", async (scene) => {
    const due = { after: 20 };
    await scene.storage.schedule(["cancelled", "replaced", "kept"].map((key) => {
      return scene.call(key, { due });
    }));
    await scene.cancel("cancelled");
    await scene.replace("replaced", { due: { after: LONG } });
    await scene.advance(40);

    equal((await scene.storage.promote(10)).promoted, 1);

    deepEqual(keysOf(await scene.worker().claim()), ["kept"]);
  });

  test("Storage.promote() promotes each task once", async (scene) => {
    const another = await scene.another();
    const due = { after: 20 };
    await scene.storage.schedule(Array.from({ length: 30 }, (_, i) => scene.call(`${i}`, { due })));
    await scene.advance(40);

    const promotions = await Promise.all(
      [scene.storage, another, scene.storage].map((storage) => storage.promote(30)),
    );

    equal(promotions.reduce((sum, { promoted }) => sum + promoted, 0), 30);
    equal((await scene.worker().claim(60)).length, 30);
  });
}

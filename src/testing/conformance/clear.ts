/**
 * What `clear` promises (invariants 4 and 11).
 *
 * @module
 */

import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import { randomId } from "../../base/ids.ts";
import type { Storage } from "../../storage/contract.ts";
import type { Test } from "./scene.ts";
import { completed, like, LONG, PAST_LEASE, succeeded } from "./shorthands.ts";

/** Declares them. */
export function clearTests(test: Test): void {
  test("Storage.clear() ends what is scheduled and what is queued", async (scene) => {
    const { worker, claim } = await scene.running("background");
    await worker.settle(claim, succeeded({ due: { after: LONG } }));
    await scene.add("scheduled", { due: { after: LONG } });
    await scene.add("queued");

    deepEqual(await clear(scene.storage), [3]);

    for (const key of ["background", "scheduled", "queued"]) {
      const { live, ended } = await scene.find(key);
      equal(live, undefined);
      like(ended, { state: "cancelled", reason: "cleared", text: "" });
    }
    equal(await scene.storage.count(), 0);
    equal(await scene.storage.remaining(), 0);
    deepEqual(await scene.storage.promote(10), { promoted: 0, next: undefined });
    deepEqual(await worker.claim(), []);
  });

  test("Storage.clear() leaves what runs, and drops what waits for it to end", async (scene) => {
    const { worker, claim } = await scene.running("a");
    const deferred = await scene.replace("a");

    deepEqual(await clear(scene.storage), [1]);

    like(await scene.ended("a"), { generation: deferred.generation, reason: "cleared" });
    deepEqual(await scene.live("a"), claim);
    equal((await scene.find("a")).deferred, undefined);
    equal(await worker.settle(claim, { kind: "retried", due: undefined }), true);
    like((await worker.claim())[0], { generation: claim.generation, attempt: 2 });
  });

  test("Storage.clear() leaves a run to be taken over", async (scene) => {
    const { generation } = await scene.running("a");
    await clear(scene.storage);
    await scene.advance(PAST_LEASE);

    const [taken] = await scene.worker().reclaim();

    like(taken, { generation, deliveries: 2 }); // it survives its worker's death
  });

  test("Storage.clear() counts nothing where nothing waits", async (scene) => {
    const { worker, claim } = await scene.running("a");
    await scene.cancel("a");

    deepEqual(await clear(scene.storage), [0]);

    deepEqual(await scene.storage.renew(worker.name, [claim]), ["cancel"]);
  });

  test("Storage.clear() frees the keys", async (scene) => {
    await scene.add("a");
    await scene.add("b", { due: { after: LONG } });
    await clear(scene.storage);

    equal((await scene.add("a")).verdict.kind, "scheduled"); // invariant 4
    equal((await scene.add("b")).verdict.kind, "scheduled");
    equal((await scene.worker().claim()).length, 2);
  });

  test("Storage.clear() keeps strikes and what is parked", async (scene) => {
    await scene.storage.strike("rule", true, randomId());
    const { worker, claim } = await scene.running("a");
    await worker.settle(claim, { kind: "dead", text: "" });

    await clear(scene.storage);

    deepEqual((await scene.storage.strikes()).rules, ["rule"]);
    equal((await scene.storage.parked("dead", 10)).length, 1);
  });

  test("Storage.clear() stops no chain", async (scene) => {
    await scene.seed("a");

    await clear(scene.storage);

    equal((await scene.seed("a")).seeding, "seeded");
  });

  test("Storage.clear() answers a page that is sent again as before", async (scene) => {
    await scene.add("a");
    const request = randomId();

    const first = await scene.storage.clear(request, "");
    await scene.add("b");
    const again = await scene.storage.clear(request, "");

    deepEqual(again, first); // invariant 27
    like(await scene.live("b"), { state: "queued" });
    deepEqual(await clear(scene.storage), [1]); // another request is another one
  });

  test("Storage.clear() clears many, in bounded calls", async (scene) => {
    const calls = Array.from({ length: 1_500 }, (_, i) => {
      return scene.call(`${i}`, i % 2 === 0 ? {} : { due: { after: LONG } });
    });
    await scene.storage.schedule(calls);
    const { claims } = await scene.worker().step({ want: 3 });
    await scene.storage.schedule(
      claims.map(({ key }) => scene.call(key, { mode: "replace" })),
    );

    const counts = await clear(scene.storage);

    equal(counts.reduce((sum, count) => sum + count, 0), 1_500); // three of them had only waited
    equal(await scene.storage.count(), 3);
    ok(counts.length < 100);
  });

  test("Storage.clear() leaves what was scheduled meanwhile sound", async (scene) => {
    await scene.add("a");
    const request = randomId();
    await scene.storage.clear(request, "");
    const { worker, claim } = await scene.running("a");

    await clear(scene.storage);

    equal(await worker.settle(claim, completed()), true);
  });
}

/** Clears all; tells how many each call has cleared. */
async function clear(storage: Storage): Promise<number[]> {
  const request = randomId();
  const counts: number[] = [];
  let cursor = "";
  do {
    const reply = await storage.clear(request, cursor);
    counts.push(reply.cleared);
    ({ cursor } = reply);
  } while (cursor !== "");
  return counts;
}

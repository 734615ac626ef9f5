/**
 * What `step` promises of claiming.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import { randomId } from "../../base/ids.ts";
import { decodeEnding } from "../../base/message.ts";
import { OWN } from "../../storage/contract.ts";
import type { Test } from "./scene.ts";
import { completed, keysOf, like, LONG, PAST_LEASE } from "./shorthands.ts";

/** Declares them. */
export function stepTests(test: Test): void {
  test("Storage.step() hands over a task with everything that is known of it", async (scene) => {
    const { generation, body } = await scene.add("a", { due: { at: 1_000 } });
    const worker = scene.worker();
    const token = randomId();

    const [claim] = await worker.claim(1, { token });

    like(claim, { key: "a", generation, state: "running", attempt: 1, deliveries: 1, body });
    like(claim, { due: 1_000, token, consumer: worker.name, cancelled: false });
    ok(claim.startedAt > 0);
    like(await scene.live("a"), claim);
  });

  test("Storage.step() tells since when a task was queued", async (scene) => {
    const from = await scene.storage.now();
    await scene.add("a");
    await scene.add("later", { due: { after: 30 } });
    const to = await scene.storage.now();
    const { queuedAt } = await scene.live("a");
    ok(queuedAt !== undefined && from <= queuedAt && queuedAt <= to);
    equal((await scene.live("later")).queuedAt, undefined);
    await scene.advance(40);

    const worker = scene.worker();
    const [claim] = await worker.claim();
    equal(claim.queuedAt, queuedAt);
    await scene.storage.promote(10);
    const [later] = await worker.claim();
    ok(later.queuedAt! >= later.due! && later.queuedAt! <= later.startedAt);
  });

  test("Storage.step() takes no more than it wants, and says whether there is more", async (scene) => {
    await scene.storage.schedule(["a", "b", "c"].map((key) => scene.call(key)));
    const worker = scene.worker();

    const first = await worker.step({ want: 2 });
    const rest = await worker.claim(2, { from: first.cursor });

    deepEqual(keysOf(first.claims), ["a", "b"]);
    equal(first.more, true);
    equal(first.committed, undefined);
    deepEqual(keysOf(rest), ["c"]);
  });

  test("Storage.step() brings nothing when nothing is queued", async (scene) => {
    await scene.add("later", { due: { after: LONG } });

    const { claims, committed, more } = await scene.worker().step();

    deepEqual([claims, committed, more], [[], undefined, false]);
  });

  test("Storage.step() takes nothing when it wants nothing", async (scene) => {
    await scene.add("a");

    const { claims } = await scene.worker().step({ want: 0 });

    deepEqual(claims, []);
    equal((await scene.live("a")).state, "queued");
  });

  test("Storage.step() counts the delivery before the body is handed over", async (scene) => {
    await scene.add("a");

    await scene.worker().step(); // its reply may be lost, its worker may die reading it: invariant 40

    like(await scene.live("a"), { state: "running", attempt: 1, deliveries: 1 });
  });

  test("Storage.step() shows a consumer what it holds already", async (scene) => {
    await scene.storage.schedule(["a", "b", "c", "d"].map((key) => scene.call(key)));
    const worker = scene.worker();
    const claims = await worker.claim(3);
    await scene.worker().claim(1);
    await scene.storage.renew(worker.name, [claims[0]]);

    // Invariant 72: after a reconnect at once, not after a lease; under the old tokens, not counted again.
    const first = await worker.step({ from: OWN, want: 2 });
    const rest = await worker.claim(5, { from: first.cursor });

    deepEqual(first.claims, claims.slice(0, 2)); // from the oldest on
    equal(first.more, true);
    deepEqual(rest, claims.slice(2));
    deepEqual(await worker.claim(5, { from: OWN }), claims);
  });

  test("Storage.step() shows nothing to a consumer that holds nothing", async (scene) => {
    await scene.running("another's");
    const { worker, claim } = await scene.running("settled");
    await worker.settle(claim, completed());
    await scene.add("queued");

    const { claims, more } = await worker.step({ from: OWN });

    deepEqual([claims, more], [[], false]);
    equal((await scene.live("queued")).state, "queued");
  });

  test("Storage.step() settles also while it shows what is held", async (scene) => {
    await scene.storage.schedule(["a", "b"].map((key) => scene.call(key)));
    const worker = scene.worker();
    const [first, second] = await worker.claim(2);
    const commits = [{ key: first.key, token: first.token, settlement: completed() }];

    const { claims } = await worker.step({ commits, from: OWN });

    deepEqual(claims, [second]);
    equal((await scene.ended("a")).state, "completed");
  });

  test("Storage.step() gives each task to one consumer only", async (scene) => {
    await scene.storage.schedule(Array.from({ length: 60 }, (_, i) => scene.call(`${i}`)));
    const workers = [scene.worker(), scene.worker(await scene.another()), scene.worker()];

    const claims = await Promise.all(workers.map((worker) => worker.claim(60)));

    // Invariant 20: nobody claims over a live claim.
    equal(new Set(keysOf(claims.flat())).size, 60);
    equal(claims.flat().length, 60);
    for (const worker of workers) deepEqual(await worker.claim(), []);
  });

  test("Storage.step() settles first, then claims", async (scene) => {
    const { worker, claim } = await scene.running("a");
    await scene.replace("a", { body: "new" });
    const commit = { key: "a", token: claim.token, settlement: completed() };

    const reply = await worker.step({ commits: [commit], want: 5 });

    equal(reply.committed, undefined);
    deepEqual(reply.claims.map(({ body }) => body), ["new"]);
  });

  test("Storage.step() parks what was delivered too often", async (scene) => {
    const { worker, claim } = await scene.running("a");
    await scene.advance(PAST_LEASE);

    deepEqual(await scene.worker().reclaim({ maxDeliveries: 1 }), []);

    // Invariant 40: dead, visible, and the key is free.
    const { live, ended, dead } = await scene.find("a");
    equal(live, undefined);
    like(ended, { generation: claim.generation, state: "dead" });
    like(dead, { generation: claim.generation, state: "dead" });
    const { attempt, worker: name } = decodeEnding(dead?.text ?? "");
    deepEqual([attempt, name], [1, worker.name]);
    equal(await scene.storage.count(), 0);
    deepEqual(await scene.worker().claim(), []);
    equal((await scene.add("a")).verdict.kind, "scheduled");
  });

  test("Storage.step() parks a queued task that may not be delivered at all", async (scene) => {
    await scene.add("a");
    await scene.add("b");

    const claims = await scene.worker().claim(5, { maxDeliveries: 0 });

    deepEqual(claims, []);
    deepEqual([(await scene.ended("a")).state, (await scene.ended("b")).state], ["dead", "dead"]);
  });

  test("Storage.step() and reclaim() tell what they parked, once", async (scene) => {
    const { body } = await scene.add("a", { body: "of a" });
    const stepping = scene.worker();
    const step = { want: 5, maxDeliveries: 0 };
    const reply = await stepping.step(step);
    deepEqual(reply.parked, [{ key: "a", body, reason: "deliveries" }]);
    equal((await stepping.step(step)).parked, undefined);

    await scene.running("b", { body: "of b" });
    await scene.advance(PAST_LEASE);
    const request = {
      consumer: stepping.name,
      token: randomId(),
      lease: 1,
      cursor: "",
      want: 5,
      maxDeliveries: 1,
    };
    const reclaimed = await scene.storage.reclaim(request);
    deepEqual(reclaimed.parked, [{ key: "b", body: "of b", reason: "deliveries" }]);
    equal((await scene.storage.reclaim(request)).parked, undefined); // the reply was lost
  });

  test("Storage.step() allows as many deliveries as it says", async (scene) => {
    await scene.running("a");

    for (const deliveries of [2, 3]) {
      await scene.advance(PAST_LEASE);
      const [claim] = await scene.worker().reclaim({ maxDeliveries: 3 });
      like(claim, { deliveries, attempt: 1 }); // counted apart from attempts
    }
    await scene.advance(PAST_LEASE);
    deepEqual(await scene.worker().reclaim({ maxDeliveries: 3 }), []);

    equal((await scene.ended("a")).state, "dead");
  });

  test("Storage.step() hands over to the replacement of what was delivered too often", async (scene) => {
    const { generation } = await scene.running("a");
    const replacement = await scene.replace("a");
    await scene.advance(PAST_LEASE);
    const worker = scene.worker();

    deepEqual(await worker.reclaim({ maxDeliveries: 1 }), []);

    like(await scene.ended("a"), { generation, state: "dead" });
    const claims = await worker.claim();
    deepEqual(claims.map((claim) => claim.generation), [replacement.generation]);
  });
}

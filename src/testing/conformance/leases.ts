/**
 * What `renew`, `reclaim` and `retire` promise.
 *
 * @module
 */

import {
  deepStrictEqual as deepEqual,
  notStrictEqual as notEqual,
  strictEqual as equal,
} from "node:assert/strict";
import { randomId } from "../../base/ids.ts";
import { OWN } from "../../storage/contract.ts";
import type { Test } from "./scene.ts";
import { completed, keysOf, LEASE, like, LONG, PAST_LEASE } from "./shorthands.ts";

/** Declares them. */
export function leaseTests(test: Test): void {
  test("Storage.reclaim() leaves live leases alone", async (scene) => {
    const { claim } = await scene.running("a");

    deepEqual(await scene.worker().reclaim({ lease: LONG }), []); // invariants 20 and 30

    deepEqual(await scene.live("a"), claim);
  });

  test("Storage.reclaim() has nothing to take when nothing runs", async (scene) => {
    await scene.add("queued");
    await scene.add("scheduled", { due: { after: LONG } });
    await scene.advance(PAST_LEASE);

    deepEqual(await scene.worker().reclaim(), []);

    equal((await scene.live("queued")).state, "queued");
  });

  test("Storage.reclaim() takes over what nobody renews, under a token of its own", async (scene) => {
    const { worker, claim, generation } = await scene.running("a");
    await scene.advance(PAST_LEASE);
    const successor = scene.worker();
    const token = randomId();

    const [taken, ...others] = await successor.reclaim({ token });

    // Invariant 33; the crash costs a delivery, no attempt (invariant 40).
    deepEqual(others, []);
    like(taken, { key: "a", generation, state: "running", attempt: 1, deliveries: 2 });
    like(taken, { token, consumer: successor.name, body: claim.body });
    deepEqual(await scene.storage.renew(worker.name, [claim]), ["lost"]); // invariant 32
    deepEqual(await scene.storage.renew(successor.name, [taken]), ["kept"]);
    deepEqual(await scene.worker().reclaim(), []); // its lease has begun anew
  });

  test("Storage.reclaim() gives an abandoned task to one consumer only", async (scene) => {
    const worker = scene.worker();
    await scene.storage.schedule(Array.from({ length: 20 }, (_, i) => scene.call(`${i}`)));
    await worker.claim(20);
    await scene.advance(PAST_LEASE);
    const successors = [scene.worker(), scene.worker(await scene.another()), scene.worker()];

    const claims = await Promise.all(
      successors.map((successor) => successor.reclaim({ want: 20 })),
    );

    equal(claims.flat().length, 20);
    equal(new Set(keysOf(claims.flat())).size, 20);
  });

  test("Storage.reclaim() takes no more than it wants at a time", async (scene) => {
    const worker = scene.worker();
    await scene.storage.schedule(["a", "b", "c"].map((key) => scene.call(key)));
    await worker.claim(3);
    await scene.advance(PAST_LEASE);
    const { name: consumer } = scene.worker();
    const request = { consumer, token: randomId(), lease: LEASE, maxDeliveries: 5, cursor: "" };

    const { claims, cursor } = await scene.storage.reclaim({ ...request, want: 2 });
    const rest = await scene.storage.reclaim({ ...request, cursor, token: randomId(), want: 2 });

    deepEqual(keysOf(claims), ["a", "b"]); // the oldest first
    notEqual(cursor, "");
    deepEqual(keysOf(rest.claims), ["c"]);
  });

  test("Storage.reclaim() finds one dead lease among many live ones", async (scene) => {
    const worker = scene.worker();
    await scene.storage.schedule(Array.from({ length: 40 }, (_, i) => scene.call(`${i}`)));
    const claims = await worker.claim(40);
    await scene.advance(500);
    await scene.storage.renew(worker.name, claims.filter(({ key }) => key !== "39"));

    // Invariant 33: also with one free slot.
    const taken = await scene.worker().reclaim({ want: 1, lease: 450 });

    deepEqual(keysOf(taken), ["39"]);
  });

  test("Storage.reclaim() gives back a consumer's own tasks as they are", async (scene) => {
    const { worker, claim } = await scene.running("a");
    await scene.advance(PAST_LEASE);

    const back = await worker.reclaim(); // the process stalled: invariant 34

    deepEqual(back, [claim]); // the old token, not counted again
    deepEqual(await scene.worker().reclaim(), []); // and the lease is renewed
    equal(await worker.settle(claim, completed()), true);
  });

  test("Storage.step() renews what it tells a consumer that it holds", async (scene) => {
    const { worker, claim } = await scene.running("a");
    await scene.advance(PAST_LEASE);

    deepEqual(await worker.claim(5, { from: OWN }), [claim]);

    deepEqual(await scene.worker().reclaim(), []); // invariant 32: whoever was told may rely on it
  });

  test("Storage.renew() keeps a lease from running out", async (scene) => {
    const kept = await scene.running("kept");
    const abandoned = await scene.running("abandoned");
    await scene.advance(PAST_LEASE);

    deepEqual(await scene.storage.renew(kept.worker.name, [kept.claim]), ["kept"]);

    // Invariant 30: a live long task is never redelivered.
    deepEqual(keysOf(await scene.worker().reclaim()), ["abandoned"]);
    deepEqual(await scene.live("kept"), kept.claim); // invariant 31: no delivery counted
    notEqual((await scene.live("abandoned")).token, abandoned.claim.token);
  });

  test("Storage.renew() answers for each lease in the order asked", async (scene) => {
    const { worker, claim } = await scene.running("a");
    const wanted = await scene.running("b");
    await scene.cancel("b");
    const { worker: other, claim: elsewhere } = await scene.running("c");

    const renewals = await scene.storage.renew(worker.name, [
      { key: "nobody", token: claim.token },
      { key: "c", token: claim.token },
      { key: "c", token: elsewhere.token }, // another's: owner and token must fit (invariant 31)
      claim,
    ]);

    deepEqual(renewals, ["lost", "lost", "lost", "kept"]);
    deepEqual(await scene.storage.renew(wanted.worker.name, [wanted.claim]), ["cancel"]);
    deepEqual(await scene.storage.renew(other.name, [elsewhere]), ["kept"]);
    deepEqual(await scene.storage.renew(worker.name, []), []);
  });

  test("Storage.renew() steals nothing back", async (scene) => {
    const { worker, claim } = await scene.running("a");
    await scene.advance(PAST_LEASE);
    const [taken] = await scene.worker().reclaim();

    deepEqual(await scene.storage.renew(worker.name, [claim]), ["lost"]); // invariant 31

    deepEqual(await scene.live("a"), taken);
  });

  test("Storage.renew() knows nothing of a task that has ended or waits again", async (scene) => {
    const { worker, claim } = await scene.running("a");
    const again = await scene.running("b");
    await worker.settle(claim, completed());
    await again.worker.settle(again.claim, { kind: "retried", due: undefined });

    deepEqual(await scene.storage.renew(worker.name, [claim]), ["lost"]);
    deepEqual(await scene.storage.renew(again.worker.name, [again.claim]), ["lost"]);

    equal((await scene.live("b")).state, "queued");
  });

  test("Storage.retire() keeps a consumer that still holds something", async (scene) => {
    const { worker, claim } = await scene.running("a");

    equal(await scene.storage.retire(worker.name), false); // invariant 76

    deepEqual(await scene.storage.renew(worker.name, [claim]), ["kept"]);
    await worker.settle(claim, completed());
    equal(await scene.storage.retire(worker.name), true);
  });

  test("Storage.retire() forgets a consumer whose tasks were taken over", async (scene) => {
    const { worker } = await scene.running("a");
    await scene.advance(PAST_LEASE);
    const successor = scene.worker();
    await successor.reclaim();

    equal(await scene.storage.retire(worker.name), true);
    equal(await scene.storage.retire(successor.name), false);
  });

  test("Storage.retire() may be repeated, also for a consumer that never was", async (scene) => {
    const worker = scene.worker();
    await worker.step();

    equal(await scene.storage.retire(worker.name), true);
    equal(await scene.storage.retire(worker.name), true);
    equal(await scene.storage.retire("nobody"), true);
  });
}

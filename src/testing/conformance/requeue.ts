/**
 * What `requeue` promises.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, strictEqual as equal } from "node:assert/strict";
import { randomId } from "../../base/ids.ts";
import type { Requeued, Settlement } from "../../storage/contract.ts";
import type { Running, Scene, Test } from "./scene.ts";
import { completed, failed, like, LONG, PAST_LEASE, succeeded } from "./shorthands.ts";

/** Bodies and texts that are longer in bytes than in letters. */
const ODD = "🦊|12|ünïcödé\n\0";

/** The ways to end from which there is a way back. */
const BAD: Readonly<Record<string, Settlement>> = {
  failed: failed(ODD),
  "failed and last of its chain": { ...failed(ODD), kind: "failed", stops: true } as Settlement,
  parked: { kind: "dead", text: ODD },
};

/** Declares them. */
export function requeueTests(test: Test): void {
  for (const [how, settlement] of Object.entries(BAD)) {
    test(`Storage.requeue() runs again what ${how}`, async (scene) => {
      const { worker, generation } = await ended(scene, settlement);
      const as = randomId();

      deepEqual(await requeue(scene, generation, as), { kind: "scheduled" });

      like(await scene.live("a"), {
        generation: as,
        state: "queued",
        attempt: 1,
        deliveries: 0,
        due: undefined,
        body: ODD,
      });
      equal((await scene.find("a")).dead, undefined);
      deepEqual(await scene.storage.parked("failed", 10), []);
      deepEqual(await scene.storage.parked("dead", 10), []);
      like((await worker.claim())[0], { generation: as, attempt: 1, deliveries: 1, body: ODD });
    });
  }

  test("Storage.requeue() finds the next of a chain in its way, and after that no record", async (scene) => {
    const { worker, claim, generation } = await scene.running("a", { body: "first" });
    await worker.settle(claim, succeeded({ state: "failed", due: { after: LONG }, body: "next" }));
    equal((await requeue(scene, generation)).kind, "exists");
    await scene.storage.clear(randomId(), ""); // its record is the last now

    equal((await requeue(scene, generation)).kind, "gone");
  });

  test("Storage.requeue() runs again what was redelivered too often", async (scene) => {
    const { generation } = await scene.running("a", { body: ODD });
    await scene.advance(PAST_LEASE);
    const worker = scene.worker();
    await worker.reclaim({ maxDeliveries: 1 });

    deepEqual(await requeue(scene, generation), { kind: "scheduled" });

    like((await worker.claim())[0], { attempt: 1, deliveries: 1, body: ODD });
  });

  test("Storage.requeue() parks the body that ran, not the one that replaced it", async (scene) => {
    const { worker, claim, generation } = await scene.running("a", { body: "old" });
    const { generation: next } = await scene.replace("a", { body: "new" });
    await worker.settle(claim, { kind: "dead", text: "" });
    const [replaced] = await worker.claim();
    like(replaced, { generation: next, body: "new" });
    await worker.settle(replaced, completed());

    deepEqual(await requeue(scene, generation), { kind: "scheduled" });

    like((await worker.claim())[0], { body: "old" });
  });

  test("Storage.requeue() writes nothing over what is live", async (scene) => {
    const { generation } = await ended(scene, { kind: "dead", text: "" });
    const { generation: live } = await scene.add("a", { body: "later" });

    const requeued = await requeue(scene, generation);

    like(requeued.kind === "exists" ? requeued.live : undefined, {
      generation: live,
      body: "later",
    });
    equal((await scene.find("a")).dead?.generation, generation);
  });

  test("Storage.requeue() knows nothing of what did not end badly", async (scene) => {
    const { generation } = await ended(scene, completed());
    await scene.add("cancelled");
    await scene.cancel("cancelled");
    const cancelled = await scene.ended("cancelled");

    equal((await requeue(scene, generation)).kind, "gone");
    const requests = [
      { key: "cancelled", generation: cancelled.generation, as: randomId() },
      { key: "nobody", generation: randomId(), as: randomId() },
      { key: "a", generation: randomId(), as: randomId() },
    ];
    const answers = await scene.storage.requeue(requests);

    deepEqual(answers.map(({ kind }) => kind), ["gone", "gone", "gone"]);
    deepEqual(await scene.storage.requeue([]), []);
    equal(await scene.storage.count(), 0);
  });

  test("Storage.requeue() knows nothing of a record that is gone", async (scene) => {
    const brief = await ended(scene, { kind: "failed", text: "", ttl: 30 });
    await scene.advance(60);
    equal((await requeue(scene, brief.generation)).kind, "gone");

    const stub = await ended(scene, { kind: "failed", text: "", ttl: 0 });
    equal((await requeue(scene, stub.generation)).kind, "gone");
  });

  test("Storage.requeue() recognises a request that is sent again", async (scene) => {
    for (const settlement of [failed(), { kind: "dead", text: "" } as const]) {
      const { worker, generation } = await ended(scene, settlement);
      const as = randomId();

      for (const after of ["queued", "running", "ended"]) {
        deepEqual(await requeue(scene, generation, as), { kind: "scheduled" }, after); // invariant 27
        if (after === "queued") await worker.claim();
        if (after === "running") await worker.settle(await scene.live("a") as never, completed());
      }

      equal((await scene.find("a")).live, undefined);
      deepEqual(await worker.claim(), []);
    }
  });

  test("Storage.requeue() lets one of two requests have it", async (scene) => {
    const { generation } = await ended(scene, failed());

    const kinds = [await requeue(scene, generation), await requeue(scene, generation)];

    deepEqual(kinds.map(({ kind }) => kind), ["scheduled", "exists"]);
  });
}

async function ended(scene: Scene, settlement: Settlement): Promise<Running> {
  const running = await scene.running("a", { body: ODD });
  await running.worker.settle(running.claim, settlement);
  return running;
}

async function requeue(scene: Scene, generation: string, as = randomId()): Promise<Requeued> {
  const [requeued] = await scene.storage.requeue([{ key: "a", generation, as }]);
  return requeued;
}

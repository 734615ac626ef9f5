/**
 * What `discard` promises.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, strictEqual as equal } from "node:assert/strict";
import { randomId } from "../../base/ids.ts";
import type { Settlement } from "../../storage/contract.ts";
import type { Running, Scene, Test } from "./scene.ts";
import { completed, failed, keysOf, like, LONG, PAST_LEASE } from "./shorthands.ts";

const BAD: Readonly<Record<"failed" | "dead", Settlement>> = {
  failed: failed("why"),
  dead: { kind: "dead", text: "why" },
};

/** Declares them. */
export function discardTests(test: Test): void {
  for (const which of ["failed", "dead"] as const) {
    test(`Storage.discard() forgets what is ${which}, and nothing else`, async (scene) => {
      const { generation } = await ended(scene, "a", BAD[which]);
      const other = await ended(scene, "b", BAD[which]);

      deepEqual(await scene.storage.discard([{ key: "a", generation }]), [true]);

      deepEqual(keysOf(await scene.storage.parked(which, 10)), ["b"]);
      equal((await scene.find("a")).dead, undefined);
      const requeue = { key: "a", generation, as: randomId() };
      deepEqual(await scene.storage.requeue([requeue]), [{ kind: "gone" }]);
      like(await scene.ended("a"), { generation, state: which, text: "", body: undefined });
      like(await scene.ended("b"), { generation: other.generation, text: "why" });
    });

    test(`Storage.discard() leaves for 10 s how it ended: ${which}`, async (scene) => {
      const { generation } = await ended(scene, "a", BAD[which]);
      const { endedAt } = await scene.ended("a");
      await scene.advance(3);

      await scene.storage.discard([{ key: "a", generation }]);

      equal((await scene.ended("a")).endedAt, endedAt);
    });

    test(`Storage.discard() forgets what is ${which} once`, async (scene) => {
      const { generation } = await ended(scene, "a", BAD[which]);
      const discards = [{ key: "a", generation }, { key: "a", generation }];

      deepEqual(await scene.storage.discard(discards), [true, false]);
      deepEqual(await scene.storage.discard(discards), [false, false]);
    });

    test(`Storage.discard() does not touch what is live beside what is ${which}`, async (scene) => {
      const { generation } = await ended(scene, "a", BAD[which]);
      const live = await scene.add("a", { body: "later", due: { after: LONG } });

      deepEqual(await scene.storage.discard([{ key: "a", generation }]), [true]);

      like(await scene.live("a"), { generation: live.generation, body: "later" });
    });
  }

  test("Storage.discard() forgets what was redelivered too often", async (scene) => {
    const { generation } = await scene.running("a");
    await scene.advance(PAST_LEASE);
    await scene.worker().reclaim({ maxDeliveries: 1 });

    deepEqual(await scene.storage.discard([{ key: "a", generation }]), [true]);

    equal((await scene.find("a")).dead, undefined);
    like(await scene.ended("a"), { state: "dead" });
  });

  test("Storage.discard() forgets what is parked, and leaves the record of what ended later", async (scene) => {
    const { generation } = await ended(scene, "a", BAD.dead);
    const later = await ended(scene, "a", completed());

    deepEqual(await scene.storage.discard([{ key: "a", generation }]), [true]);

    like(await scene.ended("a"), { generation: later.generation, state: "completed" });
  });

  test("Storage.discard() knows nothing of what runs again already", async (scene) => {
    const failed = await ended(scene, "failed", BAD.failed);
    const dead = await ended(scene, "dead", BAD.dead);
    const both = [
      { key: "failed", generation: failed.generation },
      { key: "dead", generation: dead.generation },
    ];
    await scene.storage.requeue(both.map((one) => ({ ...one, as: randomId() })));

    deepEqual(await scene.storage.discard(both), [false, false]);

    equal((await scene.live("failed")).state, "queued");
    equal((await scene.live("dead")).state, "queued");
  });

  test("Storage.discard() knows nothing of what did not end badly", async (scene) => {
    const { generation } = await ended(scene, "a", completed());
    const live = await scene.add("live");

    const discards = [
      { key: "a", generation },
      { key: "live", generation: live.generation },
      { key: "nobody", generation: randomId() },
    ];

    deepEqual(await scene.storage.discard(discards), [false, false, false]);
    deepEqual(await scene.storage.discard([]), []);
    equal((await scene.ended("a")).state, "completed");
    equal((await scene.live("live")).state, "queued");
  });
}

async function ended(scene: Scene, key: string, settlement: Settlement): Promise<Running> {
  const running = await scene.running(key);
  await running.worker.settle(running.claim, settlement);
  return running;
}

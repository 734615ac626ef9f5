/**
 * What `report` promises (invariant 25).
 *
 * @module
 */

import { deepStrictEqual as deepEqual, strictEqual as equal } from "node:assert/strict";
import { randomId } from "../../base/ids.ts";
import type { Progress, Settlement } from "../../storage/contract.ts";
import type { Running, Scene, Test } from "./scene.ts";
import { completed, failed, like, LONG, PAST_LEASE, succeeded } from "./shorthands.ts";

/** Everything that can be reported. */
const REPORTS: readonly Progress[] = [
  { current: 0, total: 100 },
  { current: 3, total: 7, message: "half way" },
  { current: 1.5, total: 2.25, message: "" },
  { current: -1, total: 0, message: "a|b,c:d\n🦊 ünïcödé\0" },
  { current: 1e21, total: Number.MAX_SAFE_INTEGER, message: "," },
  { current: 5e-324, total: Infinity },
];

/** Every way in which a run is over. */
const OVER: readonly Settlement[] = [
  completed(),
  failed(),
  { kind: "cancelled", reason: "struck", text: "", ttl: LONG },
  { kind: "dead", text: "" },
  { kind: "retried", due: undefined },
  { kind: "retried", due: { after: LONG } },
  { kind: "released", due: undefined },
  { kind: "released", held: true, due: { after: LONG } },
  succeeded(),
  { kind: "completed", text: "", ttl: 0 },
];

/** Declares them. */
export function progressTests(test: Test): void {
  test("Storage.report() shows how far a run is", async (scene) => {
    const running = await scene.running("a");
    equal((await scene.live("a")).progress, undefined);

    for (const progress of REPORTS) {
      await report(scene, running, progress);

      deepEqual((await scene.live("a")).progress, progress); // an absent message stays absent
    }
  });

  test("Storage.report() changes nothing else of a run", async (scene) => {
    const running = await scene.running("a");
    const { worker, claim } = running;

    await report(scene, running);

    const { progress: _, ...live } = await scene.live("a");
    deepEqual(live, claim);
    deepEqual(await scene.storage.renew(worker.name, [claim]), ["kept"]);
    equal(await worker.settle(claim, completed("t")), true);
    like(await scene.ended("a"), { state: "completed", text: "t" });
  });

  test("Storage.report() shows many at once, each its own", async (scene) => {
    const runs = [await scene.running("a"), await scene.running("b"), await scene.running("c")];
    await scene.storage.report(
      runs.slice(0, 2).map(({ claim: { key, token } }, i) => {
        return { key, token, progress: { current: i, total: 2 } };
      }),
    );
    await scene.storage.report([]);

    const found = await scene.storage.load(["a", "b", "c"]);

    deepEqual(found.map(({ live }) => live?.progress?.current), [0, 1, undefined]);
  });

  test("Storage.report() writes nothing under a stale token", async (scene) => {
    const { claim } = await scene.running("a");
    await scene.advance(PAST_LEASE);
    const [taken] = await scene.worker().reclaim();
    await scene.add("queued");
    const before = await scene.storage.load(["a", "queued", "nobody"]);

    const progress = { current: 1, total: 2 };
    await scene.storage.report([
      { key: "a", token: claim.token, progress },
      { key: "a", token: randomId(), progress },
      { key: "queued", token: claim.token, progress },
      { key: "nobody", token: claim.token, progress },
    ]);

    deepEqual(await scene.storage.load(["a", "queued", "nobody"]), before); // invariant 19
    await scene.storage.report([{ key: "a", token: taken.token, progress }]);
    deepEqual((await scene.live("a")).progress, progress);
  });

  for (const settlement of OVER) {
    const how = "due" in settlement && settlement.due
      ? `${settlement.kind} with a delay`
      : settlement.kind;
    test(`Storage.report() shows nothing any more of a run that is ${how}`, async (scene) => {
      const running = await scene.running("a");
      await report(scene, running);

      await running.worker.settle(running.claim, settlement);
      await report(scene, running); // too late

      const { live } = await scene.find("a");
      equal(live?.progress, undefined);
      if (!live) await scene.add("a");
      const [next] = await running.worker.claim();
      if (next) equal((await scene.live("a")).progress, undefined);
    });
  }

  test("Storage.report() shows nothing any more of a run that was replaced", async (scene) => {
    const running = await scene.running("a");
    await report(scene, running);
    await scene.replace("a");
    deepEqual((await scene.live("a")).progress, { current: 1, total: 2 });

    await running.worker.settle(running.claim, completed());

    equal((await scene.live("a")).progress, undefined);
    await running.worker.claim();
    equal((await scene.live("a")).progress, undefined);
  });

  test("Storage.reclaim() begins the progress anew", async (scene) => {
    const running = await scene.running("a");
    await report(scene, running);
    await scene.replace("a", { due: { after: LONG } });
    await scene.advance(PAST_LEASE);
    const worker = scene.worker();

    const [taken] = await worker.reclaim();

    equal((await scene.live("a")).progress, undefined);
    equal(await worker.settle(taken, completed()), true);
    like(await scene.live("a"), { state: "scheduled" }); // the replacement was not forgotten over it
  });

  test("Storage.reclaim() ends a run that reported and must not go on", async (scene) => {
    const poison = await scene.running("poison");
    const cancelled = await scene.running("cancelled");
    await report(scene, poison);
    await report(scene, cancelled);
    await scene.cancel("cancelled");
    like(await scene.live("cancelled"), { cancelled: true, progress: { current: 1, total: 2 } });
    await scene.advance(PAST_LEASE);

    deepEqual(await scene.worker().reclaim({ maxDeliveries: 1 }), []);

    equal((await scene.ended("poison")).state, "dead");
    equal((await scene.ended("cancelled")).state, "cancelled"); // invariant 28
  });

  test("Storage.cancel() and replace work beside what was reported", async (scene) => {
    const running = await scene.running("a");
    await report(scene, running);
    const first = await scene.replace("a");
    const second = await scene.replace("a");
    deepEqual([first.verdict.kind, second.verdict.kind], ["deferred", "deferred"]);
    like(await scene.ended("a"), { generation: first.generation, reason: "replaced" });

    deepEqual(await scene.cancel("a"), ["requested"]);

    const { live, deferred } = await scene.find("a");
    like(live, { cancelled: true, progress: { current: 1, total: 2 } });
    equal(deferred, undefined);
    deepEqual(await scene.storage.renew(running.worker.name, [running.claim]), ["cancel"]);
    await running.worker.settle(running.claim, { kind: "retried", due: undefined });
    equal((await scene.find("a")).live, undefined); // invariant 28
  });
}

/** Reports something of a run. */
function report(
  scene: Scene,
  { claim: { key, token } }: Running,
  progress: Progress = { current: 1, total: 2 },
): Promise<void> {
  return scene.storage.report([{ key, token, progress }]);
}

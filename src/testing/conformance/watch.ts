/**
 * What those who watch are told of each change (invariants 42 and 64).
 *
 * @module
 */

import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import { randomId } from "../../base/ids.ts";
import type { Change, StateChange } from "../../storage/contract.ts";
import { type Attention, is, watching } from "./attention.ts";
import type { Scene, Test } from "./scene.ts";
import { completed, failed, like, LONG, PAST_LEASE, succeeded } from "./shorthands.ts";

/** Declares them. */
export function watchTests(test: Test): void {
  test("Storage.watch() tells a whole life, in order", async (scene) => {
    const watch = await watching(scene, await scene.another());

    const { generation } = await scene.add("a", { due: { after: 20 } });
    await scene.advance(40);
    await scene.storage.promote(10);
    const worker = scene.worker();
    const [claim] = await worker.claim();
    await worker.settle(claim, { kind: "retried", due: undefined });
    const [second] = await worker.claim();
    await worker.settle(second, { kind: "retried", due: { after: 20 } });
    await scene.advance(40);
    await scene.storage.promote(10);
    const [third] = await worker.claim();
    await worker.settle(third, completed());

    const states = await toldOf(scene, watch, "a");
    deepEqual(states.map(({ state, attempt }) => [state, attempt]), [
      ["scheduled", 1],
      ["queued", 1],
      ["running", 1],
      ["queued", 2],
      ["running", 2],
      ["scheduled", 3],
      ["queued", 3],
      ["running", 3],
      ["completed", 3],
    ]);
    for (const { state, consumer, at, ...change } of states) {
      equal(change.generation, generation);
      ok(at > 0);
      // Who runs it, or ran it to its end.
      equal(consumer, ["running", "completed"].includes(state) ? worker.name : undefined);
    }
    watch.stop();
  });

  test("Storage.watch() tells what one step settles and what it claims", async (scene) => {
    const { worker, claim } = await scene.running("a");
    const retried = await scene.running("retried");
    await retried.worker.settle(retried.claim, { kind: "retried", due: undefined });
    const { generation } = await scene.add("b");
    const watch = await watching(scene);

    await worker.step({ commits: [{ ...claim, settlement: failed() }], want: 5 });

    deepEqual(await lifeOf(scene, watch, "a"), [[claim.generation, "failed"]]);
    deepEqual(await lifeOf(scene, watch, "retried"), [[retried.generation, "running"]]);
    deepEqual(await lifeOf(scene, watch, "b"), [[generation, "running"]]);
    watch.stop();
  });

  test("Storage.watch() tells a run's end before what takes its place", async (scene) => {
    const watch = await watching(scene);
    const chained = await scene.running("chained");
    const next = succeeded({ due: { after: LONG } });
    await chained.worker.settle(chained.claim, next);
    const replaced = await scene.running("replaced");
    const { generation } = await scene.replace("replaced");
    await replaced.worker.settle(replaced.claim, failed());

    deepEqual(await lifeOf(scene, watch, "chained"), [
      [chained.generation, "queued"],
      [chained.generation, "running"],
      [chained.generation, "completed"],
      [next.generation, "scheduled"],
    ]);
    deepEqual(await lifeOf(scene, watch, "replaced"), [
      [replaced.generation, "queued"],
      [replaced.generation, "running"],
      [generation, "waiting"],
      [replaced.generation, "failed"],
      [generation, "queued"],
    ]);
    watch.stop();
  });

  test("Storage.watch() tells that a task was given back", async (scene) => {
    const watch = await watching(scene);
    const { worker, claim } = await scene.running("a");
    await worker.settle(claim, { kind: "released", due: undefined });
    const [again] = await worker.claim();
    await worker.settle(again, { kind: "released", held: true, due: { after: LONG } });

    const states = await toldOf(scene, watch, "a");

    deepEqual(states.map(({ state, attempt }) => [state, attempt]), [
      ["queued", 1],
      ["running", 1],
      ["queued", 1],
      ["running", 1],
      ["scheduled", 1],
    ]);
    watch.stop();
  });

  test("Storage.watch() tells why something was cancelled", async (scene) => {
    const watch = await watching(scene);
    await scene.add("cancelled");
    await scene.cancel("cancelled");
    await scene.add("replaced");
    await scene.replace("replaced", { due: { after: LONG } });
    await scene.add("cleared");
    await scene.storage.clear(randomId(), "");
    const { worker, claim } = await scene.running("struck");
    await worker.settle(claim, { kind: "cancelled", reason: "struck", text: "", ttl: LONG });
    const deferred = await scene.running("deferred");
    await scene.replace("deferred");
    await scene.replace("deferred");
    await scene.cancel("deferred");
    await deferred.worker.settle(deferred.claim, { kind: "retried", due: undefined });

    const told: (readonly [string, StateChange["reason"], boolean])[] = [];
    for (const key of ["cancelled", "replaced", "cleared", "struck", "deferred"]) {
      for (const { state, reason, consumer } of await toldOf(scene, watch, key)) {
        equal(reason !== undefined, state === "cancelled");
        if (state === "cancelled") told.push([key, reason, consumer !== undefined]);
      }
    }
    deepEqual(told, [
      ["cancelled", "cancelled", false],
      ["replaced", "replaced", false],
      ["replaced", "cleared", false],
      ["cleared", "cleared", false],
      ["struck", "struck", true],
      ["deferred", "replaced", false],
      ["deferred", "cancelled", false],
      ["deferred", "cancelled", true],
    ]);
    watch.stop();
  });

  test("Storage.watch() tells that a running task is to be cancelled, once", async (scene) => {
    const { generation } = await scene.running("a");
    const watch = await watching(scene);

    await scene.cancel("a");
    await scene.cancel("a");

    await toldOf(scene, watch, "a");
    deepEqual(watch.heard.filter(({ kind }) => kind === "cancelling"), [
      { kind: "cancelling", key: "a", generation },
    ]);
    watch.stop();
  });

  test("Storage.watch() tells of runs that are taken over, and of those that are not", async (scene) => {
    const first = await scene.running("a");
    const poison = await scene.running("poison");
    await scene.advance(PAST_LEASE);
    await scene.storage.renew(poison.worker.name, [poison.claim]);
    const watch = await watching(scene);
    const worker = scene.worker();
    await worker.reclaim();
    await scene.advance(PAST_LEASE);

    await worker.reclaim({ maxDeliveries: 1 });

    const taken = await toldOf(scene, watch, "a");
    like(taken[0], { state: "running", attempt: 1, consumer: worker.name });
    equal(taken[0].generation, first.generation);
    const [dead] = await toldOf(scene, watch, "poison");
    like(dead, { state: "dead", attempt: 1, consumer: poison.worker.name }); // who had it last
    watch.stop();
  });

  test("Storage.watch() tells progress, with its message and without", async (scene) => {
    const watch = await watching(scene);
    const { claim, generation } = await scene.running("a");
    const reports = [
      { current: 1, total: 3 },
      { current: 1.5, total: 3, message: "" },
      { current: 2, total: 3, message: "a|b,c:d🦊\n" },
    ];

    for (const progress of reports) {
      await scene.storage.report([{ key: "a", token: claim.token, progress }]);
    }
    await scene.storage.report([{ key: "a", token: randomId(), progress: reports[0] }]);

    await toldOf(scene, watch, "a");
    const told = watch.heard.filter((change) => change.kind === "progress");
    deepEqual(told.map(({ progress }) => progress), reports); // invariant 67: absent stays absent
    for (const { key, generation: of, at } of told) {
      deepEqual([key, of], ["a", generation]);
      ok(at >= claim.startedAt);
    }
    watch.stop();
  });

  test("Storage.watch() tells of seeds, and of what runs again", async (scene) => {
    const watch = await watching(scene);
    const now = await scene.seed("now");
    await scene.seed("now");
    const later = await scene.seed("later", { due: { after: LONG } });
    const worker = scene.worker();
    const [claim] = await worker.claim();
    await worker.settle(claim, failed());
    const as = randomId();
    await scene.storage.requeue([{ key: "now", generation: now.generation, as }]);
    await scene.storage.requeue([{ key: "now", generation: now.generation, as }]);

    deepEqual(await lifeOf(scene, watch, "now"), [
      [now.generation, "queued"],
      [now.generation, "running"],
      [now.generation, "failed"],
      [as, "queued"],
    ]);
    deepEqual(await lifeOf(scene, watch, "later"), [[later.generation, "scheduled"]]);
    watch.stop();
  });

  test("Storage.watch() tells nothing of strikes, workers and sweeping", async (scene) => {
    await scene.add("a");
    const watch = await watching(scene);
    const { name } = scene.worker();

    await scene.storage.strike("rule", true, randomId());
    await scene.storage.advertise(name, LONG, "text");
    await scene.storage.withdraw(name);
    await scene.storage.sweep({ limit: 10, pause: 0, silence: LONG });
    await scene.storage.survey(10);
    await scene.storage.load(["a"]);
    await scene.storage.clear(randomId(), "").then(() => scene.storage.clear(randomId(), ""));

    equal((await toldOf(scene, watch, "a")).length, 1);
    equal(watch.heard.filter(({ kind }) => kind !== "mark").length, 1);
    watch.stop();
  });

  test("Storage.load() tells its mark between what was before and what came after", async (scene) => {
    const watch = await watching(scene, await scene.another());
    const before = await scene.add("before");
    const mark = randomId();

    const [found] = await scene.storage.load(["before"], { mark });
    const after = await scene.add("after");
    await watch.until(is("after", after.generation, "queued"));

    equal(found.live?.generation, before.generation);
    deepEqual(
      watch.heard.map((change) => change.kind === "mark" ? change.mark : change.kind),
      ["state", mark, "state"],
    );
    watch.stop();
  });

  test("Storage.load() tells a mark also where there is nothing to load", async (scene) => {
    const watch = await watching(scene);
    const mark = randomId();

    deepEqual(await scene.storage.load([], { mark }), []);

    deepEqual(await watch.until(() => true), { kind: "mark", mark });
    watch.stop();
  });
}

/** Everything that was told of the states of a key, up to now. */
async function toldOf(
  scene: Scene,
  { until, heard }: Attention<Change>,
  key: string,
): Promise<readonly StateChange[]> {
  const mark = randomId();
  await scene.storage.load([], { mark });
  await until((change) => change.kind === "mark" && change.mark === mark);
  return heard.filter((change) => change.kind === "state").filter((change) => change.key === key);
}

/** Which generations came to which states. */
async function lifeOf(
  scene: Scene,
  watch: Attention<Change>,
  key: string,
): Promise<readonly (readonly [generation: string, state: StateChange["state"]])[]> {
  const told = await toldOf(scene, watch, key);
  return told.map(({ generation, state }) => [generation, state]);
}

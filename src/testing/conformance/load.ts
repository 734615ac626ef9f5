/**
 * What `load` and `count` promise.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import type { Test } from "./scene.ts";
import { completed, failed, like, LONG } from "./shorthands.ts";

/** Declares them. */
export function loadTests(test: Test): void {
  test("Storage.load() knows nothing of a key that was never scheduled", async (scene) => {
    const { live, deferred, ended, dead } = await scene.find("nobody");

    deepEqual([live, deferred, ended, dead], [undefined, undefined, undefined, undefined]);
    deepEqual(await scene.storage.load([]), []);
  });

  test("Storage.load() answers for many keys in the order asked, also twice for one", async (scene) => {
    await scene.storage.schedule([scene.call("a"), scene.call("b", { due: { after: LONG } })]);

    const found = await scene.storage.load(["b", "nobody", "a", "b"]);

    const states = found.map(({ live }) => live?.state);
    deepEqual(states, ["scheduled", undefined, "queued", "scheduled"]);
  });

  test("Storage.load() and count() see the same from every handle", async (scene) => {
    const { worker, claim } = await scene.running("a");
    await scene.replace("a");
    const another = await scene.another();

    // Invariant 10: any process can look.
    deepEqual(await scene.find("a", another), await scene.find("a"));
    equal(await another.count(), 1);
    await worker.settle(claim, completed());
    deepEqual(await scene.find("a", another), await scene.find("a"));
  });

  test("Storage.count() counts what is scheduled, queued and running", async (scene) => {
    const { worker, claim } = await scene.running("running");
    await scene.replace("running"); // waits beside it, and is not live yet
    await scene.add("queued");
    await scene.add("scheduled", { due: { after: LONG } });

    equal(await scene.storage.count(), 3);

    await worker.settle(claim, completed());
    equal(await scene.storage.count(), 3);
    await scene.cancel("queued", "scheduled", "running");
    equal(await scene.storage.count(), 0);
  });

  test("Storage.load() shows what a run left behind", async (scene) => {
    const { worker, claim } = await scene.running("a");
    const text = '1|2|w|{"of":[1,2]}';

    await worker.settle(claim, completed(text));

    const { generation } = claim;
    const { state, endedAt, reason, ...ended } = await scene.ended("a");
    deepEqual([state, reason, ended], ["completed", undefined, { generation, text }]);
    ok(endedAt >= claim.startedAt, "it ended before it began"); // both on the storage's clock, invariant 79
  });

  test("Storage.load() shows the record of the generation that ended last", async (scene) => {
    const first = await scene.running("a");
    await first.worker.settle(first.claim, completed());
    const second = await scene.running("a");

    await second.worker.settle(second.claim, failed());

    like(await scene.ended("a"), { generation: second.generation, state: "failed" });
  });

  test("Storage.load() forgets a record when its time is over", async (scene) => {
    const { worker, claim } = await scene.running("a");

    await worker.settle(claim, { kind: "completed", text: "t", ttl: 50 });

    equal((await scene.ended("a")).text, "t"); // invariant 68: half a second is not rounded to nothing
    await scene.advance(80);
    equal((await scene.find("a")).ended, undefined);
  });

  test("Storage.load() keeps each record for as long as was asked", async (scene) => {
    const short = await scene.running("a");
    await short.worker.settle(short.claim, { kind: "completed", text: "", ttl: 50 });
    const long = await scene.running("a");
    await long.worker.settle(long.claim, completed("second"));

    await scene.advance(80);

    equal((await scene.ended("a")).text, "second");
  });

  test("Storage.load() finds at most a stub where no record is wanted", async (scene) => {
    const { worker, claim, generation } = await scene.running("a");

    await worker.settle(claim, { kind: "failed", text: "long story", ttl: 0 });

    const { live, ended } = await scene.find("a"); // invariant 68
    equal(live, undefined);
    if (ended) like(ended, { generation, state: "failed", text: "" });
    equal((await scene.add("a")).verdict.kind, "scheduled");
    equal((await scene.add("a")).verdict.kind, "exists");
  });

  test("Storage.load() shows a parked task, and beside it a later generation", async (scene) => {
    const { worker, claim, generation } = await scene.running("a");
    await worker.settle(claim, { kind: "dead", text: "why" });

    const next = await scene.add("a");

    const { live, dead } = await scene.find("a");
    deepEqual(next.verdict, { kind: "scheduled" });
    like(dead, { generation, state: "dead", text: "why", reason: undefined });
    equal(live?.generation, next.generation);
  });
}

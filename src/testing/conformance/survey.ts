/**
 * What `survey` promises.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import type { Test } from "./scene.ts";
import { completed, keysOf, like, LONG, succeeded } from "./shorthands.ts";

/** Declares them. */
export function surveyTests(test: Test): void {
  test("Storage.survey() finds nothing where there is nothing", async (scene) => {
    const { at, ...nothing } = await scene.storage.survey(10);

    ok(at > 0);
    deepEqual(nothing, {
      counts: { scheduled: 0, queued: 0, running: 0, waiting: 0, dead: 0 },
      scheduled: [],
      queued: [],
      running: [],
      inLine: [],
      waiting: [],
    });
  });

  test("Storage.survey() tells every task where it stands", async (scene) => {
    const { worker, claim } = await scene.running("background");
    await worker.settle(claim, succeeded({ due: { after: LONG }, body: "next" }));
    const dead = await scene.running("dead");
    await dead.worker.settle(dead.claim, { kind: "dead", text: "" });
    const done = await scene.running("done");
    await done.worker.settle(done.claim, completed());
    const running = await scene.running("running", { body: "r" });
    const waiting = await scene.replace("running", { body: "w" });
    await scene.add("queued", { body: "q" });
    await scene.add("scheduled", { due: { after: 2 * LONG }, body: "s" });

    const survey = await scene.storage.survey(10);

    deepEqual(survey.counts, { scheduled: 2, queued: 1, running: 1, waiting: 1, dead: 1 });
    deepEqual(survey.scheduled, [await scene.live("background"), await scene.live("scheduled")]);
    deepEqual(survey.queued, [await scene.live("queued")]);
    deepEqual(survey.running, [await scene.live("running")]);
    like(survey.running[0], { token: running.claim.token, consumer: running.worker.name });
    const { generation } = waiting;
    deepEqual(survey.waiting, [{ key: "running", generation, due: undefined, body: "w" }]);
    deepEqual(survey.scheduled.map(({ body }) => body), ["next", "s"]);
  });

  test("Storage.survey() counts all, and lists as many as were asked for", async (scene) => {
    const scheduled = Array.from({ length: 30 }, (_, i) => {
      return scene.call(`s${i}`, { due: { after: LONG + 100 * (30 - i) } });
    });
    const queued = Array.from({ length: 30 }, (_, i) => scene.call(`q${i}`));
    await scene.storage.schedule([...scheduled, ...queued]);
    const { claims } = await scene.worker().step({ want: 12 });
    await scene.storage.schedule(
      claims.map(({ key }) => scene.call(key, { mode: "replace", due: { after: LONG } })),
    );

    const survey = await scene.storage.survey(4);

    deepEqual(survey.counts, { scheduled: 30, queued: 18, running: 12, waiting: 12, dead: 0 });
    // In the order in which something happens to them.
    deepEqual(keysOf(survey.scheduled), ["s29", "s28", "s27", "s26"]);
    deepEqual(keysOf(survey.queued), ["q12", "q13", "q14", "q15"]);
    deepEqual(keysOf(survey.running), ["q0", "q1", "q2", "q3"]);
    equal(survey.waiting.length, 4);
    const none = await scene.storage.survey(0);
    deepEqual(none.counts, survey.counts);
    deepEqual([none.scheduled, none.queued, none.running, none.waiting], [[], [], [], []]);
  });

  test("Storage.survey() lists what runs in the order in which it was claimed", async (scene) => {
    const first = scene.worker();
    await scene.add("retried");
    const [claim] = await first.claim();
    await scene.advance(5);
    const others = ["b", "a"];
    for (const key of others) {
      await scene.running(key);
      await scene.advance(5);
    }
    await first.settle(claim, { kind: "retried", due: undefined });
    await first.claim();
    await scene.storage.renew(first.name, await first.claim());

    const { running, counts } = await scene.storage.survey(10);

    deepEqual(keysOf(running), ["b", "a", "retried"]);
    equal(counts.running, 3);
  });

  test("Storage.survey() counts what was cancelled or replaced no more", async (scene) => {
    for (const key of ["a", "b", "c"]) await scene.add(key);
    await scene.add("d", { due: { after: LONG } });
    await scene.cancel("b", "d");
    await scene.replace("a");

    const { counts, queued } = await scene.storage.survey(10);

    deepEqual(counts, { scheduled: 0, queued: 2, running: 0, waiting: 0, dead: 0 });
    deepEqual(keysOf(queued), ["c", "a"]);
  });

  test("Storage.survey() counts what was set aside for a consumer as queued", async (scene) => {
    const worker = scene.worker();
    const waiting = scene.storage.wait(worker.name, 10, LONG);
    await scene.add("a");
    const from = await waiting; // on Redis it is delivered now, and not claimed

    const survey = await scene.storage.survey(10);

    deepEqual(survey.counts, { scheduled: 0, queued: 1, running: 0, waiting: 0, dead: 0 });
    deepEqual(keysOf(survey.queued), ["a"]);
    deepEqual(keysOf(await worker.claim(10, { from })), ["a"]);
  });
}

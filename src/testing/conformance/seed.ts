/**
 * What `seed` promises (invariant 49).
 *
 * @module
 */

import { deepStrictEqual as deepEqual, strictEqual as equal } from "node:assert/strict";
import { randomId } from "../../base/ids.ts";
import type { Test } from "./scene.ts";
import { completed, failed, keysOf, like, LONG, succeeded } from "./shorthands.ts";

/** Declares them. */
export function seedTests(test: Test): void {
  test("Storage.seed() schedules what is not there", async (scene) => {
    const now = await scene.seed("now", { body: "n" });
    const later = await scene.seed("later", { due: { after: LONG }, body: "l" });

    deepEqual([now.seeding, later.seeding], ["seeded", "seeded"]);
    like(await scene.live("now"), { generation: now.generation, state: "queued", body: "n" });
    // Nobody waits for the first of a chain, as for the next of it (invariant 51).
    like(await scene.live("later"), {
      generation: later.generation,
      state: "scheduled",
      background: true,
      body: "l",
      attempt: 1,
    });
    deepEqual(keysOf(await scene.worker().claim()), ["now"]);
  });

  test("Storage.seed() leaves alone what is live", async (scene) => {
    await scene.add("scheduled", { due: { after: LONG } });
    const { worker, claim } = await scene.running("background");
    await worker.settle(claim, succeeded({ due: { after: LONG } }));
    await scene.running("running");
    await scene.add("queued");
    const keys = ["scheduled", "background", "running", "queued"];
    const before = await scene.storage.load(keys);

    for (const key of keys) equal((await scene.seed(key)).seeding, "live");

    deepEqual(await scene.storage.load(keys), before);
  });

  test("Storage.seed() answers each of many in its place", async (scene) => {
    await scene.add("live");
    const seeds = ["a", "live", "b"].map((key) => {
      const { generation, due, body } = scene.call(key);
      return { key, generation, due, body };
    });

    deepEqual(await scene.storage.seed(seeds), ["seeded", "live", "seeded"]);
    deepEqual(await scene.storage.seed([]), []);
  });

  test("Storage.seed() leaves alone what is parked", async (scene) => {
    const { worker, claim, generation } = await scene.running("a");
    await worker.settle(claim, { kind: "dead", text: "" });

    equal((await scene.seed("a")).seeding, "parked");

    const { live, dead } = await scene.find("a");
    deepEqual([live, dead?.generation], [undefined, generation]);
  });

  test("Storage.seed() goes on after a run that ended, well or badly", async (scene) => {
    for (const settlement of [completed(), failed(), succeeded()]) {
      await scene.seed("a");
      const worker = scene.worker();
      const [claim] = await worker.claim();
      await worker.settle(claim, settlement);

      const { seeding } = await scene.seed("a"); // the chain was severed
      equal(seeding, settlement.kind === "succeeded" ? "live" : "seeded");

      const [again] = await worker.claim();
      await worker.settle(again, completed());
    }
  });

  test("Storage.cancel() stops the chain of what waits", async (scene) => {
    for (const due of [undefined, { after: LONG }]) {
      const key = due ? "scheduled" : "queued";
      await scene.seed(key, { due });

      deepEqual(await scene.cancel(key), ["cancelled"]);

      equal((await scene.seed(key)).seeding, "stopped"); // invariant 48
      equal((await scene.find(key)).live, undefined);
    }
  });

  test("Storage.cancel() stops the chain of what is in the background", async (scene) => {
    await scene.seed("a");
    const worker = scene.worker();
    const [claim] = await worker.claim();
    const next = succeeded({ due: { after: LONG } });
    await worker.settle(claim, next);

    await scene.storage.cancel([{ key: "a", generation: next.generation }]);

    equal((await scene.seed("a")).seeding, "stopped");
  });

  test("Storage.cancel() stops the chain of what runs, also while others seed it", async (scene) => {
    await scene.seed("a");
    const worker = scene.worker();
    const [claim] = await worker.claim();

    deepEqual(await scene.cancel("a"), ["requested"]);
    equal((await scene.seed("a")).seeding, "live"); // its body has not ended yet
    await worker.settle(claim, succeeded());

    equal((await scene.seed("a")).seeding, "stopped");
    equal((await scene.find("a")).live, undefined);
  });

  test("Storage.cancel() of another generation stops no chain", async (scene) => {
    await scene.seed("a");
    await scene.storage.cancel([{ key: "a", generation: randomId() }]);
    const worker = scene.worker();
    const [claim] = await worker.claim();
    await worker.settle(claim, completed());

    equal((await scene.seed("a")).seeding, "seeded");
  });

  test("Storage.cancel() before the first seed stops nothing", async (scene) => {
    await scene.add("a");
    await scene.cancel("a");

    equal((await scene.seed("a")).seeding, "seeded");
  });

  test("Storage.cancel() stops the chain of a task that was there before its seed", async (scene) => {
    await scene.add("a");
    equal((await scene.seed("a")).seeding, "live");

    await scene.cancel("a");

    equal((await scene.seed("a")).seeding, "stopped"); // the key is remembered from the first seed on
  });

  for (const settlement of [completed(), failed(), succeeded()]) {
    test(`Storage.cancel() stops a chain that is seeded first while its run is about to be ${settlement.kind}`, async (scene) => {
      const { worker, claim } = await scene.running("a");
      deepEqual(await scene.cancel("a"), ["requested"]);

      equal((await scene.seed("a")).seeding, "live"); // its body has not ended yet
      await worker.settle(claim, settlement);

      equal((await scene.seed("a")).seeding, "stopped"); // invariant 48
      equal((await scene.find("a")).live, undefined);
    });
  }

  test("Storage.cancel() stops a chain that was cleared away and is about to be seeded", async (scene) => {
    await scene.seed("a");
    equal((await scene.storage.clear(randomId(), "")).cleared, 1);

    deepEqual(await scene.cancel("a"), ["none"]);

    equal((await scene.seed("a")).seeding, "stopped"); // invariant 48
    equal((await scene.find("a")).live, undefined);
  });

  for (const kind of ["completed", "failed"] as const) {
    test(`Storage.step() stops a chain whose run ${kind} and says so`, async (scene) => {
      await scene.seed("a");
      const worker = scene.worker();
      const [claim] = await worker.claim();

      await worker.settle(claim, { kind, text: "t", ttl: LONG, stops: true });

      like(await scene.ended("a"), { generation: claim.generation, state: kind, text: "t" });
      equal((await scene.seed("a")).seeding, "stopped");
    });
  }

  test("Storage.step() stops no chain under a token that is stale", async (scene) => {
    await scene.seed("a");
    const worker = scene.worker();
    const [claim] = await worker.claim();
    const stops = { kind: "completed", text: "", ttl: LONG, stops: true } as const;

    equal(await worker.settle({ key: "a", token: randomId() }, stops), false);

    await worker.settle(claim, completed());
    equal((await scene.seed("a")).seeding, "seeded");
  });

  test("Storage.step() keeps a replacement of a run that stops its chain", async (scene) => {
    await scene.seed("a");
    const worker = scene.worker();
    const [claim] = await worker.claim();
    const { generation } = await scene.replace("a");

    await worker.settle(claim, { kind: "completed", text: "", ttl: LONG, stops: true });

    equal((await scene.live("a")).generation, generation); // invariant 48
    equal((await scene.seed("a")).seeding, "live");
    const [next] = await worker.claim();
    await worker.settle(next, completed());
    equal((await scene.seed("a")).seeding, "seeded"); // it was scheduled, so it goes on
  });

  test("Storage.seed() goes on with a stopped chain that somebody scheduled", async (scene) => {
    await scene.seed("a");
    await scene.cancel("a");
    equal((await scene.seed("a")).seeding, "stopped");

    await scene.add("a");

    equal((await scene.seed("a")).seeding, "live");
    const worker = scene.worker();
    const [claim] = await worker.claim();
    await worker.settle(claim, completed());
    equal((await scene.seed("a")).seeding, "seeded");
  });

  test("Storage.seed() recognises a seed that is sent again", async (scene) => {
    const { seeding: _, ...request } = await scene.seed("a");
    const seed = () => scene.storage.seed([request]);

    deepEqual(await seed(), ["seeded"]); // invariant 27
    const worker = scene.worker();
    const [claim] = await worker.claim();
    deepEqual(await seed(), ["seeded"]);
    await worker.settle(claim, completed());
    deepEqual(await seed(), ["seeded"]);

    equal((await scene.find("a")).live, undefined); // it ran once
    deepEqual(await worker.claim(), []);
  });

  test("Storage.seed() recognises a seed that was cancelled meanwhile", async (scene) => {
    const { seeding: _, ...request } = await scene.seed("a");
    await scene.cancel("a");

    deepEqual(await scene.storage.seed([request]), ["seeded"]);

    equal((await scene.find("a")).live, undefined);
  });
}

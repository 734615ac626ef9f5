/**
 * What `parked` promises.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, strictEqual as equal } from "node:assert/strict";
import type { Settlement } from "../../storage/contract.ts";
import type { Scene, Test } from "./scene.ts";
import { completed, failed, keysOf, like, LONG, succeeded } from "./shorthands.ts";

/** Longer in bytes than in letters, and full of what separates columns. */
const ODD = "🦊|12|ünïcödé\n\0";

const ENDINGS = { failed: failed(ODD), dead: { kind: "dead", text: ODD } } as const;

/** Declares them. */
export function parkedTests(test: Test): void {
  for (const which of ["failed", "dead"] as const) {
    test(`Storage.parked() lists what is ${which}, the newest first`, async (scene) => {
      for (const key of ["b", "c", "a"]) {
        await end(scene, key, ENDINGS[which]);
        await scene.advance(3);
      }

      const listed = await scene.storage.parked(which, 10);

      deepEqual(keysOf(listed), ["a", "c", "b"]);
      for (const { key, ...ended } of listed) {
        const found = await scene.find(key);
        like(which === "failed" ? found.ended : found.dead, ended);
        like(ended, { state: which, text: ODD, body: `${ODD} of ${key}` });
      }
      deepEqual(keysOf(await scene.storage.parked(which, 2)), ["a", "c"]);
      deepEqual(await scene.storage.parked(which, 0), []);
    });

    test(`Storage.parked() lists a key that is ${which} again once, and as the newest`, async (scene) => {
      await end(scene, "a", ENDINGS[which]);
      await scene.advance(3);
      await end(scene, "b", ENDINGS[which]);
      await scene.advance(3);
      const generation = await end(scene, "a", ENDINGS[which]);

      const listed = await scene.storage.parked(which, 10);

      deepEqual(keysOf(listed), ["a", "b"]);
      equal(listed[0].generation, generation);
    });
  }

  test("Storage.parked() lists more than fit into one page", async (scene) => {
    await scene.storage.schedule(Array.from({ length: 250 }, (_, i) => scene.call(`${i}`)));
    const worker = scene.worker();
    const claims = await worker.claim(250);
    const commits = claims.map(({ key, token }, i) => {
      return { key, token, settlement: i % 2 ? failed() : { kind: "dead", text: "" } as const };
    });
    await worker.step({ commits, want: 0 });

    const all = await scene.storage.parked("failed", 1_000);

    equal(all.length, 125);
    equal(new Set(keysOf(all)).size, 125);
    equal((await scene.storage.parked("dead", 110)).length, 110);
  });

  test("Storage.parked() lists what failed for as long as its record stays", async (scene) => {
    await end(scene, "brief", { kind: "failed", text: "", ttl: 30 });
    await end(scene, "stub", { kind: "failed", text: "", ttl: 0 });
    await end(scene, "overtaken", failed());
    await end(scene, "overtaken", completed());
    await end(scene, "stays", failed());
    await scene.advance(60);

    const listed = await scene.storage.parked("failed", 10);

    deepEqual(keysOf(listed), ["stays"]);
  });

  test("Storage.parked() lists a failed run whose chain went on", async (scene) => {
    const generation = await end(
      scene,
      "a",
      succeeded({ state: "failed", due: { after: LONG }, text: "t", body: "next" }),
    );

    const [failure] = await scene.storage.parked("failed", 10);

    like(failure, { key: "a", generation, text: "t", body: `${ODD} of a` }); // its own, not the next one's
  });

  test("Storage.parked() lists a dead task beside a later generation of its key", async (scene) => {
    const generation = await end(scene, "a", ENDINGS.dead);
    await scene.add("a", { body: "later" });

    const [parked] = await scene.storage.parked("dead", 10);

    like(parked, { key: "a", generation, body: `${ODD} of a` });
  });

  test("Storage.parked() lists only what ended badly", async (scene) => {
    await end(scene, "completed", completed());
    await end(scene, "cancelled", { kind: "cancelled", reason: "struck", text: "", ttl: LONG });
    await scene.add("live");
    await scene.add("gone");
    await scene.cancel("gone");

    deepEqual(await scene.storage.parked("failed", 10), []);
    deepEqual(await scene.storage.parked("dead", 10), []);
    equal((await scene.ended("completed")).body, undefined);
  });
}

/** Runs a task to its end; tells its generation. */
async function end(scene: Scene, key: string, settlement: Settlement): Promise<string> {
  const { worker, claim, generation } = await scene.running(key, { body: `${ODD} of ${key}` });
  await worker.settle(claim, settlement);
  return generation;
}

/**
 * Who is advertised (invariant 73).
 *
 * @module
 */

import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import type { Scene, Test } from "./scene.ts";
import { completed, LONG } from "./shorthands.ts";

/** Declares them. */
export function presenceTests(test: Test): void {
  test("Storage.advertise() shows a worker and what it says of itself", async (scene) => {
    const { name } = scene.worker();
    const text = `{"odd":"|:ünïcödé 🦊\\n"}`;

    equal(await scene.storage.advertise(name, LONG, text), true);

    const [presence, ...others] = await (await scene.another()).workers();
    deepEqual([presence.consumer, presence.text, others], [name, text, []]);
    ok(presence.seenAt > 0);
  });

  test("Storage.advertise() goes on without saying it all again", async (scene) => {
    const { name } = scene.worker();
    await scene.storage.advertise(name, 300, "text");
    const [before] = await scene.storage.workers();
    await scene.advance(100);

    equal(await scene.storage.advertise(name, LONG, undefined), true);

    await scene.advance(250);
    const [after] = await scene.storage.workers();
    equal(after.text, "text");
    ok(after.seenAt >= before.seenAt + 90);
  });

  test("Storage.advertise() says when nothing is known of a worker any more", async (scene) => {
    const { name } = scene.worker();
    equal(await scene.storage.advertise(name, LONG, undefined), false);
    await scene.storage.advertise(name, 20, "text");
    await scene.advance(50);

    equal(await scene.storage.advertise(name, LONG, undefined), false);

    deepEqual(await scene.storage.workers(), []);
    equal(await scene.storage.advertise(name, LONG, ""), true);
    equal((await scene.storage.workers())[0].text, "");
  });

  test("Storage.advertise() replaces what a worker said before", async (scene) => {
    const { name } = scene.worker();
    await scene.storage.advertise(name, LONG, "first");

    await scene.storage.advertise(name, 20, "second");

    deepEqual(await texts(scene), ["second"]);
    await scene.advance(50);
    deepEqual(await texts(scene), []);
  });

  test("Storage.workers() tells all of them", async (scene) => {
    const names = Array.from({ length: 20 }, () => scene.worker().name);
    for (const name of names) await scene.storage.advertise(name, LONG, `of ${name}`);

    const presences = await scene.storage.workers();

    deepEqual(
      presences.map(({ consumer, text }) => [consumer, text]).toSorted(),
      names.map((name) => [name, `of ${name}`]).toSorted(),
    );
  });

  test("Storage.withdraw() shows a worker no longer", async (scene) => {
    const [stays, goes] = [scene.worker().name, scene.worker().name];
    await scene.storage.advertise(stays, LONG, "stays");
    await scene.storage.advertise(goes, LONG, "goes");

    await scene.storage.withdraw(goes);
    await scene.storage.withdraw(goes);

    deepEqual(await texts(scene), ["stays"]);
    equal(await scene.storage.advertise(goes, LONG, undefined), false);
  });

  test("Storage.retire() shows a worker no longer", async (scene) => {
    const { worker, claim } = await scene.running("a");
    await scene.storage.advertise(worker.name, LONG, "text");
    equal(await scene.storage.retire(worker.name), false);
    await worker.settle(claim, completed());

    equal(await scene.storage.retire(worker.name), true);

    deepEqual(await scene.storage.workers(), []);
  });
}

async function texts(scene: Scene): Promise<string[]> {
  return (await scene.storage.workers()).map(({ text }) => text);
}

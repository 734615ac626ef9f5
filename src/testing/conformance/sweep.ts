/**
 * What `sweep` promises where nothing is broken. How it repairs is a matter of each storage.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import type { Swept } from "../../storage/contract.ts";
import type { Scene, Test } from "./scene.ts";
import { completed, keysOf, LONG, succeeded } from "./shorthands.ts";

/** Declares them. */
export function sweepTests(test: Test): void {
  test("Storage.sweep() touches nothing that is sound", async (scene) => {
    const { worker, claim } = await scene.running("running");
    await scene.replace("running", { due: { after: LONG } });
    await scene.storage.report([{
      key: "running",
      token: claim.token,
      progress: { current: 1, total: 2 },
    }]);
    const other = await scene.running("background");
    await other.worker.settle(other.claim, succeeded({ due: { after: LONG } }));
    const parked = await scene.running("parked");
    await parked.worker.settle(parked.claim, { kind: "dead", text: "" });
    await scene.add("scheduled", { due: { after: LONG } });
    await scene.add("due", { due: { after: 10 } });
    const waiting = scene.storage.wait(worker.name, 1, LONG);
    await scene.add("set aside");
    const from = await waiting;
    await scene.add("queued");
    await scene.advance(30);
    const keys = ["running", "background", "parked", "scheduled", "due", "set aside", "queued"];
    const before = await scene.storage.load(keys);
    const counts = (await scene.storage.survey(10)).counts;

    for (let pass = 0; pass < 3; pass++) equal((await sweep(scene)).repaired, 0);

    deepEqual(await scene.storage.load(keys), before);
    deepEqual((await scene.storage.survey(10)).counts, counts);
    equal(await scene.storage.remaining(), 5);
    deepEqual(await scene.storage.renew(worker.name, [claim]), ["kept"]);
    equal((await scene.storage.promote(10)).promoted, 1);
    const claims = [...await worker.claim(10, { from }), ...await worker.claim()];
    deepEqual([...new Set(keysOf(claims))].toSorted(), ["due", "queued", "set aside"]);
    equal(await worker.settle(claim, completed()), true);
    deepEqual(keysOf(await worker.claim()), []);
  });

  test("Storage.sweep() has time after a pass that found nothing", async (scene) => {
    await scene.add("a");

    equal((await sweep(scene, { pause: LONG })).next, LONG);

    const other = await scene.another();
    const early = await other.sweep({ limit: 100, pause: LONG, silence: 0 });
    deepEqual([early.repaired, early.retired], [0, 0]);
    ok(early.next > LONG - 5_000 && early.next <= LONG);
  });

  test("Storage.sweep() forgets consumers that are silent and hold nothing", async (scene) => {
    const gone = scene.worker();
    await gone.step();
    const advertised = scene.worker();
    await advertised.step();
    await scene.storage.advertise(advertised.name, LONG, "text");
    const { worker: busy, claim } = await scene.running("a");
    await scene.advance(250);
    const lively = scene.worker();
    await lively.step();

    equal((await sweep(scene, { silence: LONG })).retired, 0);
    equal((await sweep(scene, { silence: 200 })).retired, 1);
    equal((await sweep(scene, { silence: 200 })).retired, 0);

    equal(await busy.settle(claim, completed()), true);
    deepEqual((await scene.storage.workers()).map(({ consumer }) => consumer), [advertised.name]);
    await scene.add("b");
    deepEqual(keysOf(await gone.claim()), ["b"]); // it was not dead after all, and is welcome
  });

  test("Storage.sweep() forgets a consumer once its advertisement is over", async (scene) => {
    const worker = scene.worker();
    await worker.step();
    await scene.storage.advertise(worker.name, 300, "text");
    await scene.advance(40);
    equal((await sweep(scene, { silence: 20 })).retired, 0);
    await scene.advance(300);

    equal((await sweep(scene, { silence: 20 })).retired, 1);
    deepEqual(await scene.storage.workers(), []);
  });
}

/** A whole pass, with nothing to wait for before the next. */
async function sweep(scene: Scene, { pause = 0, silence = LONG } = {}): Promise<Swept> {
  return await scene.storage.sweep({ limit: 1_000, pause, silence });
}

/**
 * `worker.health()`: whether it is there, and whether it takes work (invariant 73).
 *
 * @module
 */

import { deepStrictEqual as deepEqual, strictEqual as equal } from "node:assert/strict";
import { internalsOf } from "../../src/docket/internals.ts";
import { aborted, onEveryStorage } from "../_harness.ts";

const READY = { live: true, ready: true };

onEveryStorage("Worker.health()", (test) => {
  test("tells whether it runs, and whether it takes work", async (stage) => {
    const docket = await stage.connect();
    const worker = stage.worker(docket, { gracePeriod: 1_000 });
    let begun = false;
    const go = new AbortController();
    docket.register({
      async wait() {
        begun = true;
        await aborted(go.signal);
      },
    });
    const stop = new AbortController();
    deepEqual(await worker.health(), { live: false, ready: false, reason: "not running" });

    const work = worker.runForever({ signal: stop.signal });
    await stage.eventually(async () => (await worker.health()).ready);
    deepEqual(await worker.health(), READY);

    await docket.add("wait")();
    await stage.eventually(() => begun);
    stop.abort();
    deepEqual(await worker.health(), { live: true, ready: false, reason: "draining" });

    go.abort();
    await stage.soon(work);
    deepEqual(await worker.health(), { live: false, ready: false, reason: "not running" });
    equal(worker.live, false);
  });

  test("is not ready while it cannot claim", async (stage) => {
    const docket = await stage.connect();
    const { storage } = internalsOf(docket);
    const worker = stage.start(docket, { reconnectionDelay: 1 });
    await stage.eventually(async () => (await worker.health()).ready);
    const { step, wait } = storage;
    const fail = () => Promise.reject(new Error("It does not work"));
    Object.assign(storage, { step: fail, wait: fail });
    await docket.add("nothing")(); // ends the wait that is under way

    await stage.eventually(async () => !(await worker.health()).ready);
    deepEqual(await worker.health(), { live: true, ready: false, reason: "cannot claim" });

    Object.assign(storage, { step, wait });
    await stage.eventually(async () => (await worker.health()).ready);
  });

  test("is not ready while the storage does not answer, and stays alive", async (stage) => {
    const docket = await stage.connect();
    const { storage } = internalsOf(docket);
    const worker = stage.start(docket);
    await stage.eventually(async () => (await worker.health()).ready);
    const { now } = storage;
    let asked = 0;
    storage.now = async ({ signal } = {}) => {
      asked++;
      await aborted(signal!);
      throw signal!.reason;
    };

    const both = Promise.all([worker.health(), worker.health()]);

    const away = { live: true, ready: false, reason: "no answer" };
    deepEqual(await stage.soon(both), [away, away]);
    equal(asked, 1, "they asked together");
    equal(worker.live, true);
    storage.now = now;
    deepEqual(await worker.health(), READY);
  });
});

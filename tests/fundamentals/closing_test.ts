/**
 * Closing a docket while its workers close, start, or are made (F60).
 *
 * @module
 */

import { rejects, strictEqual as equal } from "node:assert/strict";
import { ConnectionError, task, Worker } from "../../mod.ts";
import { onEveryStorage } from "../_harness.ts";

onEveryStorage("Docket.close()", (test) => {
  // 74: the end of a running task is settled before the storage goes
  test("waits for a worker that is closing already", async (stage) => {
    const docket = await stage.connect();
    const witness = await stage.connect();
    const started = Promise.withResolvers<void>();
    const finish = Promise.withResolvers<void>();
    const wait = task("wait", async (): Promise<string> => {
      started.resolve();
      await finish.promise;
      return "done";
    });
    await docket.add(wait, { key: "wait" })();
    const worker = stage.worker(docket, { gracePeriod: "1h" });
    void worker.runForever();
    await stage.soon(started.promise);

    const closing = worker.close();
    const closed = docket.close();
    finish.resolve();
    await stage.soon(Promise.all([closing, closed]));

    const execution = await witness.execution("wait");
    equal(execution?.state, "completed");
  });

  test("leaves no worker running that was started meanwhile", async (stage) => {
    const docket = await stage.connect();
    const started = Promise.withResolvers<void>();
    const finish = Promise.withResolvers<void>();
    const late = Promise.withResolvers<Worker>();
    const hatch = task("hatch", async ({ docket }): Promise<void> => {
      started.resolve();
      await finish.promise;
      late.resolve(new Worker(docket));
    });
    await docket.add(hatch)();
    void stage.worker(docket, { gracePeriod: "1h" }).runForever();
    await stage.soon(started.promise);

    const closed = docket.close();
    finish.resolve();
    await stage.soon(closed);

    await rejects((await late.promise).runForever());
  });

  test("leaves nothing to run for workers made afterwards", async (stage) => {
    const docket = await stage.connect();
    await docket.close();

    await rejects(new Worker(docket).runUntilFinished(), ConnectionError);
  });
});

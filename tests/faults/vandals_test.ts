/**
 * Strangers that tear at a docket's stream while it is worked on (invariants 17, 37).
 *
 * What each of these deeds does to tasks in each state stands in `tests/storage/sweep_test.ts`.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, ok } from "node:assert/strict";
import { type Execution, task } from "../../mod.ts";
import { type FaultStage, faultTest, quick, secondsSince, Tally } from "./_stage.ts";

/** What strangers do. */
const DEEDS: Readonly<Record<string, (stage: FaultStage, stream: string) => Promise<unknown>>> = {
  "F41 a stream that is deleted": ({ admin }, stream) => admin.del(stream),
  "F41 a stream that is trimmed": ({ admin }, stream) => admin.xtrim(stream, "MAXLEN", 0),
  "F41 a group that is destroyed": ({ admin }, stream) =>
    admin.xgroup("DESTROY", stream, "workers"),
  "F43 consumers that are deleted with what they hold": deleteConsumers,
};

const WORKERS = 2;
const CONCURRENCY = 5;

for (const [title, deed] of Object.entries(DEEDS)) {
  faultTest(`${title}, again and again, loses no task`, async (stage) => {
    const docket = await stage.connect();
    const tally = new Tally();
    const note = task("note", async ({ key }): Promise<string> => {
      tally.count(key);
      await stage.sleep(20);
      return key;
    });
    docket.register(note);
    const options = { ...quick, redeliveryTimeout: 400, concurrency: CONCURRENCY };
    for (let n = 0; n < WORKERS; n++) stage.start(docket, options);
    const executions: Execution<string>[] = [];

    const deeds = 8;
    for (let round = 0; round < deeds; round++) {
      const keys = Array.from({ length: 20 }, (_, n) => `${round}.${n}`);
      executions.push(...await Promise.all(keys.map((key) => docket.add(note, { key })())));
      const running = tally.runs.size;
      await stage.eventually(() => tally.runs.size > running || running === executions.length);
      await deed(stage, `{${stage.name}}:stream`);
    }
    const start = performance.now();
    const results = await stage.soon(Promise.all(executions.map((each) => each.result())));
    const took = secondsSince(start);

    deepEqual(results, executions.map(({ key }) => key));
    // What ran while its claim was torn away may run again: at most so many.
    const repeated = tally.repeated.length;
    ok(repeated <= deeds * WORKERS * CONCURRENCY, `${repeated} ran more than once`);
    stage.figure(`0 of ${executions.length} lost, ${repeated} run again, all done after ${took} s`);
  });
}

async function deleteConsumers({ admin }: FaultStage, stream: string): Promise<void> {
  const consumers = await admin.xinfo("CONSUMERS", stream, "workers") as string[][];
  for (const [, name] of consumers) await admin.xgroup("DELCONSUMER", stream, "workers", name);
}

/**
 * A worker process is killed, at each of the moments that differ: nothing is lost, and nothing is written twice
 * (invariants 19, 27, 33, 35, 40).
 *
 * @module
 */

import { deepStrictEqual as deepEqual, strictEqual as equal } from "node:assert/strict";
import { processTest, type Scene } from "./_scene.ts";
import type { Tasks } from "./_tasks.ts";

// F01
processTest(
  "Worker: a task read by a worker that dies before claiming it is run once, by another",
  async (scene) => {
    const first = await scene.worker("first", {
      concurrency: 1, // one call at a time
      failpoint: { at: "after the read", signal: "SIGKILL" },
    });
    await scene.happened("waiting");

    const execution = await scene.docket.add<Tasks["nap"]>("nap", { key: "task" })(0);
    await first.ends("SIGKILL");
    await scene.worker("second");

    equal(await execution.result(), "second");
    // The body had been handed to nobody: it is not this task that kills workers (invariant 40).
    deepEqual(await runs(scene), ["second attempt 1 delivery 1"]);
  },
);

// F02
processTest(
  "Worker: a task claimed by a worker that dies before running it is redelivered, at the same attempt",
  async (scene) => {
    const first = await scene.worker("first", {
      failpoint: { at: "after the claim", signal: "SIGKILL" },
    });

    const execution = await scene.docket.add<Tasks["nap"]>("nap", { key: "task" })(0);
    await first.ends("SIGKILL");
    await scene.worker("second");

    equal(await execution.result(), "second");
    deepEqual(await runs(scene), ["second attempt 1 delivery 2, redelivered"]);
  },
);

// F02
processTest(
  "Worker: a task whose worker dies while it runs is redelivered, at the same attempt",
  async (scene) => {
    const first = await scene.worker("first");

    const execution = await scene.docket.add<Tasks["crash"]>("crash", { key: "task" })(1);
    await first.ends("SIGKILL");
    await scene.worker("second");

    equal(await execution.result(), "second");
    deepEqual(await runs(scene), [
      "first attempt 1 delivery 1",
      "second attempt 1 delivery 2, redelivered",
    ]);
  },
);

// F03
processTest(
  "Worker: a task whose worker dies before its end is settled runs again, and the second result stays",
  async (scene) => {
    const first = await scene.worker("first", {
      failpoint: { at: "before settling", signal: "SIGKILL" },
    });

    const execution = await scene.docket.add<Tasks["nap"]>("nap", { key: "task" })(0);
    await first.ends("SIGKILL");
    await scene.worker("second");

    equal(await execution.result(), "second");
    equal((await scene.all("ended", { key: "task" })).length, 2);
    await scene.happened("settled", { worker: "second", committed: true });
    equal((await scene.all("settled")).length, 1);
    equal((await execution.refresh()).state, "completed");
  },
);

// F04: what was committed is not run again, though nobody was told.
processTest(
  "Worker: a task whose worker dies before it hears that its end was settled is not run again",
  async (scene) => {
    const first = await scene.worker("first", {
      failpoint: { at: "after settling", signal: "SIGKILL" },
    });

    const execution = await scene.docket.add<Tasks["nap"]>("nap", { key: "task" })(0);
    await first.ends("SIGKILL");
    await scene.worker("second");
    await scene.looks("second", 6);

    equal(await execution.result(), "first");
    deepEqual(await runs(scene), ["first attempt 1 delivery 1"]);
  },
);

// F04, with a retry: the attempt that was committed is the one that is run.
processTest(
  "Worker: a retry settled by a worker that dies before it hears of it is run once",
  async (scene) => {
    const first = await scene.worker("first", {
      concurrency: 1, // one call at a time: what it is handed with the lost answer does not run
      failpoint: { at: "after settling", signal: "SIGKILL" },
    });

    const execution = await scene.docket.add<Tasks["stumble"]>("stumble", { key: "task" })("first");
    await first.ends("SIGKILL");
    await scene.worker("second");

    equal(await execution.result(), "second");
    const starts = await scene.all("started");
    deepEqual(starts.map(({ worker, attempt }) => [worker, attempt]), [["first", 1], [
      "second",
      2,
    ]]);
  },
);

/** Who called the handler, and what it was told. */
async function runs(scene: Scene): Promise<string[]> {
  return (await scene.all("started")).map(({ worker, attempt, deliveries, redelivered }) =>
    `${worker} attempt ${attempt} delivery ${deliveries}${redelivered ? ", redelivered" : ""}`
  );
}

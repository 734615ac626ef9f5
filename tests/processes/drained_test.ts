/**
 * A worker process is told to end: it drains, without losing, duplicating or charging anything (invariants 30, 75).
 *
 * The library installs no signal handlers; `_worker.ts` does what the command line does.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import type { Execution } from "../../mod.ts";
import { LEASE, NO_END, processTest } from "./_scene.ts";
import type { Tasks } from "./_tasks.ts";

// F05
processTest(
  "Worker: SIGTERM lets running tasks finish, over many leases, while another worker looks on",
  async (scene) => {
    const first = await scene.worker("first");
    const running = await scene.docket.add<Tasks["hold"]>("hold", { key: "running" })();
    await scene.happened("started", { key: "running" });
    await scene.worker("second");

    first.kill("SIGTERM");
    await scene.happened("draining");
    await scene.looks("second", 12); // of which a lease has four or five
    await scene.open("first");
    await first.ends(0);

    equal(await running.result(), "first");
    equal((await scene.all("started")).length, 1);
    equal((await scene.all("aborted")).length, 0);
  },
);

// F05
processTest(
  "Worker: after SIGTERM nothing new is claimed, also where there is room",
  async (scene) => {
    const first = await scene.worker("first", { concurrency: 20 });
    await scene.docket.add<Tasks["hold"]>("hold", { key: "running" })();
    await scene.happened("started", { key: "running" });

    first.kill("SIGTERM");
    await scene.happened("draining");
    const late = await Promise.all(
      Array.from({ length: 20 }, () => scene.docket.add<Tasks["nap"]>("nap")(0)),
    );
    await scene.worker("second");
    const ranOn = await Promise.all(late.map((execution) => execution.result()));
    await scene.open("first");
    await first.ends(0);

    deepEqual(new Set(ranOn), new Set(["second"]));
    equal((await scene.all("started")).length, 21);
  },
);

// F05: the lease never ends here, so the second worker has what the first gave back.
processTest(
  "Worker: when the grace period is over, signals abort and what is unfinished is given back at once, nothing charged",
  async (scene) => {
    const first = await scene.worker("first", { redeliveryTimeout: NO_END, gracePeriod: 200 });
    const deaf = await scene.docket.add<Tasks["hold"]>("hold", { key: "deaf" })();
    const obedient = await scene.docket.add<Tasks["obey"]>("obey", { key: "obedient" })();
    await scene.happened("started", { key: "deaf" });
    await scene.happened("started", { key: "obedient" });
    await scene.worker("second", { redeliveryTimeout: NO_END });

    first.kill("SIGTERM");
    await first.ends(0);
    await scene.open("second");

    equal(await deaf.result(), "second");
    equal(await obedient.result(), "second");
    for (const key of ["deaf", "obedient"]) {
      const aborts = await scene.all("aborted", { key });
      deepEqual(aborts.map(({ worker, reason }) => [worker, reason]), [["first", "SHUTDOWN"]]);
      const [, again, ...more] = await scene.all("started", { key });
      deepEqual([again.worker, again.attempt, again.deliveries], ["second", 1, 1]);
      equal(again.redelivered, false);
      equal(more.length, 0);
    }
  },
);

// F05: in the very moment of the signal, a task can be this worker's already.
for (
  const [what, at] of [["read", "after the read"], ["claimed", "after the claim"]] as const
) {
  processTest(
    `Worker: a task that was ${what} when SIGTERM came is given back at once, nothing charged`,
    async (scene) => {
      const first = await scene.worker("first", {
        concurrency: 1, // one call at a time
        redeliveryTimeout: NO_END,
        failpoint: { at, signal: "SIGTERM" },
      });
      await scene.happened("waiting");

      const execution = await scene.docket.add<Tasks["nap"]>("nap")(0);
      await first.ends(0);
      await scene.worker("second", { redeliveryTimeout: NO_END });

      equal(await execution.result(), "second");
      const [start, ...more] = await scene.all("started");
      deepEqual([start.attempt, start.deliveries, more.length], [1, 1, 0]);
    },
  );
}

// F05
for (const [once, twice] of [["SIGTERM", "SIGTERM"], ["SIGTERM", "SIGINT"]] as const) {
  processTest(
    `Worker: ${twice} after ${once} ends the process at once with 130, and its task is redelivered`,
    async (scene) => {
      const first = await scene.worker("first");
      const execution = await scene.docket.add<Tasks["hold"]>("hold", { key: "task" })();
      await scene.happened("started", { key: "task" });

      first.kill(once);
      await scene.happened("draining");
      first.kill(twice);
      await first.ends(130);
      await scene.worker("second");
      await scene.open("second");

      equal(await execution.result(), "second");
      const [, again] = await scene.all("started");
      deepEqual([again.attempt, again.deliveries, again.redelivered], [1, 2, true]);
    },
  );
}

// Invariant 75
for (const signal of ["SIGTERM", "SIGINT"] as const) {
  processTest(
    `Worker: the library installs no handler of ${signal}: without one it ends the process`,
    async (scene) => {
      const child = await scene.worker("deaf", { deaf: true });

      child.kill(signal);

      await child.ends(signal);
    },
  );
}

// F05
processTest("Worker: workers that come and go side by side run every task once", async (scene) => {
  const setup = { concurrency: 5, redeliveryTimeout: 2 * LEASE };
  const executions: Execution[] = [];
  let leaving = await scene.worker("worker 0", setup);
  for (let i = 1; i <= 5; i++) {
    const coming = await scene.worker(`worker ${i}`, setup);
    const started = scene.next("started");
    const adds = Array.from({ length: 60 }, () => scene.docket.add<Tasks["nap"]>("nap")(20));
    executions.push(...await Promise.all(adds));
    await started;
    leaving.kill("SIGTERM");
    await leaving.ends(0);
    leaving = coming;
  }
  for (const execution of executions) await execution.result();

  const starts = await scene.all("started");
  equal(starts.length, executions.length);
  equal(new Set(starts.map(({ key }) => key)).size, executions.length);
  ok(new Set(starts.map(({ worker }) => worker)).size > 1);
});

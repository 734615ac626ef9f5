/**
 * Workers die at random, again and again, under load: nothing is lost, and hardly anything is done twice.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import type { Happening } from "./_journal.ts";
import { type Child, LEASE, processTest, select } from "./_scene.ts";
import type { Tasks } from "./_tasks.ts";

const TASKS = 2_000;
const WORKERS = 4;
const CONCURRENCY = 10;
const KILLS = 16;
const PAUSE = 150;

processTest(
  "Worker: of 2,000 tasks none is lost, and few run twice, while workers are killed again and again",
  async (scene) => {
    const executions = await Promise.all(
      Array.from(
        { length: TASKS },
        (_, i) => scene.docket.add<Tasks["nap"]>("nap", { key: `task ${i}` })(5 + i % 40),
      ),
    );
    const setup = {
      concurrency: CONCURRENCY,
      maxDeliveries: KILLS + 1, // some are struck again and again, and none is poison
      redeliveryTimeout: 4 * LEASE, // nobody who lives may lose a task: the bound below is exact
    };
    let started = 0;
    const launch = () => scene.launch(`worker ${started++}`, setup);

    const workers: Child[] = Array.from({ length: WORKERS }, launch);
    await scene.happened("started");
    for (let kill = 0; kill < KILLS; kill++) {
      await pause(PAUSE / 2 + Math.random() * PAUSE);
      const victim = await scene.until("somebody works", (all) => pick(workers, all));
      workers[victim].kill("SIGKILL");
      workers[victim] = launch();
    }
    const results = await Promise.all(executions.map((execution) => execution.result()));

    ok(results.every((worker) => worker.startsWith("worker")));
    const starts = await scene.all("started");
    equal(new Set(starts.map(({ key }) => key)).size, TASKS);
    ok(starts.length <= TASKS + KILLS * CONCURRENCY, `${starts.length} executions`);
    const settled = await scene.all("settled", { kind: "completed", committed: true });
    equal(
      new Set(settled.map(({ key }) => key)).size,
      settled.length,
      "a task was completed twice",
    );
    deepEqual(new Set(starts.map(({ attempt }) => attempt)), new Set([1]));
  },
);

/** The index of a worker at random among those that have run something. */
function pick(workers: readonly Child[], happenings: readonly Happening[]): number | undefined {
  const working = [...workers.keys()]
    .filter((index) => select(happenings, "started", { pid: workers[index].pid }).length > 0);
  return working[Math.floor(Math.random() * working.length)];
}

/**
 * A rolling deploy: producers are new before the workers are, and schedule what those do not know yet. That takes time and
 * costs nothing else (invariant 38). tests/fundamentals/unknown_task_test.ts has the rest of F39.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, ok } from "node:assert/strict";
import type { Execution } from "../../mod.ts";
import { processTest } from "../processes/_scene.ts";
import type { Tasks } from "../processes/_tasks.ts";

const TASKS = 40;

processTest(
  "F39 workers of before hold what they do not know, and those that come after run each of it once",
  async (scene) => {
    const before = { without: "nap", concurrency: 4, maxDeliveries: 1 } as const;
    const old = [await scene.worker("old 1", before), await scene.worker("old 2", before)];
    const fresh: Execution<string>[] = [];
    const known: Execution<string>[] = [];
    for (let n = 0; n < TASKS; n++) {
      fresh.push(await scene.docket.add<Tasks["nap"]>("nap", { key: `new ${n}` })(5));
      known.push(await scene.docket.add<Tasks["echo"]>("echo", { key: `old ${n}` })(`${n}`));
    }
    deepEqual(
      await Promise.all(known.map((each) => each.result())),
      known.map((_, n) => `${n}`),
    );
    await scene.until("all are held", async () => {
      await Promise.all(fresh.map((each) => each.refresh()));
      return fresh.every(({ state, deliveries }) => state === "scheduled" && deliveries === 0);
    });

    // One after the other is replaced.
    await scene.worker("new 1", { concurrency: 4, maxDeliveries: 1 });
    await scene.drain(old[0]);
    await scene.worker("new 2", { concurrency: 4, maxDeliveries: 1 });
    await scene.drain(old[1]);
    const names = await Promise.all(fresh.map((each) => each.result()));

    ok(names.every((name) => name.startsWith("new")), `${names}`);
    const started = (await scene.all("started")).filter(({ key }) => key!.startsWith("new"));
    deepEqual(started.length, TASKS);
    deepEqual(
      new Set(started.map(({ attempt, deliveries }) => `${attempt}, ${deliveries}`)),
      new Set(["1, 1"]),
    );
  },
);

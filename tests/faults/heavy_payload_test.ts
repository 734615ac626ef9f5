/**
 * A payload that kills its worker before anything of the user's is called (F10, invariant 40).
 *
 * @module
 */

import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import { Docket, type Execution } from "../../mod.ts";
import { type Child, processTest, type Scene } from "../processes/_scene.ts";
import type { Tasks } from "../processes/_tasks.ts";

/** More than a process with so small a heap can hold. */
const HEAP_MB = 48;
const HEFT = 60_000_000;

/** What is handed over for longer than this is given back, nothing charged. */
const LEASE = 2_000;

const MAX_DELIVERIES = 2;

processTest(
  "F10 a payload that kills every process that is given it is counted before, ends dead, and the others run",
  async (scene) => {
    await using producer = await Docket.connect({
      name: scene.name,
      url: scene.url,
      maxPayloadBytes: 2 * HEFT,
      commandTimeout: "30s",
    });
    const heavy = await producer.add<Tasks["echo"]>("echo", { key: "heavy" })("x".repeat(HEFT));
    const good: Execution[] = [];
    for (let n = 0; n < 10; n++) {
      good.push(await scene.docket.add<Tasks["nap"]>("nap", { key: `good ${n}` })(0));
    }

    const workers = await supervise(scene, async () => {
      await Promise.all(good.map((execution) => execution.result()));
      await heavy.result().catch(() => {});
    });

    equal((await heavy.refresh()).state, "dead");
    deepEqual([...new Set(good.map(({ state }) => state))], ["completed"]);
    equal(heavy.worker, workers.at(-2)!.name);
    // Whoever parked it was told, and lives.
    const last = workers.at(-1)!;
    await scene.until("it is told", () => last.output.includes("Parked heavy"));
    deepEqual(workers.filter(({ alive }) => alive), [last]);
    ok(workers.length > MAX_DELIVERIES);
    deepEqual(await scene.all("started", { key: "heavy" }), []); // nothing of the user's was ever called
    equal(await scene.docket.clear(), 0);
  },
);

/** Starts a worker with a small heap whenever there is none, until the work is done; gives all that there were. */
async function supervise(scene: Scene, work: () => Promise<void>): Promise<Child[]> {
  const workers: Child[] = [];
  const done = work().then(() => "done" as const);
  for (;;) {
    const child = scene.launch(`worker ${workers.length}`, {
      concurrency: 1,
      redeliveryTimeout: LEASE,
      maxDeliveries: MAX_DELIVERIES,
      heap: HEAP_MB,
    });
    workers.push(child);
    if (await Promise.race([done, child.exit]) === "done") return workers;
  }
}

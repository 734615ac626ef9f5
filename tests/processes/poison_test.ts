/**
 * A task that kills every process that runs it (F09, invariants 38–40): it is parked, and the others are done.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, strictEqual as equal } from "node:assert/strict";
import type { Execution } from "../../mod.ts";
import { processTest, type Scene } from "./_scene.ts";
import type { Tasks } from "./_tasks.ts";

const GOOD = 100;
const MAX_DELIVERIES = 3;

// What runs beside the poison dies with it each time, and must not be parked with it. At concurrency 1 nothing does; else it
// matters who is started first, and how soon the poison works.
for (
  const { concurrency, before, atOnce } of [
    { concurrency: 1, before: 30, atOnce: false },
    { concurrency: 4, before: 30, atOnce: false },
    { concurrency: 4, before: 0, atOnce: true },
  ]
) {
  const scenario = `${concurrency} at a time, ${before} before ${atOnce ? "a quick" : "the"} one`;
  processTest(
    `Worker: a task that kills its process each time is dead after "maxDeliveries", and ${GOOD} others complete (${scenario})`,
    async (scene) => {
      const good: Execution[] = [];
      const addGood = async (count: number): Promise<void> => {
        for (let i = 0; i < count; i++) {
          good.push(await scene.docket.add<Tasks["nap"]>("nap", { key: `good ${good.length}` })(1));
        }
      };
      await addGood(before);
      const poison = await scene.docket.add<Tasks["crash"]>("crash")(Infinity, atOnce);
      await addGood(GOOD - before);

      const over = new AbortController();
      const setup = { concurrency, maxDeliveries: MAX_DELIVERIES };
      const supervised = supervise(scene, setup, over.signal);
      const died = await poison.result().catch((error) => error.cause.message);
      await Promise.all(good.map((execution) => execution.result().catch(() => {})));
      over.abort();
      const kills = await supervised;

      deepEqual(good.filter(({ state }) => state !== "completed").map(({ key }) => key), []);
      equal(died, "It was handed to workers too often and never settled");
      equal(poison.state, "dead");
      equal(poison.worker, `worker ${MAX_DELIVERIES - 1}`);
      equal(kills, MAX_DELIVERIES);
    },
  );
}

processTest("Worker: deaths count as deliveries, and not as attempts", async (scene) => {
  const execution = await scene.docket.add<Tasks["crash"]>("crash")(2);
  for (const name of ["first", "second"]) await (await scene.worker(name)).ends("SIGKILL");
  await scene.worker("third");

  equal(await execution.result(), "third");
  const starts = await scene.all("started");
  deepEqual(starts.map(({ deliveries }) => deliveries), [1, 2, 3]);
  deepEqual(starts.map(({ attempt }) => attempt), [1, 1, 1]);
});

/** Starts a worker whenever there is none, until the signal aborts; tells how many were killed. */
async function supervise(
  scene: Scene,
  setup: Parameters<Scene["launch"]>[1],
  signal: AbortSignal,
): Promise<number> {
  let kills = 0;
  while (!signal.aborted) {
    const child = scene.launch(`worker ${kills}`, setup);
    const over = new Promise<"over">((resolve) => {
      signal.addEventListener("abort", () => resolve("over"), { once: true });
    });
    if (await Promise.race([over, child.exit]) === "over") break;
    await child.ends("SIGKILL");
    kills++;
  }
  return kills;
}

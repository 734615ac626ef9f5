/**
 * Handlers that keep the event loop for longer than the lease, with a thread that keeps leases meanwhile. What happens
 * without one is in `tests/processes/zombie_test.ts` (F07 too).
 *
 * @module
 */

import { deepStrictEqual as deepEqual, match, strictEqual as equal } from "node:assert/strict";
import { type Child, processTest, type Scene } from "../processes/_scene.ts";
import type { Tasks } from "../processes/_tasks.ts";

/** Short enough to be waited for thrice, long enough that a busy machine renews in time. */
const LEASE = 800;

/** So often a worker looks for abandoned tasks in three leases, or less. */
const LOOKS_IN_THREE = 16;

// F07
processTest(
  "F07 a handler that keeps the event loop for three leases runs once, where a thread keeps its lease, although another worker waits",
  async (scene) => {
    const { file, execution, worker } = await block(scene, { leaseThread: true });
    await scene.worker("other", { redeliveryTimeout: LEASE });

    await scene.looks("other", LOOKS_IN_THREE);
    await Deno.remove(file);

    equal(await execution.result(), "blocked");
    equal((await scene.all("started", { key: "task" })).length, 1);
    deepEqual(await scene.all("aborted"), []); // by the time it can look, its lease was renewed just now
    match(worker.output, /stood still for \d+ ms while spin task ran/);
  },
);

// F07: the neighbours of such a handler, too, and those that are claimed and not begun.
processTest(
  "F07 what runs beside a handler that keeps the event loop keeps its lease as well",
  async (scene) => {
    const neighbours = await Promise.all(["a", "b"].map((key) => {
      return scene.docket.add<Tasks["hold"]>("hold", { key })();
    }));
    const { file, execution } = await block(scene, { leaseThread: true }, async () => {
      for (const { key } of neighbours) await scene.happened("started", { key });
    });
    await scene.worker("other", { redeliveryTimeout: LEASE });

    await scene.looks("other", LOOKS_IN_THREE);
    await Deno.remove(file);
    await scene.open("blocked");

    for (const one of [execution, ...neighbours]) equal(await one.result(), "blocked");
    equal((await scene.all("started")).length, 3);
  },
);

// F06: whoever is stopped does not keep anything, its threads included.
processTest(
  "F06 a worker that is stopped loses its leases although a thread kept them, and is fenced",
  async (scene) => {
    const worker = await scene.worker("zombie", { redeliveryTimeout: LEASE, leaseThread: true });
    const execution = await scene.docket.add<Tasks["hold"]>("hold", { key: "task" })();
    await scene.happened("started", { key: "task" });

    worker.kill("SIGSTOP");
    await scene.worker("successor", { redeliveryTimeout: LEASE });
    await scene.open("successor");
    equal(await execution.result(), "successor");
    worker.kill("SIGCONT");
    const abort = await scene.happened("aborted", { key: "task" });
    await scene.open("zombie");
    await scene.happened("ended", { worker: "zombie" });

    equal(abort.reason, "LEASE_LOST");
    await execution.refresh();
    deepEqual([execution.state, execution.worker], ["completed", "successor"]);
  },
);

// F07: an endless loop is not kept for ever.
processTest(
  "F07 a thread lets go of what a handler keeps from the event loop for longer than its patience",
  async (scene) => {
    const { file, execution } = await block(scene, { leaseThread: { patience: LEASE } });
    await scene.worker("other", { redeliveryTimeout: LEASE });

    equal(await execution.result(), "other");
    await Deno.remove(file);
    await scene.happened("ended", { worker: "blocked" });

    equal((await scene.all("started", { key: "task" })).length, 2);
    await execution.refresh();
    deepEqual([execution.state, execution.worker], ["completed", "other"]);
  },
);

/** A worker whose event loop is kept by a task, until the file is removed. */
async function block(
  scene: Scene,
  setup: Parameters<Scene["worker"]>[1],
  before = () => Promise.resolve(),
): Promise<{ file: string; execution: Awaited<ReturnType<typeof spin>>; worker: Child }> {
  const file = await Deno.makeTempFile();
  const worker = await scene.worker("blocked", { redeliveryTimeout: LEASE, ...setup });
  await before();
  const execution = await spin(scene, file);
  await scene.happened("started", { key: "task" });
  return { file, execution, worker };
}

function spin(scene: Scene, file: string) {
  return scene.docket.add<Tasks["spin"]>("spin", { key: "task" })("blocked", file);
}

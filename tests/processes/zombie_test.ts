/**
 * A worker process is stopped for longer than its lease, at each of the moments that differ, and goes on: by then another
 * worker has its task. The zombie writes nothing, learns that it lost, and works on (F06, invariants 19, 23, 31, 32).
 *
 * @module
 */

import { deepStrictEqual as deepEqual, strictEqual as equal } from "node:assert/strict";
import type { Execution } from "../../mod.ts";
import { setTimeout as pause } from "node:timers/promises";
import { type Child, processTest, type Scene, select } from "./_scene.ts";
import type { Tasks } from "./_tasks.ts";

/** A lease that is short enough to let it run out, where no other worker is there to take over by accident. */
const SHORT = 200;

// F06
processTest(
  "Worker: one stopped in a handler beyond its lease is told so, and its result is fenced",
  async (scene) => {
    const zombie = await scene.worker("zombie");
    const execution = await scene.docket.add<Tasks["hold"]>("hold", { key: "task" })();
    await scene.happened("started", { key: "task" });
    zombie.kill("SIGSTOP");
    const successor = await takeOver(scene, execution);

    zombie.kill("SIGCONT");
    const abort = await scene.happened("aborted", { key: "task" });
    await scene.open("zombie");
    const verdict = await scene.happened("settled", { worker: "zombie", key: "task" });

    deepEqual([abort.worker, abort.reason], ["zombie", "LEASE_LOST"]);
    equal(verdict.committed, false);
    await expectSuccessorsRecord(scene, execution);
    await expectWorking(scene, zombie, successor);
  },
);

processTest(
  "Worker: one stopped before a renewal beyond its lease steals nothing back when it sends it",
  async (scene) => {
    const zombie = await scene.worker("zombie", {
      failpoint: { at: "before renewing", signal: "SIGSTOP" },
    });
    const execution = await scene.docket.add<Tasks["hold"]>("hold", { key: "task" })();
    await scene.happened("failing");
    // The successor still runs it when the zombie is back.
    const successor = await scene.worker("successor");
    await scene.happened("started", { worker: "successor" });

    zombie.kill("SIGCONT");
    const abort = await scene.happened("aborted", { key: "task" });
    await scene.open("zombie");
    const verdict = await scene.happened("settled", { worker: "zombie", key: "task" });
    equal((await execution.refresh()).worker, "successor");
    await scene.looks("zombie", 6);
    await scene.open("successor");

    deepEqual([abort.worker, abort.reason], ["zombie", "LEASE_LOST"]);
    equal(verdict.committed, false);
    await expectSuccessorsRecord(scene, execution);
    await expectWorking(scene, zombie, successor);
  },
);

processTest(
  "Worker: one stopped beyond its lease with a result to settle is fenced when it sends it",
  async (scene) => {
    const zombie = await scene.worker("zombie", {
      failpoint: { at: "before settling", signal: "SIGSTOP" },
    });
    const execution = await scene.docket.add<Tasks["nap"]>("nap", { key: "task" })(0);
    await scene.happened("failing");
    const successor = await takeOver(scene, execution);

    zombie.kill("SIGCONT");
    const verdict = await scene.happened("settled", { worker: "zombie", key: "task" });

    equal(verdict.committed, false);
    equal((await scene.all("ended", { key: "task" })).length, 2);
    await expectSuccessorsRecord(scene, execution);
    await expectWorking(scene, zombie, successor);
  },
);

processTest(
  "Worker: one stopped beyond its lease with a retry to settle is fenced when it sends it",
  async (scene) => {
    const zombie = await scene.worker("zombie", {
      failpoint: { at: "before settling", signal: "SIGSTOP" },
    });
    const execution = await scene.docket.add<Tasks["stumble"]>("stumble", { key: "task" })(
      "zombie",
    );
    await scene.happened("failing");
    const successor = await takeOver(scene, execution);

    zombie.kill("SIGCONT");
    const verdict = await scene.happened("settled", { worker: "zombie", key: "task" });

    equal(verdict.committed, false);
    deepEqual((await scene.all("started")).map(({ attempt }) => attempt), [1, 1]);
    await expectSuccessorsRecord(scene, execution);
    await expectWorking(scene, zombie, successor);
  },
);

// By the time it has its claim in hand, another may have the task: it cannot know, so it gives the claim back.
processTest(
  "Worker: one stopped after its claim beyond its lease does not run what it claimed, and gives nothing back",
  async (scene) => {
    const zombie = await scene.worker("zombie", {
      failpoint: { at: "after the claim", signal: "SIGSTOP" },
    });
    const execution = await scene.docket.add<Tasks["nap"]>("nap", { key: "task" })(0);
    await scene.happened("failing");
    const successor = await takeOver(scene, execution);

    zombie.kill("SIGCONT");
    const verdict = await scene.happened("settled", { worker: "zombie", key: "task" });

    deepEqual([verdict.kind, verdict.committed], ["released", false]);
    deepEqual((await scene.all("started")).map(({ worker }) => worker), ["successor"]);
    await expectSuccessorsRecord(scene, execution);
    await expectWorking(scene, zombie, successor);
  },
);

processTest(
  "Worker: one stopped after its read beyond its lease finds the task taken, and does not run it",
  async (scene) => {
    const zombie = await scene.worker("zombie", {
      concurrency: 1, // one call at a time
      failpoint: { at: "after the read", signal: "SIGSTOP" },
    });
    await scene.happened("waiting");
    const execution = await scene.docket.add<Tasks["nap"]>("nap", { key: "task" })(0);
    await scene.happened("failing");
    const successor = await takeOver(scene, execution);

    zombie.kill("SIGCONT");
    await scene.looks("zombie", 2);

    deepEqual((await scene.all("started")).map(({ worker }) => worker), ["successor"]);
    await expectSuccessorsRecord(scene, execution);
    await expectWorking(scene, zombie, successor);
  },
);

processTest(
  "Worker: one stopped beyond its lease after it settled keeps what it wrote",
  async (scene) => {
    const zombie = await scene.worker("zombie", {
      failpoint: { at: "after settling", signal: "SIGSTOP" },
    });
    const execution = await scene.docket.add<Tasks["nap"]>("nap", { key: "task" })(0);
    await scene.happened("failing");
    const successor = await scene.worker("successor");
    await scene.looks("successor", 6);

    zombie.kill("SIGCONT");
    const verdict = await scene.happened("settled", { worker: "zombie", key: "task" });

    equal(verdict.committed, true);
    equal(await execution.result(), "zombie");
    deepEqual((await scene.all("started")).map(({ worker }) => worker), ["zombie"]);
    await expectWorking(scene, zombie, successor);
  },
);

// F07: a stall is a stop, as far as the other workers can tell.
processTest(
  "Worker: a handler that keeps its worker's processor beyond the lease is run by another, and fenced",
  async (scene) => {
    const file = await Deno.makeTempFile();
    const zombie = await scene.worker("zombie");
    const execution = await scene.docket.add<Tasks["spin"]>("spin", { key: "task" })(
      "zombie",
      file,
    );
    await scene.happened("started");
    const successor = await takeOver(scene, execution);

    await Deno.remove(file);
    const verdict = await scene.happened("settled", { worker: "zombie", key: "task" });

    equal(verdict.committed, false);
    equal((await scene.all("ended", { key: "task" })).length, 2);
    await expectSuccessorsRecord(scene, execution);
    await expectWorking(scene, zombie, successor);
  },
);

// F07, invariant 34: its own leases run out while nothing else happens in the process, and then it looks for such.
processTest(
  "Worker: a handler that keeps the processor beyond the lease runs once when nobody else is there, and so does its neighbour",
  async (scene) => {
    const file = await Deno.makeTempFile();
    await scene.worker("alone", { redeliveryTimeout: SHORT });
    const neighbour = await scene.docket.add<Tasks["hold"]>("hold", { key: "neighbour" })();
    await scene.happened("started", { key: "neighbour" });
    const spinning = await scene.docket.add<Tasks["spin"]>("spin", { key: "task" })("alone", file);
    await scene.happened("started", { key: "task" });

    await pause(4 * SHORT); // the fault itself
    await Deno.remove(file);
    await scene.looks("alone", 6);
    await scene.open("alone");

    equal(await spinning.result(), "alone");
    equal(await neighbour.result(), "alone");
    equal((await scene.all("started")).length, 2);
    deepEqual(await verdicts(scene, 2), [true, true]);
  },
);

// Invariants 31, 34: a lease that ran out is still its own until another takes it, and it does not take it from itself.
processTest(
  "Worker: one stopped beyond its lease finds its own task abandoned, and goes on with it as if nothing had been",
  async (scene) => {
    const worker = await scene.worker("alone", {
      redeliveryTimeout: SHORT,
      failpoint: { at: "before renewing", signal: "SIGSTOP" },
    });
    const execution = await scene.docket.add<Tasks["hold"]>("hold", { key: "task" })();
    await scene.happened("failing");

    await pause(4 * SHORT); // the fault itself
    worker.kill("SIGCONT");
    await scene.looks("alone", 6);
    await scene.open("alone");

    equal(await execution.result(), "alone");
    equal((await scene.all("started")).length, 1);
    deepEqual(await verdicts(scene, 1), [true]);
  },
);

/** Starts the worker that takes over while the zombie is stopped, and lets it finish. */
async function takeOver(scene: Scene, execution: Execution<string>): Promise<Child> {
  const successor = await scene.worker("successor");
  await scene.open("successor");
  equal(await execution.result(), "successor");
  return successor;
}

/** Of all that was written only the successor's counts. */
async function expectSuccessorsRecord(scene: Scene, execution: Execution<string>): Promise<void> {
  equal(await execution.result(), "successor");
  await execution.refresh();
  deepEqual([execution.state, execution.worker], ["completed", "successor"]);
  await scene.happened("settled", { key: "task", worker: "successor" });
  const committed = await scene.all("settled", { key: "task", committed: true });
  deepEqual(committed.map(({ worker }) => worker), ["successor"]);
}

/** The zombie is a worker like any other now. */
async function expectWorking(scene: Scene, zombie: Child, successor: Child): Promise<void> {
  await scene.drain(successor);
  const execution = await scene.docket.add<Tasks["nap"]>("nap", { key: "afterwards" })(0);
  equal(await execution.result(), "zombie");
  equal(zombie.alive, true);
  equal((await scene.happened("settled", { key: "afterwards" })).committed, true);
}

/** Whether what was settled counted, once that many answers came. */
async function verdicts(scene: Scene, count: number): Promise<(boolean | undefined)[]> {
  await scene.until(`${count} settled`, (all) => select(all, "settled").length >= count);
  return (await scene.all("settled")).map(({ committed }) => committed);
}

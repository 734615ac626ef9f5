/**
 * Chains while worker processes die, start and stop, and strangers break things: each run comes once, one after the other
 * (invariants 47–50, 73, 76).
 *
 * @module
 */

import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import type { Failpoint } from "./_failpoints.ts";
import type { Happening } from "./_journal.ts";
import { type Child, LEASE, processTest, type Scene, select } from "./_scene.ts";
import type { Course, Tasks } from "./_tasks.ts";

/** A docket without anything on it. */
const NOTHING = { scheduled: 0, queued: 0, running: 0, waiting: 0, dead: 0 };

/** The run in which a worker dies, and where the runs that follow are looked at. */
const DEADLY = 3;
const LAST = 6;

/** What is seen of the deadly run, by the moment of the death. */
interface Death {
  readonly when: string;
  readonly failpoint?: Failpoint["at"];
  /** How often its handler is called, and comes to its end. */
  readonly starts: number;
  readonly ends: number;
}

const deaths: readonly Death[] = [
  { when: "after the claim of", failpoint: "after the claim", starts: 1, ends: 1 },
  { when: "in the body of", starts: 2, ends: 1 },
  { when: "before it settles", failpoint: "before settling", starts: 2, ends: 2 },
  { when: "before it hears that it settled", failpoint: "after settling", starts: 1, ends: 1 },
];

for (const { when, failpoint, starts, ends } of deaths) {
  for (const every of [0, 20]) {
    // 47: the chain survives a death at every step
    processTest(
      `Perpetual: a chain whose worker dies ${when} a run goes on in another (every ${every} ms)`,
      async (scene) => {
        const first = await scene.worker("first", {
          concurrency: 1, // one call at a time
          failpoint: failpoint && { at: failpoint, signal: "SIGKILL", skip: DEADLY - 1 },
        });
        const deadly = failpoint ? undefined : { run: DEADLY, on: "first" };
        await addChain(scene, "chain", { every, deadly });
        await first.ends("SIGKILL");

        const second = await scene.worker("second");
        await scene.happened("ended", { run: LAST });

        await expectOneOf(scene, ["chain"]);
        await stopChains(scene, ["chain"]);
        equal(second.alive, true);
        equal((await scene.all("started", { run: DEADLY })).length, starts);
        equal((await scene.all("ended", { run: DEADLY })).length, ends);
        await expectSequence(scene, "chain", [first]);
      },
    );
  }
}

const CHAINS = ["a", "b", "c", "d"];
const WORKERS = 3;
const KILLS = 8;

// 47, 76
processTest(
  "Perpetual: chains go on, run by run, while workers are killed again and again, and the dead are forgotten",
  async (scene) => {
    let launched = 0;
    const setup = { maxDeliveries: KILLS + 1, redeliveryTimeout: 2 * LEASE };
    const launch = () => scene.launch(`worker ${launched++}`, setup);
    const workers: Child[] = Array.from({ length: WORKERS }, launch);
    const dead: Child[] = [];
    for (const key of CHAINS) await addChain(scene, key, { every: 10 });

    for (let kill = 0; kill < KILLS; kill++) {
      const started = await scene.next("started");
      await pause(Math.random() * 100); // any moment will do: that is the fault
      const victim = workers.findIndex(({ pid }) => pid === started.pid);
      workers[victim].kill("SIGKILL");
      dead.push(workers[victim]);
      workers[victim] = launch();
    }
    await Promise.all(dead.map((child) => child.ends("SIGKILL")));
    for (const key of CHAINS) {
      const { run } = (await scene.all("started", { key })).at(-1)!;
      await scene.happened("ended", { key, run: run! + 3 });
    }
    await scene.forgotten(dead);

    await expectOneOf(scene, CHAINS);
    await stopChains(scene, CHAINS);
    for (const key of CHAINS) await expectSequence(scene, key, dead);
  },
);

// 49: seeding a live chain is a no-op
processTest(
  "Perpetual: five processes that start together seed one automatic chain",
  async (scene) => {
    const names = ["a", "b", "c", "d", "e"];
    for (const name of names) scene.launch(name, { automatic: true });

    for (const worker of names) await scene.seeds(worker, 3);

    await expectOneOf(scene, ["automatic"]);
    equal((await scene.all("started")).length, 1);
    const seedings = (await scene.all("seeded")).flatMap(({ seedings }) => seedings!);
    deepEqual(new Set(seedings), new Set(["seeded", "live"]));
    equal(seedings.filter((seeding) => seeding === "seeded").length, 1);
    await stopChains(scene, ["automatic"]);
  },
);

// 49: a severed chain heals while workers live
processTest("Perpetual: an automatic chain that a stranger deletes comes back", async (scene) => {
  for (const name of ["first", "second"]) await scene.worker(name, { automatic: true });
  for (let round = 1; round <= 3; round++) {
    await scene.until(
      `round ${round}`,
      (all) => select(all, "started", { key: "automatic" }).length === round,
    );
    await rests(scene);

    await deleteTask(scene, "automatic");
  }
  await scene.until("it is back", (all) => select(all, "started").length === 4);
  await rests(scene);

  await expectOneOf(scene, ["automatic"]);
  equal((await scene.all("started")).length, 4);
  await stopChains(scene, ["automatic"]);
});

// 47, 49: nobody waits for the worker that died
processTest(
  "Perpetual: an automatic chain goes on when the worker that ran it is killed",
  async (scene) => {
    const first = await scene.worker("first", {
      automatic: true,
      failpoint: { at: "before settling", signal: "SIGKILL" },
    });
    await first.ends("SIGKILL");

    await scene.worker("second", { automatic: true });
    await scene.happened("started", { worker: "second" });
    await rests(scene);
    await scene.seeds("second", 3);

    await expectOneOf(scene, ["automatic"]);
    deepEqual((await scene.all("started")).map(({ worker }) => worker), ["first", "second"]);
    await stopChains(scene, ["automatic"]);
  },
);

// 48
processTest(
  "Perpetual: an automatic chain that was cancelled stays dead, also for processes that start later",
  async (scene) => {
    const first = await scene.worker("first", { automatic: true });
    await scene.happened("started");
    await rests(scene);

    equal(await scene.docket.cancel("automatic"), "cancelled");
    await scene.seeds("first", 3);
    await scene.worker("second", { automatic: true });
    await scene.seeds("second", 3);
    first.kill("SIGKILL");
    await first.ends("SIGKILL");
    await scene.worker("third", { automatic: true });
    await scene.seeds("third", 3);

    deepEqual((await scene.docket.snapshot()).counts, NOTHING);
    equal((await scene.all("started")).length, 1);
    for (const worker of ["second", "third"]) {
      const seedings = (await scene.all("seeded", { worker })).flatMap(({ seedings }) => seedings!);
      deepEqual(new Set(seedings), new Set(["stopped"]));
    }
  },
);

/** A heartbeat that comes once within a test: what is seen before the second was said at once. */
const SELDOM = 600_000;

// 73: at once at the start, gone on drain
processTest(
  "Docket.workers() shows a worker process from its start on, and no longer once it drains",
  async (scene) => {
    const first = await scene.worker("first", { heartbeatInterval: SELDOM });
    await shown(scene, ["first"]);
    await scene.docket.add<Tasks["hold"]>("hold", { key: "hold" })();
    await scene.happened("started");
    await scene.worker("second", { heartbeatInterval: SELDOM, concurrency: 3 });
    await shown(scene, ["first", "second"]);
    const [, { concurrency, tasks }] = await scene.docket.workers();

    first.kill("SIGTERM");
    await scene.happened("draining");
    await shown(scene, ["second"]);
    const { alive } = first;
    await scene.open("first");
    await first.ends(0);

    equal(alive, true); // it still drained
    equal(concurrency, 3);
    ok(Object.hasOwn(tasks, "hold"));
    deepEqual((await scene.docket.taskWorkers("hold")).map(({ name }) => name), ["second"]);
    deepEqual(await scene.docket.taskWorkers("nobody knows"), []);
  },
);

// 73: nobody can count on a worker for longer than the heartbeats it may miss
processTest(
  "Docket.workers() shows a killed worker process for no longer than the heartbeats it may miss",
  async (scene) => {
    const setup = { heartbeatInterval: 100, missedHeartbeats: 3 };
    const first = await scene.worker("first", setup);
    await scene.worker("second", setup);
    await shown(scene, ["first", "second"]);

    first.kill("SIGKILL");
    await first.ends("SIGKILL");
    const left = await advertisedFor(scene, "first");
    await shown(scene, ["second"]);

    ok(left <= 300, `${left} ms`);
  },
);

// 73: what cannot claim is not to be counted on, and comes back by itself
processTest("Docket.workers() hides a worker process while it is stopped", async (scene) => {
  const first = await scene.worker("first");
  await shown(scene, ["first"]);
  const [{ startedAt }] = await scene.docket.workers();

  first.kill("SIGSTOP");
  await shown(scene, []);
  first.kill("SIGCONT");
  await shown(scene, ["first"]);

  deepEqual((await scene.docket.workers())[0].startedAt, startedAt);
});

async function addChain(scene: Scene, key: string, course: Course): Promise<void> {
  await scene.docket.add<Tasks["chain"]>("chain", { key })(1, course);
}

/** Throws unless exactly one generation of each key is live, and nothing else is there. */
async function expectOneOf(scene: Scene, keys: readonly string[]): Promise<void> {
  const { counts } = await scene.docket.snapshot();
  const live = await scene.redis.hkeys(`{${scene.name}}:state`);
  deepEqual(live.sort(), [...keys].sort());
  equal(counts.scheduled + counts.queued + counts.running, keys.length);
  deepEqual([counts.waiting, counts.dead], [0, 0]);
}

/** Cancels chains, and waits until nothing of them runs. */
async function stopChains(scene: Scene, keys: readonly string[]): Promise<void> {
  for (const key of keys) await scene.docket.cancel(key);
  await scene.until("nothing is left", async () => {
    const { counts } = await scene.docket.snapshot();
    return counts.scheduled + counts.queued + counts.running === 0;
  });
}

/** Waits until the automatic chain has nothing but its next run. */
async function rests(scene: Scene): Promise<void> {
  await scene.until("the chain rests", async () => {
    const { counts } = await scene.docket.snapshot();
    return counts.scheduled === 1 && counts.queued + counts.running === 0;
  });
}

/** Waits until just these workers are advertised. */
async function shown(scene: Scene, names: readonly string[]): Promise<void> {
  await scene.until(`${names} are shown`, async () => {
    const workers = await scene.docket.workers();
    return JSON.stringify(workers.map(({ name }) => name)) === JSON.stringify(names);
  });
}

/** For how long a worker is still advertised if it says nothing more, in milliseconds. */
async function advertisedFor(scene: Scene, worker: string): Promise<number> {
  const [key] = await scene.redis.keys(`{${scene.name}}:w:${worker}~*`);
  return key === undefined ? 0 : await scene.redis.pttl(key);
}

/** Deletes whatever there is of a scheduled task, as if it had never been. */
async function deleteTask(scene: Scene, key: string): Promise<void> {
  const name = (kind: string) => `{${scene.name}}:${kind}`;
  await scene.redis.multi()
    .hdel(name("state"), key)
    .hdel(name("tasks"), key)
    .zrem(name("due"), key)
    .srem(name("background"), key)
    .exec();
}

/**
 * Throws unless the runs of a chain came one after the other, without a gap; again only where the worker that ran it was
 * killed.
 */
async function expectSequence(
  scene: Scene,
  key: string,
  killed: readonly Child[],
): Promise<void> {
  await scene.look();
  const happenings = scene.happenings.filter((happening) => happening.key === key);
  const report = happenings.map(({ what, run, worker }) => `${worker} ${what} ${run}`).join(", ");
  let last: Happening | undefined;
  let ended = true;
  for (const happening of happenings) {
    const { what, run, pid } = happening;
    if (what === "ended") {
      deepEqual([run, pid], [last?.run, last?.pid], report);
      ended = true;
    } else if (what === "started") {
      if (run === last?.run) ok(killed.some((child) => child.pid === last!.pid), report);
      else deepEqual([run, ended], [(last?.run ?? 0) + 1, true], report);
      last = happening;
      ended = false;
    }
  }
  ok(last);
}

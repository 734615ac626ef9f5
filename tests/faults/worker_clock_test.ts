/**
 * Workers and producers whose clocks are wrong: the server's clock decides what is due and whose lease is over (invariant
 * 79), theirs only measure spans.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import { type Clock, systemClock } from "../../src/base/clock.ts";
import { type Docket, type Execution, Perpetual, task } from "../../mod.ts";
import { Freezer, onRedis, type Stage } from "../_harness.ts";
import { processTest } from "../processes/_scene.ts";
import type { Tasks } from "../processes/_tasks.ts";
import { processClock } from "./_clocks.ts";

const HOUR = 3_600_000;
const LEASE = 500;

/** A task may be this late on a busy machine, and is wrong by an hour where the wrong clock decides. */
const TOO_LATE = 20_000;

/** By how much the clock of a process is wrong, at each look. */
const wrongs: Readonly<Record<string, () => number>> = {
  "an hour fast": () => HOUR,
  "an hour slow": () => -HOUR,
  "jumping": () => Math.sign(Math.sin(performance.now() / 20)) * HOUR,
};

onRedis("F30 A worker whose clock is wrong", (test) => {
  for (const [how, wrong] of Object.entries(wrongs)) {
    test(`runs nothing early and nothing late (${how})`, async (stage) => {
      const [docket, right] = [await connect(stage, wrong), await stage.connect()];
      const began = new Map<string, number>();
      const note = task("note", ({ key }): void => void began.set(key, Date.now()));
      docket.register(note);
      stage.start(docket);
      const due = new Map<string, number>();
      const executions: Execution[] = [];

      for (let n = 0; n < 20; n++) {
        const [key, producer] = [`${n}`, n % 2 === 0 ? docket : right];
        const earliest = Date.now() + n * 20;
        // A delay is counted by the server; an instant is what it is, whoever says it.
        const when = n % 4 < 2 ? { delay: n * 20 } : { when: earliest };
        executions.push(await producer.add(note, { key, ...when })());
        due.set(key, earliest);
      }
      await stage.soon(Promise.all(executions.map((execution) => execution.result())));

      for (const [key, at] of due) {
        const late = began.get(key)! - at;
        ok(late >= -5 && late < TOO_LATE, `${key} began ${late} ms late`); // 5: rounding, twice
      }
    });

    if (how === "an hour slow") continue; // no other than fast, and leases take time
    test(`keeps its leases, and takes over those of the dead only (${how})`, async (stage) => {
      const freezer = new Freezer();
      stage.afterwards(() => freezer.thaw());
      const mortal = await stage.connect({ storage: freezer.around(await stage.open()) });
      const [wrongDocket, right] = [await connect(stage, wrong), await stage.connect()];
      const runs: string[] = [];
      const long = task("long", async ({ key, worker }): Promise<void> => {
        runs.push(`${key} ${worker.name}`);
        if (worker.name === "mortal") await new Promise(() => {});
        await stage.sleep(2 * LEASE);
      });
      for (const docket of [mortal, wrongDocket, right]) docket.register(long);
      const dying = await mortal.add(long, { key: "dying" })();
      stage.start(mortal, { name: "mortal", redeliveryTimeout: LEASE });
      await stage.eventually(() => runs.length === 1);
      freezer.freeze();
      const frozenAt = performance.now();
      stage.start(wrongDocket, { name: "wrong", redeliveryTimeout: LEASE, concurrency: 4 });
      stage.start(right, { name: "right", redeliveryTimeout: LEASE, concurrency: 4 });

      const living = await Promise.all(
        Array.from({ length: 4 }, (_, n) => right.add(long, { key: `living ${n}` })()),
      );
      await stage.eventually(() => runs.filter((run) => run.startsWith("dying")).length === 2);
      const waited = performance.now() - frozenAt;
      await stage.soon(Promise.all(
        [...living, dying].map((each) => right.execution(each.key))
          .map(async (found) => await (await found)!.result()),
      ));

      ok(waited > LEASE / 2 && waited < TOO_LATE, `taken over after ${waited} ms`);
      equal(runs.length, 4 + 2, `${runs}`); // those of the living once
    });
  }

  test("goes on with its chains at the pace that they have", async (stage) => {
    const docket = await connect(stage, wrongs.jumping);
    const began: number[] = [];
    const tick = task("tick", { perpetual: new Perpetual({ every: 100 }) }, (): void => {
      began.push(performance.now());
    });
    docket.register(tick);
    await docket.add(tick, { key: "tick" })();
    const worker = stage.worker(docket);

    await stage.soon(worker.runAtMost({ tick: 6 }));

    const gaps = began.slice(1).map((at, n) => at - began[n]);
    deepEqual(gaps.length, 5);
    for (const gap of gaps) ok(gap > 50 && gap < TOO_LATE, `${gaps}`);
  });
});

processTest(
  "F30 worker processes whose clocks are an hour apart, and jump, run each task once",
  async (scene) => {
    await using fast = await processClock();
    await using slow = await processClock();
    await fast.set(HOUR);
    await slow.set(-HOUR);
    await scene.worker("fast", { concurrency: 4 }, fast.env);
    await scene.worker("slow", { concurrency: 4 }, slow.env);

    const executions = await Promise.all(
      Array.from(
        { length: 40 },
        (_, n) => scene.docket.add<Tasks["nap"]>("nap", { delay: n * 20 })(n % 10 === 0 ? 900 : 5),
      ),
    );
    const dead = await scene.worker("dead", { concurrency: 1 });
    const [held] = await scene.docket.addAll([scene.docket.call<Tasks["hold"]>("hold")()]);
    await scene.happened("started", { key: held.key }); // by whichever it is
    const [{ worker: holder }] = await scene.all("started", { key: held.key });
    if (holder === "dead") dead.kill("SIGKILL");
    await fast.set(-2 * HOUR);
    await slow.set(2 * HOUR);
    for (const gate of ["fast", "slow"]) await scene.open(gate);
    await Promise.all([...executions, held].map((each) => each.result()));

    const runs = new Map<string, number>();
    for (const { key, deliveries } of await scene.all("started")) {
      runs.set(key!, (runs.get(key!) ?? 0) + 1);
      ok(deliveries === 1 || key === held.key, `${key}`);
    }
    const again = [...runs].filter(([key, count]) => count !== 1 && key !== held.key);
    deepEqual(again, []);
  },
);

/** As a process with a wrong wall clock connects. */
async function connect(stage: Stage, wrong: () => number): Promise<Docket> {
  const clock: Clock = { ...systemClock, now: () => Date.now() + wrong() };
  return await stage.connect({ clock });
}

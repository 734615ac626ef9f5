/**
 * Redis goes back to what it was a while ago, under everybody's hands: a replica that lagged behind has taken over, or a
 * backup was restored. From there everything goes on, and whoever acts on what is not so any more is fenced.
 *
 * @module
 */

import {
  deepStrictEqual as deepEqual,
  ok,
  rejects,
  strictEqual as equal,
} from "node:assert/strict";
import { type Docket, type Execution, Perpetual, Retry, task } from "../../mod.ts";
import { onOwnRedis } from "../_harness.ts";
import { Backup } from "./_backup.ts";

const LEASE = 500;

/** Backs off for so long at most, so that tests need not wait. */
const quick = { reconnectionDelay: 50, redeliveryTimeout: LEASE } as const;

onOwnRedis("F24 When Redis goes back", (test) => {
  test("all that it knew then ends, in a storm of work, again and again", async (stage) => {
    const dockets = [await stage.connect(), await stage.connect()];
    let runs = 0;
    const holders = new Map<string, string>(); // of each claim
    const collisions: string[] = [];
    const work = task(
      "work",
      { retry: new Retry({ attempts: 3 }) },
      async ({ key, execution, worker, attempt }, n: number): Promise<number> => {
        const claim = `${key} ${execution.fence}`;
        const before = holders.get(claim);
        if (before !== undefined && before !== worker.name) collisions.push(claim);
        holders.set(claim, worker.name);
        runs++;
        await stage.sleep(n % 20);
        if (n % 7 === 0 && attempt === 1) throw new Error("once");
        return n;
      },
    );
    const tick = task("tick", { perpetual: new Perpetual({ every: 20 }) }, (): void => {});
    for (const docket of dockets) {
      docket.register(work);
      docket.register(tick);
      for (let n = 0; n < 2; n++) {
        const name = `worker ${dockets.indexOf(docket)}.${n}`;
        stage.start(docket, { ...quick, name, concurrency: 4, maxDeliveries: 50 });
      }
    }
    await dockets[0].add(tick, { key: "tick" })();

    for (let round = 0; round < 4; round++) {
      const before = runs;
      const early = await addSome(dockets[0], `${round}.early`);
      await stage.eventually(() => runs > before + 0.3 * SOME);
      const backup = await Backup.take(stage.admin);
      const late = await addSome(dockets[1], `${round}.late`);
      await stage.eventually(() => runs > before + SOME);

      await backup.restore();
      const kept = await stage.soon(Promise.all(early.map((each) => each.result())));
      const again = await addSome(dockets[1], `${round}.late`); // what was lost can be done again

      deepEqual(kept, early.map((_, n) => n));
      deepEqual(
        await stage.soon(Promise.all(again.map((each) => each.result()))),
        again.map((_, n) => n),
      );
      equal(late.length, again.length);
    }
    const ticks = await dockets[0].execution("tick");
    ok(ticks?.state === "scheduled" || ticks?.state === "queued" || ticks?.state === "running");
    deepEqual(collisions, []);
    deepEqual(await dockets[0].dead(), []);
  });

  test("a run that it knows nothing of is told, and what it says does not count", async (stage) => {
    const [docket, other] = [await stage.connect(), await stage.connect()];
    const runs: string[] = [];
    const reasons: unknown[] = [];
    const hold = task("hold", async ({ worker, signal }): Promise<string> => {
      runs.push(worker.name);
      if (runs.length > 1) return `${worker.name}, again`;
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      reasons.push(signal.reason.code);
      return "of a time that never was";
    });
    for (const each of [docket, other]) each.register(hold);
    const execution = await docket.add(hold)();
    const backup = await Backup.take(stage.admin);
    stage.start(docket, { ...quick, name: "one" });
    await stage.eventually(() => runs.length === 1);
    const lost = await docket.add(hold, { key: "lost" })();

    await backup.restore();
    stage.start(other, { ...quick, name: "two" });

    ok((await stage.soon(execution.result())).endsWith("again"));
    await stage.eventually(() => reasons.length === 1);
    deepEqual(reasons, ["LEASE_LOST"]);
    await rejects(stage.soon(lost.result()), { code: "EXECUTION_EXPIRED" });
    ok((await execution.result()).endsWith("again"));
  });

  test("a run that has ended since is done again, once, under a claim that counts", async (stage) => {
    const docket = await stage.connect();
    const release = Promise.withResolvers<void>();
    let runs = 0;
    const hold = task("hold", async (): Promise<number> => {
      runs++;
      await release.promise;
      return runs;
    });
    const execution = await docket.add(hold)();
    stage.start(docket, quick);
    await stage.eventually(() => runs === 1);
    const backup = await Backup.take(stage.admin);
    release.resolve();
    equal(await stage.soon(execution.result()), 1);

    await backup.restore();
    const found = await docket.execution<typeof hold>(execution.key);

    equal(found!.state, "running"); // as it was then
    equal(await stage.soon(found!.result()), 2);
    equal(runs, 2);
  });

  test("strikes are what they were, for those who have looked already, too", async (stage) => {
    const docket = await stage.connect();
    const work = task("work", (): string => "done");
    docket.register(work);
    stage.start(docket, quick);
    await stage.soon((await docket.add(work)()).result());
    const backup = await Backup.take(stage.admin);
    await docket.strike({ task: work });
    await rejects((await docket.add(work)()).result(), { reason: "struck" });

    await backup.restore();

    equal((await docket.strikes()).length, 0);
    equal(await stage.soon((await docket.add(work)()).result()), "done");
  });

  test("a lane that it does not know yet is opened anew, and one that it knows goes on", async (stage) => {
    const docket = await stage.connect();
    const work = task("work", (_, n: number): number => n);
    docket.register(work);
    const empty = await Backup.take(stage.admin);
    stage.start(docket, quick);
    await stage.soon((await docket.add(work)(1)).result());
    const begun = await Backup.take(stage.admin);
    for (let n = 0; n < 20; n++) await stage.soon((await docket.add(work)(n)).result());

    await begun.restore();
    equal(await stage.soon((await docket.add(work)(2)).result()), 2);
    await empty.restore();
    equal(await stage.soon((await docket.add(work)(3)).result()), 3);
    await begun.restore(); // ahead again, to lanes that are of another epoch
    equal(await stage.soon((await docket.add(work)(4)).result()), 4);
  });
});

/** So many tasks are added at a time. */
const SOME = 40;

function addSome(docket: Docket, prefix: string): Promise<readonly Execution<number>[]> {
  return docket.addAll(Array.from({ length: SOME }, (_, n) => {
    const options = { key: `${prefix}.${n}`, ...n % 5 === 0 ? { delay: n * 3 } : {} };
    return docket.call<Work>("work", options)(n);
  }));
}

type Work = (n: number) => number;

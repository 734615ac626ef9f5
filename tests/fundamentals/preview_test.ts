/**
 * What is to come, chains continued.
 *
 * @module
 */

import {
  deepStrictEqual as deepEqual,
  ok,
  rejects,
  strictEqual as equal,
} from "node:assert/strict";
import { Cron, Perpetual, task } from "../../mod.ts";
import { aborted, onEveryStorage } from "../_harness.ts";

const HOUR = 3_600_000;

onEveryStorage("Docket.preview()", (test) => {
  test("tells what is there and what follows it, the soonest first", async (stage) => {
    const cron = new Cron("0 */6 * * *", { automatic: false });
    const report = task("report", { cron }, (): void => {});
    const sweep = task("sweep", { perpetual: new Perpetual({ every: "10h" }) }, (): void => {});
    const docket = await stage.connect({ tasks: [report, sweep] });
    const now = (await docket.snapshot()).takenAt.getTime();
    await docket.add(report, { key: "report", when: cron.next(new Date(now)) })();
    await docket.add(sweep, { key: "sweep", when: now + HOUR })();
    await docket.add("once", { key: "late", delay: { days: 3 } })();
    await docket.add("once", { key: "soon" })();

    const runs = await docket.preview();

    const expected = [
      ["soon", "once", true],
      ...[1, 11, 21].map(() => ["sweep", "sweep"]),
      ...[0, 1, 2, 3].map(() => ["report", "report"]),
    ];
    equal(runs.length, expected.length);
    deepEqual(
      runs.map(({ when }) => when),
      runs.map(({ when }) => when).toSorted((a, b) => +a - +b),
    );
    deepEqual([runs[0].key, runs[0].execution?.key], ["soon", "soon"]);
    const sweeps = runs.filter(({ key }) => key === "sweep");
    deepEqual(sweeps.map(({ when }) => (when.getTime() - now) / HOUR), [1, 11, 21]);
    deepEqual(sweeps.map(({ execution }) => execution !== undefined), [true, false, false]);
    const reports = runs.filter(({ key }) => key === "report").map(({ when }) => when.getTime());
    ok(reports.every((at, i) => i === 0 || at - reports[i - 1] === 6 * HOUR), `${reports}`);
  });

  test("tells no further than until an instant, and no more than it is asked for", async (stage) => {
    const every = task("every", { perpetual: new Perpetual({ every: "1m" }) }, (): void => {});
    const docket = await stage.connect({ tasks: [every] });
    const now = (await docket.snapshot()).takenAt.getTime();
    await docket.add(every, { key: "every", when: now + 60_000 })();

    equal((await docket.preview({ until: now + 10 * 60_000 })).length, 10);
    equal((await docket.preview({ until: now + 30_000 })).length, 0);
    equal((await docket.preview({ limit: 3 })).length, 3);
    await rejects(docket.preview({ limit: 0 }), RangeError);
    await rejects(docket.preview({ untill: 5 } as never), TypeError);
  });

  test("makes up for what was missed with one run, and asks no policy more than it must", async (stage) => {
    let asked = 0;
    class Counting extends Perpetual {
      override forecast(startedAt: number): number | undefined {
        asked++;
        return super.forecast(startedAt);
      }
    }
    const slow = task(
      "slow",
      { perpetual: new Counting({ every: "10ms" }) },
      async ({ signal }): Promise<void> => await aborted(signal),
    );
    const docket = await stage.connect({ tasks: [slow] });
    for (const key of ["a", "b", "c"]) await docket.add(slow, { key })();
    stage.start(docket);
    await stage.eventually(async () => (await docket.snapshot()).counts.running === 3);
    await stage.advance(100);

    const runs = await docket.preview({ limit: 30 });

    const { takenAt } = await docket.snapshot();
    for (const key of ["a", "b", "c"]) {
      const times = runs.filter((run) => run.key === key).map(({ when }) => when.getTime());
      equal(times.length, 10);
      ok(times.every((at, i) => i === 0 || at - times[i - 1] === 10), `${times}`);
      ok(times[0] <= takenAt.getTime());
    }
    ok(asked < 40, `${asked}`);
    for (const key of ["a", "b", "c"]) await docket.cancel(key);
  });

  test("continues what runs, and what has no pause only once", async (stage) => {
    const slow = task(
      "slow",
      { perpetual: new Perpetual({ every: "1h" }) },
      async ({ signal }): Promise<void> => await aborted(signal),
    );
    const restless = task("restless", { perpetual: new Perpetual() }, (): void => {});
    const docket = await stage.connect({ tasks: [slow, restless] });
    const running = await docket.add(slow, { key: "slow" })();
    stage.start(docket);
    await stage.eventually(async () => (await running.refresh()).state === "running");
    await docket.add(restless, { key: "restless", delay: "5h" })();

    const runs = await docket.preview();

    const started = running.startedAt!.getTime();
    const slows = runs.filter(({ key }) => key === "slow");
    equal(slows.length, 24);
    deepEqual([slows[0].when.getTime() - started, slows[0].execution], [HOUR, undefined]);
    equal(runs.filter(({ key }) => key === "restless").length, 1);
    await docket.cancel("slow");
    await docket.cancel("restless");
  });
});

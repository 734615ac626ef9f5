/**
 * Tasks that follow the wall clock, on a docket: invariants 44, 48, 49, 51, 52.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import { Cron, Docket, Retry, task } from "../../mod.ts";
import type { Clock } from "../../src/base/clock.ts";
import { onEveryStorage, onMemory } from "../_harness.ts";
import { captureLogs } from "../_logs.ts";

captureLogs(); // failures are logged

/** Every second: what a test on a real clock can wait for. */
const EVERY_SECOND = "* * * * * *";

onEveryStorage("Cron", (test) => {
  test("waits for its first instant, in the background", async (stage) => {
    let runs = 0;
    const yearly = task("yearly", { cron: new Cron("@yearly") }, (): void => void runs++);
    const docket = await stage.connect({ tasks: [yearly] });

    await stage.finish(docket); // does not wait for it (invariant 51)

    equal(runs, 0);
    const [scheduled, ...others] = (await docket.snapshot()).scheduled;
    deepEqual([scheduled.key, scheduled.task, others], ["yearly", "yearly", []]);
    deepEqual(scheduled.when, yearly.dependencies.cron.next(new Date(stage.clock.now())));
    await docket.cancel("yearly");
  });

  test("runs once for each instant, whatever the number of workers", async (stage) => {
    const instants: number[] = [];
    const tick = task("tick", { cron: new Cron(EVERY_SECOND) }, ({ execution, cron }): void => {
      instants.push(execution.when!.getTime());
      if (instants.length === 3) cron.cancel();
    });
    const dockets: Docket[] = [];
    for (let i = 0; i < 3; i++) dockets.push(await stage.connect({ tasks: [tick] }));
    for (const docket of dockets) stage.start(docket);

    await stage.eventually(() => instants.length === 3);
    await stage.eventually(async () => (await dockets[0].execution("tick"))?.state === "completed");

    equal(new Set(instants).size, 3);
    ok(instants.every((instant) => instant % 1_000 === 0), `${instants}`);
  });

  test("is not moved by workers that start, nor seeded over a live chain", async (stage) => {
    const daily = task("daily", { cron: new Cron("@daily") }, (): void => {});
    const docket = await stage.connect({ tasks: [daily] });
    await stage.finish(docket);
    const [before] = (await docket.snapshot()).scheduled;

    await stage.finish(await stage.connect({ tasks: [daily] }));

    const [after] = (await docket.snapshot()).scheduled;
    deepEqual(after.when, before.when);
    equal(await before.cancel(), "cancelled"); // it is the same one still
  });

  test("retries first, and goes on after a run that failed for good", async (stage) => {
    const attempts: number[] = [];
    const broken = task(
      "broken",
      { cron: new Cron(EVERY_SECOND), retry: new Retry({ attempts: 2 }) },
      ({ attempt, cron }): void => {
        attempts.push(attempt);
        if (attempts.length === 4) cron.cancel();
        throw new Error("never");
      },
    );
    const docket = await stage.connect({ tasks: [broken] });
    stage.start(docket);

    await stage.eventually(() => attempts.length === 4);
    await stage.eventually(async () => (await docket.execution("broken"))?.state === "failed");

    deepEqual(attempts, [1, 2, 1, 2]);
  });

  test("stops after a run that failed for good, where it is told to", async (stage) => {
    let runs = 0;
    const fragile = task(
      "fragile",
      { cron: new Cron(EVERY_SECOND, { onExhausted: "stop" }) },
      (): void => {
        runs++;
        throw new Error("never again");
      },
    );
    const docket = await stage.connect({ tasks: [fragile] });
    stage.start(docket);
    await stage.eventually(async () => (await docket.execution("fragile"))?.state === "failed");

    await stage.advance(2_500);

    equal(runs, 1);
  });

  test("that is not automatic begins with an add, and then follows the clock", async (stage) => {
    const seen: string[] = [];
    const greet = task(
      "greet",
      { cron: new Cron(EVERY_SECOND, { automatic: false }) },
      ({ cron }, name: string): void => {
        seen.push(name);
        if (seen.length === 2) cron.cancel();
      },
    );
    const docket = await stage.connect({ tasks: [greet] });
    await stage.finish(docket);
    deepEqual(seen, []);

    await docket.add(greet, { key: "greet-jane" })("Jane");
    stage.start(docket);
    await stage.eventually(() => seen.length === 2);
    await stage.eventually(async () =>
      (await docket.execution("greet-jane"))?.state === "completed"
    );

    deepEqual(seen, ["Jane", "Jane"]);
  });
});

onMemory("Cron", (test) => {
  test("makes up for what was missed with one run, and goes on with what comes", async (stage) => {
    await stage.advance(Date.parse("2026-03-28T12:00Z") - stage.clock.now());
    const ran: string[] = [];
    const nightly = task(
      "nightly",
      { cron: new Cron("30 2 * * *", { timeZone: "Europe/Berlin" }) },
      (): void => void ran.push(new Date(stage.clock.now()).toISOString()),
    );
    const options = { tasks: [nightly], heartbeatInterval: "1h" };
    const docket = await stage.connect(options);
    await stage.finish(docket);

    await stage.advance(50 * 3_600_000); // two nights without a worker
    stage.start(docket, { redeliveryTimeout: "1h" });
    await stage.eventually(() => ran.length === 1);
    await stage.advance(24 * 3_600_000);

    deepEqual(ran.map((instant) => instant.slice(0, 16)), ["2026-03-30T14:00", "2026-03-31T00:30"]);
    await docket.cancel("nightly");
  });

  // 52: the instant of a run is that of all its attempts
  test("never comes twice for one instant, also where the clock goes back between attempts", async (stage) => {
    let back = 0;
    const clock: Clock = {
      now: () => stage.clock.now() - back,
      monotonic: () => stage.clock.monotonic(),
      timer: (delay, callback) => stage.clock.timer(delay, callback),
    };
    const ran: string[] = [];
    const hourly = task(
      "hourly",
      { cron: new Cron("0 * * * *"), retry: new Retry({ attempts: 2, delay: "1m" }) },
      ({ attempt }): void => {
        ran.push(`${new Date(clock.now()).toISOString().slice(11, 16)} ${attempt}`);
        if (attempt > 1 || back > 0) return;
        back = 30 * 60_000;
        throw new Error("whoops");
      },
    );
    await using docket = await Docket.connect({ url: "memory://back", clock, tasks: [hourly] });
    stage.start(docket, { redeliveryTimeout: "1h" });
    await stage.advance(0);

    await stage.advance(3 * 3_600_000);

    // From 1:00 to 0:30; and at 1:00 nothing more is to do.
    deepEqual(ran, ["01:00 1", "00:31 2", "02:00 1"]);
    await docket.cancel("hourly");
  });
});

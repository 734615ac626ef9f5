/**
 * Work for later: never early, hardly late, by the storage's clock.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import { type Clock, task } from "../../mod.ts";
import { systemClock } from "../../src/base/clock.ts";
import { altered, onEveryStorage, onMemory, onRedis } from "../_harness.ts";

onEveryStorage("A scheduled task", (test) => {
  test("does not start before it is due", async (stage) => {
    const docket = await stage.connect();
    const early: number[] = [];
    function note(when: number): void {
      const left = when - stage.clock.now();
      if (left > 0) early.push(left);
    }
    const begin = stage.clock.now();
    const executions = await Promise.all(
      Array.from({ length: 50 }, (_, n) => begin + 2 * n)
        .map((when) => docket.add(note, { when })(when)),
    );

    await stage.finish(docket);

    deepEqual(early, []);
    for (const execution of executions) {
      const { state, when, startedAt } = await execution.refresh();
      equal(state, "completed");
      ok(startedAt! >= when!);
    }
  });

  test("starts in the order in which it is due, whatever the order of adding", async (stage) => {
    const docket = await stage.connect();
    const seen: number[] = [];
    function note(n: number): void {
      seen.push(n);
    }
    // All in one instant: on a busy machine the first would be due before the last is added.
    await docket.addAll(
      [3, 1, 4, 0, 5, 2].map((n) => docket.call(note, { delay: 20 + 15 * n })(n)),
    );

    await stage.finish(docket, { concurrency: 1 });

    deepEqual(seen, [0, 1, 2, 3, 4, 5]);
  });

  // The worker sleeps for something far away, and hears of something near (79, 64)
  test("is not held up by one that is due much later", async (stage) => {
    const docket = await stage.connect();
    const other = await stage.connect();
    function noop(): void {}
    docket.register(noop);
    await docket.add(noop, { delay: "1h" })();
    stage.start(docket);
    await stage.advance(20);

    const begin = stage.clock.monotonic();
    const execution = await other.add(noop, { delay: 30 })();
    await stage.soon(execution.result());

    // The scheduler looks by itself every five seconds: this is how it was told.
    ok(stage.clock.monotonic() - begin < 2_500);
  });

  // 41: however many are due at once
  test("runs however many others are due at the same instant", async (stage) => {
    const docket = await stage.connect();
    let runs = 0;
    function count(): void {
      runs++;
    }
    const when = stage.clock.now() + 50;
    await Promise.all(Array.from({ length: 700 }, () => docket.add(count, { when })()));

    await stage.finish(docket, { concurrency: 50 });

    equal(runs, 700);
  });

  test("makes way for a task that was added later and is due now", async (stage) => {
    const docket = await stage.connect();
    const seen: string[] = [];
    function note(text: string): void {
      seen.push(text);
    }
    await docket.add(note, { delay: 40 })("later");
    await docket.add(note)("now");

    await stage.finish(docket, { concurrency: 1 });

    deepEqual(seen, ["now", "later"]);
  });

  // Several schedulers look at the same work: each task is queued once (16, 17)
  test("runs once however many workers look for it", async (stage) => {
    const docket = await stage.connect();
    const runs = new Map<string, number>();
    const note = task("note", ({ key }): void => {
      runs.set(key, (runs.get(key) ?? 0) + 1);
    });
    const begin = stage.clock.now() + 20;
    const executions = await Promise.all(
      Array.from({ length: 100 }, (_, n) => docket.add(note, { when: begin + (n % 10) })()),
    );

    for (let n = 0; n < 4; n++) stage.start(docket);
    await stage.soon(Promise.all(executions.map((execution) => execution.result())));

    equal(runs.size, 100);
    deepEqual(new Set(runs.values()), new Set([1]));
  });
});

onMemory("A scheduled task", (test) => {
  test("starts at the very instant that it is due", async (stage) => {
    const docket = await stage.connect();
    const begin = stage.clock.now();
    const starts: number[] = [];
    function note(): void {
      starts.push(stage.clock.now() - begin);
    }
    const delays = [0, 10, 999, 4_990, 5_000, 5_010, 59_990, 60_000]; // further apart than its resolution
    for (const delay of delays) await docket.add(note, { delay })();
    stage.start(docket);

    await stage.advance(60_000);

    deepEqual(starts, delays);
  });

  test("starts at the very instant also when its worker slept for another", async (stage) => {
    const docket = await stage.connect();
    const begin = stage.clock.now();
    const starts: number[] = [];
    function note(): void {
      starts.push(stage.clock.now() - begin);
    }
    await docket.add(note, { delay: 60_000 })();
    stage.start(docket);
    await stage.advance(1_000);

    await docket.add(note, { delay: 500 })(); // at 1,500
    await stage.advance(100);
    await docket.add(note, { delay: 10 })(); // at 1,110
    await docket.replace(note, { key: "note", delay: 300 })(); // at 1,400
    await stage.advance(58_900);

    deepEqual(starts, [1_110, 1_400, 1_500, 60_000]);
  });

  // Told or not told: the scheduler looks by itself
  test("starts within five seconds when no news of it arrive", async (stage) => {
    const storage = await stage.open();
    const deaf = altered(storage, { listen: () => Promise.resolve() });
    const docket = await stage.connect({ storage: deaf });
    const begin = stage.clock.now();
    let start = 0;
    stage.start(docket);
    await stage.advance(100);

    await docket.add(function note() {
      start = stage.clock.now() - begin;
    }, { delay: 10 })();
    await stage.advance(5_100);

    ok(start > 110 && start <= 5_200, `${start}`);
  });

  test("due within the worker's resolution is queued with its neighbour", async (stage) => {
    const docket = await stage.connect();
    const begin = stage.clock.now();
    const starts: number[] = [];
    function note(): void {
      starts.push(stage.clock.now() - begin);
    }
    stage.start(docket, { schedulingResolution: 10 });
    await stage.advance(1_000);
    for (const delay of [100, 104, 108, 120]) await docket.add(note, { delay })();

    await stage.advance(1_000);

    equal(starts.length, 4);
    ok(starts.every((start, n) => start >= 1_000 + [100, 104, 108, 120][n]));
    ok(starts.every((start, n) => start <= 1_010 + [100, 104, 108, 120][n]));
    equal(starts[1], starts[2], `${starts}`);
  });
});

// 79: nothing decides by a worker's or a producer's clock
onRedis("A scheduled task", (test) => {
  const skewed = (hours: number): Clock => ({
    ...systemClock,
    now: () => Date.now() + hours * 3_600_000,
  });

  test("is run under leases that keep the server's time, too", async (stage) => {
    const ahead = await stage.connect({ clock: skewed(1) });
    const behind = await stage.connect({ clock: skewed(-1) });
    let runs = 0;
    async function long(): Promise<void> {
      runs++;
      await stage.sleep(1_100);
    }
    behind.register(long);
    const execution = await ahead.add(long)();

    for (const docket of [ahead, behind]) stage.start(docket, { redeliveryTimeout: 500 });
    await stage.soon(execution.result());

    equal(runs, 1);
  });

  for (const hours of [-1, 1]) {
    test(`keeps the server's time when clocks here are ${hours} hours off`, async (stage) => {
      const docket = await stage.connect({ clock: skewed(hours) });
      const starts: number[] = [];
      function note(): void {
        starts.push(Date.now());
      }
      const begin = Date.now();
      const when = begin + 60;

      const later = await docket.add(note, { delay: "1h" })();
      const soon = await docket.add(note, { delay: 30 })();
      const at = await docket.add(note, { when })();
      stage.start(docket);
      await stage.soon(Promise.all([soon.result(), at.result()]));

      ok(starts[0] >= begin + 30);
      ok(starts[1] >= when);
      equal((await later.refresh()).state, "scheduled");
      ok(Math.abs(soon.startedAt!.getTime() - Date.now()) < 60_000);
      ok(Math.abs(later.when!.getTime() - Date.now() - 3_600_000) < 60_000);
    });
  }
});

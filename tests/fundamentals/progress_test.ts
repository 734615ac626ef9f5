/**
 * How far a run is, as it says so itself: seen everywhere while it runs, and gone with it.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, ok, strictEqual as equal, throws } from "node:assert/strict";
import type { Report } from "../../src/storage/contract.ts";
import {
  Depends,
  type Docket,
  type Execution,
  type ExecutionProgress,
  Progress,
  type ProgressUpdate,
  Retry,
  task,
} from "../../mod.ts";
import {
  aborted,
  altered,
  Freezer,
  onEveryStorage,
  onMemory,
  onOwnRedis,
  type Stage,
} from "../_harness.ts";
import { captureLogs } from "../_logs.ts";

/** Short, since a real storage really waits for it. */
const LEASE = 200;

const logged = captureLogs();

/** A gate that is open when the test is over. */
function gateOf(stage: Stage): { readonly open: () => void; readonly passed: Promise<void> } {
  const { resolve, promise } = Promise.withResolvers<void>();
  stage.afterwards(() => resolve());
  return { open: resolve, passed: promise };
}

/** A docket of which it is known what it reports. */
async function counted(
  stage: Stage,
): Promise<{ readonly docket: Docket; readonly reports: (readonly Report[])[] }> {
  const storage = await stage.open();
  const reports: (readonly Report[])[] = [];
  const docket = await stage.connect({
    storage: altered(storage, {
      report(some, options) {
        reports.push(some);
        return storage.report(some, options);
      },
    }),
  });
  return { docket, reports };
}

/** What a follower that is there from now on is told of progress, and `"the end"`. */
async function follow(execution: Execution): Promise<{ readonly told: Promise<string[]> }> {
  const events = execution.events();
  await events.next();
  const told = (async () => {
    const seen: string[] = [];
    for await (const event of events) {
      if (event.kind === "progress") seen.push(`${event.current}/${event.total}`);
    }
    return [...seen, "the end"];
  })();
  return { told };
}

/** Lets everything else have a turn, without time passing. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}

onEveryStorage("TaskContext.progress", (test) => {
  test("is 0 of 1 until the task says something else", async (stage) => {
    const docket = await stage.connect();
    const seen: ExecutionProgress[] = [];
    const count = task("count", ({ progress }): void => {
      const look = () => seen.push(progress.snapshot);
      look();
      progress.increment();
      look();
      progress.update({ total: 10 });
      look();
      progress.update({ current: 3, message: "three" });
      look();
      progress.increment(2.5);
      look();
      progress.increment(-1);
      look();
      progress.update({});
      look();
      progress.update({ message: null });
      look();
      equal(progress.current, 4.5);
      equal(progress.total, 10);
      equal(progress.message, undefined);
    });

    const execution = await docket.add(count)();
    await stage.finish(docket);

    await execution.result();
    deepEqual(seen, [
      { current: 0, total: 1 },
      { current: 1, total: 1 },
      { current: 1, total: 10 },
      { current: 3, total: 10, message: "three" },
      { current: 5.5, total: 10, message: "three" },
      { current: 4.5, total: 10, message: "three" },
      { current: 4.5, total: 10, message: "three" },
      { current: 4.5, total: 10 },
    ]);
  });

  test("is shown by the execution in any process, while it runs", async (stage) => {
    const docket = await stage.connect();
    const observer = await stage.connect();
    const silence = gateOf(stage);
    const gate = gateOf(stage);
    const count = task("count", async ({ progress, execution }): Promise<unknown> => {
      await silence.passed;
      progress.update({ current: 1, total: 4, message: "a quarter" });
      await gate.passed;
      return (await execution.refresh()).progress;
    });
    await docket.add(count, { key: "k" })();
    const before = (await observer.execution<typeof count>("k"))!;
    stage.start(docket);
    await stage.eventually(async () => (await before.refresh()).state === "running");
    const silent = before.progress;

    silence.open();
    await stage.eventually(async () => (await before.refresh()).progress !== undefined);
    const found = await observer.execution("k");
    const told = { current: 1, total: 4, message: "a quarter" };
    const meanwhile = before.progress;
    gate.open();
    const ownView = await stage.soon(before.result());

    equal(silent, undefined);
    deepEqual(meanwhile, told);
    deepEqual(found?.progress, told);
    deepEqual(ownView, told);
    equal((await before.refresh()).progress, undefined);
    equal((await observer.execution("k"))?.progress, undefined);
  });

  // 67: an absent message is absent, and not the text "null"
  test("has no message after null took it back", async (stage) => {
    const docket = await stage.connect();
    const gate = gateOf(stage);
    const second = gateOf(stage);
    const count = task("count", async ({ progress }): Promise<void> => {
      progress.update({ message: "one" });
      await gate.passed;
      progress.update({ current: 1, message: null });
      await second.passed;
    });
    const execution = await docket.add(count)();
    stage.start(docket);
    await stage.eventually(async () => (await execution.refresh()).progress?.message === "one");

    gate.open();
    await stage.eventually(async () => (await execution.refresh()).progress?.current === 1);
    const { progress } = execution;
    let told: object | undefined;
    for await (const event of execution.events()) {
      if (event.kind === "progress") {
        told = event;
        break;
      }
    }

    deepEqual(progress, { current: 1, total: 1 });
    equal("message" in told!, false);
  });

  test("keeps an empty message, and one that says null", async (stage) => {
    const docket = await stage.connect();
    const count = task("count", async ({ progress, execution }): Promise<unknown[]> => {
      const seen: unknown[] = [];
      for (const message of ["null", "", "undefined", "|", "a\n\0b", "🎈"]) {
        progress.update({ message });
        await stage.eventually(async () =>
          (await execution.refresh()).progress?.message === message
        );
        seen.push(execution.progress);
      }
      return seen;
    });
    const execution = await docket.add(count)();

    stage.start(docket);

    deepEqual(
      await stage.soon(execution.result()),
      ["null", "", "undefined", "|", "a\n\0b", "🎈"].map((message) => ({
        current: 0,
        total: 1,
        message,
      })),
    );
  });

  test("cuts a long message, and leaves no half character", async (stage) => {
    const docket = await stage.connect();
    const texts = ["x".repeat(1_000), "x".repeat(1_001), "x".repeat(1_000_000), "🎈".repeat(501)];
    const count = task(
      "count",
      async ({ progress, execution }, index: number): Promise<unknown> => {
        progress.update({ message: texts[index] });
        await stage.eventually(async () => (await execution.refresh()).progress !== undefined);
        return execution.progress?.message;
      },
    );
    const executions = await Promise.all(texts.map((_, index) => docket.add(count)(index)));

    stage.start(docket);
    const messages = await stage.soon(Promise.all(executions.map((each) => each.result())));

    const [whole, cut, same, balloons] = messages as string[];
    equal(whole, texts[0]);
    equal(cut, `${"x".repeat(999)}…`);
    equal(same, cut);
    equal(balloons.length, 1_000);
    ok(balloons.isWellFormed() && balloons.startsWith("🎈🎈"));
  });

  test("carries numbers as they are", async (stage) => {
    const docket = await stage.connect();
    const numbers = [0.1, 1e-7, 1 / 3, 2 ** 53, 1e21, 123_456_789.123, Number.MAX_VALUE, 5e-324];
    const count = task("count", async ({ progress, execution }): Promise<unknown[]> => {
      const seen: unknown[] = [];
      for (const number of numbers) {
        progress.update({ current: number, total: number });
        await stage.eventually(async () =>
          (await execution.refresh()).progress?.current === number
        );
        seen.push(execution.progress);
      }
      return seen;
    });
    const execution = await docket.add(count)();

    stage.start(docket);

    deepEqual(
      await stage.soon(execution.result()),
      numbers.map((number) => ({ current: number, total: number })),
    );
  });

  // 67
  test("counts every one of many increments made at the same time", async (stage) => {
    const docket = await stage.connect();
    const gate = gateOf(stage);
    const count = task("count", async ({ progress }): Promise<number> => {
      progress.update({ total: 2_000 });
      await Promise.all(Array.from({ length: 20 }, async () => {
        for (let n = 0; n < 100; n++) {
          progress.increment();
          if (n % 10 === 0) await turn();
        }
      }));
      await gate.passed;
      return progress.current;
    });
    const execution = await docket.add(count)();
    stage.start(docket);

    await stage.eventually(async () => (await execution.refresh()).progress?.current === 2_000);
    gate.open();

    equal(await stage.soon(execution.result()), 2_000);
  });

  // What comes fast travels together
  test("sends little of what comes at once, and the last of it before the end", async (stage) => {
    const { docket, reports } = await counted(stage);
    const count = task("count", ({ progress }): void => {
      progress.update({ total: 10_000 });
      for (let n = 0; n < 10_000; n++) progress.increment();
    });
    const execution = await docket.add(count)();
    const { told } = await stage.soon(follow(execution));

    await stage.finish(docket);

    deepEqual((await stage.soon(told)).slice(-2), ["10000/10000", "the end"]);
    ok(reports.length <= 3, `it was reported ${reports.length} times`);
    deepEqual(reports.at(-1)?.map(({ progress }) => progress), [{
      current: 10_000,
      total: 10_000,
    }]);
  });

  test("sends little of what comes bit by bit", async (stage) => {
    const { docket, reports } = await counted(stage);
    let took = 0;
    const count = task("count", async ({ progress }): Promise<void> => {
      const begin = stage.clock.monotonic();
      progress.update({ total: 1_000 });
      await turn(); // each finds nothing under way
      for (let n = 0; n < 1_000; n++) {
        progress.increment();
        await turn();
      }
      took = stage.clock.monotonic() - begin;
    });
    const execution = await docket.add(count)();
    const { told } = await stage.soon(follow(execution));

    await stage.finish(docket);

    deepEqual((await stage.soon(told)).slice(-2), ["1000/1000", "the end"]);
    ok(reports.length <= 4 + took / 50, `it was reported ${reports.length} times in ${took} ms`);
  });

  test("travels together with that of others", async (stage) => {
    const { docket, reports } = await counted(stage);
    const gate = gateOf(stage);
    const count = task("count", async ({ progress }, n: number): Promise<void> => {
      for (let i = 0; i < 10; i++) progress.update({ current: i, total: n });
      await gate.passed;
    });
    const executions = await Promise.all(
      Array.from({ length: 100 }, (_, n) => docket.add(count)(n)),
    );
    stage.start(docket, { concurrency: 100 });

    await stage.eventually(async () => {
      await Promise.all(executions.map((execution) => execution.refresh()));
      return executions.every(({ progress }) => progress?.current === 9);
    });
    const { length } = reports;
    const seen = executions.map(({ progress }) => progress);
    gate.open();

    ok(length <= 12, `they were reported ${length} times`);
    deepEqual(seen, Array.from({ length: 100 }, (_, n) => ({ current: 9, total: n })));
  });

  // 25: a claim resets it
  test("begins anew with each attempt", async (stage) => {
    const docket = await stage.connect();
    const gate = gateOf(stage);
    const starts: ExecutionProgress[] = [];
    const flaky = task(
      "flaky",
      { retry: new Retry({ attempts: 2, delay: 60 }) },
      async ({ attempt, progress }): Promise<void> => {
        starts.push(progress.snapshot);
        if (attempt === 2) return await gate.passed;
        progress.update({ current: 5, total: 10, message: "halfway" });
        throw new Error("whoops");
      },
    );
    const execution = await docket.add(flaky)();
    stage.start(docket);

    const shown: unknown[] = [];
    for (const state of ["scheduled", "running"]) {
      await stage.eventually(async () =>
        (await execution.refresh()).attempt === 2 && execution.state === state
      );
      shown.push(execution.progress);
    }
    gate.open();
    await stage.soon(execution.result());

    deepEqual(starts, [{ current: 0, total: 1 }, { current: 0, total: 1 }]);
    deepEqual(shown, [undefined, undefined]);
  });

  // 19, 25: only the owner of the claim is heard
  test("of a worker that lost its lease is not shown", async (stage) => {
    const freezer = new Freezer();
    stage.afterwards(() => freezer.thaw());
    const storage = await stage.open();
    let stale = 0;
    // What it reports gets through: it is for the storage to see that it is stale.
    const docket = await stage.connect({
      storage: altered(freezer.around(storage), {
        async report(some, options) {
          await storage.report(some, options);
          if (some.some(({ progress }) => progress.message === "stale")) stale++;
        },
      }),
    });
    const other = await stage.connect();
    const gate = gateOf(stage);
    let late: Progress | undefined;
    const work = task("work", async ({ worker, progress }): Promise<void> => {
      if (worker.name === "mortal") {
        late = progress;
        progress.update({ current: 1, total: 100, message: "first" });
      }
      await gate.passed;
    });
    other.register(work);
    const { key } = await docket.add(work)();
    const execution = (await other.execution(key))!;
    stage.start(docket, { name: "mortal", redeliveryTimeout: LEASE });
    await stage.eventually(async () => (await execution.refresh()).progress !== undefined);
    const told: unknown[] = [];
    const following = (async () => {
      for await (const event of execution.events()) {
        if (event.kind === "progress") told.push(event.message);
      }
    })();

    freezer.freeze();
    stage.start(other, { name: "other", redeliveryTimeout: LEASE });
    await stage.eventually(async () => (await execution.refresh()).worker === "other");
    const anew = execution.progress;
    late!.update({ current: 99, message: "stale" });
    await stage.eventually(() => stale === 1);
    const after = (await execution.refresh()).progress;
    gate.open();
    await stage.soon(following);

    deepEqual([anew, after], [undefined, undefined]);
    deepEqual(told, ["first"]);
  });

  test("is gone when the run has ended, however it ended", async (stage) => {
    const docket = await stage.connect();
    const ready = task("ready", ({ progress }): void => progress.increment());
    const failing = task("failing", ({ progress }): void => {
      progress.increment();
      throw new Error("whoops");
    });
    const held = task("held", async ({ progress, signal }): Promise<void> => {
      progress.increment();
      await aborted(signal);
      throw signal.reason;
    });
    const executions = [
      await docket.add(ready, { key: "completed" })(),
      await docket.add(failing, { key: "failed" })(),
      await docket.add(held, { key: "cancelled" })(),
      await docket.add(held, { key: "released" })(),
    ];
    const worker = stage.start(docket);
    const [, , cancelled, released] = executions;
    await stage.eventually(async () =>
      (await cancelled.refresh()).progress !== undefined &&
      (await released.refresh()).progress !== undefined
    );

    await docket.cancel("cancelled");
    await stage.eventually(async () => (await cancelled.refresh()).state === "cancelled");
    await stage.soon(worker.close());

    const seen: Record<string, unknown> = {};
    for (const execution of executions) {
      const { key, state, progress } = await execution.refresh();
      seen[key] = [state, progress];
    }
    deepEqual(seen, {
      completed: ["completed", undefined],
      failed: ["failed", undefined],
      cancelled: ["cancelled", undefined],
      released: ["queued", undefined],
    });
  });

  test("says nothing any more once the run has ended", async (stage) => {
    const { docket, reports } = await counted(stage);
    const kept: Progress[] = [];
    const gate = gateOf(stage);
    const keep = task("keep", async ({ progress }): Promise<void> => {
      kept.push(progress);
      if (kept.length > 1) await gate.passed;
    });
    const first = await docket.add(keep, { key: "k" })();
    stage.start(docket);
    await stage.soon(first.result());
    const second = await docket.add(keep, { key: "k" })();
    await stage.eventually(() => kept.length === 2);

    kept[0].update({ current: 7, total: 7 });
    await stage.advance(120);

    equal((await second.refresh()).progress, undefined);
    equal(reports.length, 0);
  });

  test("is each execution's own", async (stage) => {
    const docket = await stage.connect();
    const gate = gateOf(stage);
    const count = task("count", async ({ progress }, n: number): Promise<void> => {
      progress.update({ current: n, total: 10, message: `number ${n}` });
      await gate.passed;
    });
    const executions = await Promise.all([1, 2, 3].map((n) => docket.add(count)(n)));

    stage.start(docket);
    await stage.eventually(async () => {
      await Promise.all(executions.map((execution) => execution.refresh()));
      return executions.every(({ progress }) => progress !== undefined);
    });

    deepEqual(
      executions.map(({ progress }) => progress),
      [1, 2, 3].map((n) => ({ current: n, total: 10, message: `number ${n}` })),
    );
  });

  test("may be used while dependencies are opened and closed", async (stage) => {
    const docket = await stage.connect();
    const connection = new Depends(async function* ({ progress }) {
      progress.update({ total: 3, message: "connecting" });
      progress.increment();
      yield progress;
      progress.update({ current: 3, message: "closing" });
      await stage.sleep(1);
    });
    const count = task("count", { connection }, ({ progress, connection }): boolean => {
      progress.increment();
      return progress === connection && progress.current === 2;
    });
    const execution = await docket.add(count)();
    const { told } = await stage.soon(follow(execution));

    await stage.finish(docket);

    equal(await execution.result(), true);
    deepEqual((await stage.soon(told)).slice(-2), ["3/3", "the end"]);
  });

  test("does not hurt the task when it cannot be told", async (stage) => {
    const storage = await stage.open();
    const ways: Record<string, typeof storage.report> = {
      "it rejects": () => Promise.reject(new Error("no room")),
      "it never answers": () => new Promise(() => {}),
      "it answers with the signal": (_reports, options) =>
        new Promise((_resolve, reject) => {
          options!.signal!.addEventListener("abort", () => reject(options!.signal!.reason));
        }),
    };
    for (const [way, report] of Object.entries(ways)) {
      const docket = await stage.connect({ storage: altered(await stage.open(), { report }) });
      const count = task("count", async ({ progress }): Promise<number> => {
        for (let n = 0; n < 10; n++) {
          progress.increment();
          await stage.sleep(20);
        }
        return progress.current;
      });
      const execution = await docket.add(count)();

      await stage.finish(docket);

      equal(await execution.result(), 10, way);
    }
    deepEqual(logged.map(({ rawMessage }) => rawMessage), []);
  });

  test("is told again after it could not be", async (stage) => {
    const storage = await stage.open();
    let failures = 0;
    const docket = await stage.connect({
      storage: altered(storage, {
        report: (...args) =>
          ++failures <= 2 ? Promise.reject(new Error("not now")) : storage.report(...args),
      }),
    });
    const gate = gateOf(stage);
    const count = task("count", async ({ progress }): Promise<void> => {
      for (let n = 0; n < 4; n++) {
        progress.increment();
        await stage.sleep(150);
      }
      await gate.passed;
    });
    const execution = await docket.add(count)();

    stage.start(docket);

    await stage.eventually(async () => (await execution.refresh()).progress?.current === 4);
  });
});

onMemory("TaskContext.progress", (test) => {
  test("is told once in a tenth of a second, however long it takes", async (stage) => {
    const { docket, reports } = await counted(stage);
    const count = task("count", async ({ progress }): Promise<void> => {
      progress.update({ total: 100 });
      for (let n = 0; n < 100; n++) {
        progress.increment();
        await stage.sleep(10);
      }
    });
    const execution = await docket.add(count)();
    const { told } = await stage.soon(follow(execution));

    await stage.finish(docket);

    deepEqual((await stage.soon(told)).slice(-2), ["100/100", "the end"]);
    ok(reports.length >= 8 && reports.length <= 13, `it was reported ${reports.length} times`);
  });

  // 77: nothing of it is left with a worker that is gone
  test("leaves no timer behind when its worker gives it up", async (stage) => {
    const docket = await stage.connect();
    let kept: Progress | undefined;
    const gate = gateOf(stage);
    const hold = task("hold", async ({ progress }): Promise<void> => {
      kept = progress;
      await gate.passed;
    });
    await docket.add(hold)();
    const worker = stage.worker(docket, { gracePeriod: 1_050 }); // it ends between two reports
    const running = worker.runForever();
    await stage.advance(10);
    let closed = false;
    void worker.close().then(() => closed = true);

    for (let n = 0; n < 10_000 && !closed; n++) {
      kept!.increment();
      await stage.advance(1);
    }
    const left = stage.clock.pending;
    await running;

    equal(closed, true);
    equal(left, 0);
  });

  // 77: also where the last report was on its way when the worker gave up
  for (const ends of ["before", "after"] as const) {
    test(`leaves no timer behind when a report gets no answer and the run ends ${ends} its worker`, async (stage) => {
      const storage = await stage.open();
      const report = () => new Promise<void>(() => {});
      const docket = await stage.connect({ storage: altered(storage, { report }) });
      const gate = gateOf(stage);
      const hold = task("hold", async ({ progress }): Promise<void> => {
        progress.increment();
        await gate.passed;
        progress.increment();
      });
      await docket.add(hold)();
      const worker = stage.worker(docket, { gracePeriod: 0 });
      const running = worker.runForever();
      await stage.advance(10);
      const closing = worker.close();

      await stage.advance(900);
      if (ends === "before") gate.open();
      await stage.soon(closing);
      await running;
      const left = stage.clock.pending;
      gate.open();
      await stage.clock.settle();

      equal(left, 0);
      equal(stage.clock.pending, 0);
    });
  }
});

onOwnRedis("TaskContext.progress", (test) => {
  // The end must not overtake what was said before it
  test("comes before the end also when it is the first that this server hears of", async (stage) => {
    const docket = await stage.connect();
    const gate = gateOf(stage);
    const count = task("count", async ({ progress }): Promise<void> => {
      await gate.passed;
      progress.update({ current: 2, total: 2 });
    });
    const execution = await docket.add(count)();
    const { told } = await stage.soon(follow(execution));
    stage.start(docket);
    await stage.eventually(async () => (await execution.refresh()).state === "running");

    gate.open();

    deepEqual(await stage.soon(told), ["2/2", "the end"]);
  });
});

onMemory("Progress", (test) => {
  test("refuses numbers that are none, and changes nothing then", () => {
    const progress = new Progress();
    progress.update({ current: 1, total: 2, message: "kept" });
    const bad = [NaN, Infinity, -Infinity, -1, -0.1, "5", "", null, true, [], {}, 5n, new Date()];
    for (const value of bad) {
      for (const option of ["current", "total"]) {
        // The good half of an update is not taken without the other.
        const update = { current: 7, total: 7, message: "lost", [option]: value };
        throws(
          () => progress.update(update as ProgressUpdate),
          (error: Error) =>
            /^(Range|Type)Error$/.test(error.name) && error.message.includes(`"${option}"`),
          `${option}: ${String(value)}`,
        );
      }
      deepEqual(progress.snapshot, { current: 1, total: 2, message: "kept" }, String(value));
    }
    return Promise.resolve();
  });

  test("refuses a message that is no text, and changes nothing then", () => {
    const progress = new Progress();
    for (const message of [5, true, {}, [], Symbol("s"), () => "text"]) {
      throws(
        () => progress.update({ current: 7, message } as unknown as ProgressUpdate),
        { name: "TypeError", message: /"message"/ },
      );
      deepEqual(progress.snapshot, { current: 0, total: 1 });
    }
    return Promise.resolve();
  });

  test("refuses increments that lead below zero or nowhere, and changes nothing then", () => {
    let changes = 0;
    const progress = new Progress(() => changes++);
    progress.increment(3);
    for (const by of [-4, NaN, Infinity, -Infinity, "1", 1n, {}]) {
      throws(
        () => progress.increment(by as number),
        (error: Error) => /^(Range|Type)Error$/.test(error.name),
        String(by),
      );
      equal(progress.current, 3, String(by));
    }
    equal(changes, 1);
    return Promise.resolve();
  });
});

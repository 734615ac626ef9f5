/**
 * Perpetual tasks: what comes after a run, when, and with what.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, ok, strictEqual as equal, throws } from "node:assert/strict";
import { randomId } from "../../src/base/ids.ts";
import {
  Depends,
  type DurationLike,
  Perpetual,
  type PerpetualOptions,
  type PerpetualState,
  Retry,
  task,
  Timeout,
} from "../../mod.ts";
import {
  aborted,
  failureOf,
  Freezer,
  type MemoryStage,
  onEveryStorage,
  onMemory,
} from "../_harness.ts";
import { captureLogs } from "../_logs.ts";

const logged = captureLogs();

/** A docket without anything on it. */
const NOTHING = { scheduled: 0, queued: 0, running: 0, waiting: 0, dead: 0 };

const HOUR = 3_600_000;

onEveryStorage("Perpetual", (test) => {
  // 47: exactly one successor for each run; every is counted from start to start, on the storage's clock
  for (const fails of [false, true]) {
    test(`schedules one next run after one that ${fails ? "throws" : "returns"}`, async (stage) => {
      const docket = await stage.connect();
      let runs = 0;
      const tick = task(
        "tick",
        { perpetual: new Perpetual({ every: "1h" }) },
        async (_, _args: { readonly since: Date }): Promise<void> => {
          runs++;
          await stage.sleep(20);
          if (fails) throw new Error("whoops");
        },
      );
      const args = { since: new Date(0) };
      const execution = await docket.add(tick, { key: "tick" })(args);
      stage.start(docket);

      await stage.soon(execution.result().catch(() => {}));
      const { counts, scheduled: [next] } = await docket.snapshot();

      equal(execution.state, fails ? "failed" : "completed");
      deepEqual(counts, { ...NOTHING, scheduled: 1 });
      deepEqual([next.key, next.task, next.args], ["tick", "tick", [args]]);
      deepEqual([next.attempt, next.deliveries], [1, 0]);
      equal(next.when!.getTime(), execution.startedAt!.getTime() + HOUR);
      equal(runs, 1);
    });
  }

  // 47: also with many who would run it
  test("runs one after the other, each as often as it should, whoever runs them", async (stage) => {
    const dockets = await Promise.all([1, 2, 3].map(() => stage.connect()));
    const seen: number[] = [];
    let now = 0;
    let most = 0;
    const count = task(
      "count",
      { perpetual: new Perpetual<[n: number]>() },
      async ({ perpetual }, n: number): Promise<void> => {
        most = Math.max(most, ++now);
        seen.push(n);
        await stage.sleep(1);
        now--;
        if (n === 40) perpetual.cancel();
        else perpetual.perpetuate(n + 1);
      },
    );
    for (const docket of dockets) docket.register(count);
    await dockets[0].add(count, { key: "count" })(1);

    for (const docket of dockets) stage.start(docket);
    await stage.eventually(() => seen.length >= 40 && now === 0);
    await stage.eventually(async () => (await dockets[0].snapshot()).counts.running === 0);

    deepEqual(seen, Array.from({ length: 40 }, (_, n) => n + 1));
    equal(most, 1);
    deepEqual((await dockets[0].snapshot()).counts, NOTHING);
  });

  // 47
  test("gives other arguments to the next run, and to those after it", async (stage) => {
    const docket = await stage.connect();
    const seen: string[] = [];
    const note = task(
      "note",
      { perpetual: new Perpetual<[text: string]>({ every: 1 }) },
      ({ perpetual }, text: string): void => {
        seen.push(text);
        if (seen.length === 2) perpetual.perpetuate("other");
        if (seen.length === 3) throw new Error("whoops");
        if (seen.length === 5) perpetual.cancel();
      },
    );
    await docket.add(note, { key: "note" })("first");

    stage.start(docket);
    await stage.eventually(() => seen.length === 5);

    deepEqual(seen, ["first", "first", "other", "other", "other"]);
  });

  test("takes the arguments that were given last, also of a run that throws", async (stage) => {
    const docket = await stage.connect();
    const note = task(
      "note",
      { perpetual: new Perpetual<[text?: string]>({ every: "1h" }) },
      ({ perpetual }, _text?: string): void => {
        perpetual.perpetuate("one");
        perpetual.perpetuate();
        throw new Error("whoops");
      },
    );
    const execution = await docket.add(note, { key: "note" })("first");
    stage.start(docket);

    await failureOf(execution).catch(() => {});
    await stage.soon(execution.result().catch(() => {}));

    deepEqual((await docket.execution("note"))!.args, []);
  });

  // 47: what the run gave its successor is its own mistake
  for (
    const [what, argument, name] of [
      ["cannot be carried", () => {}, "SerializationError"],
      ["are too large", "x".repeat(2_000), "PayloadTooLargeError"],
    ] as const
  ) {
    test(`fails a run whose next arguments ${what}, and goes on with the old ones`, async (stage) => {
      const docket = await stage.connect({ maxPayloadBytes: 1_000 });
      const note = task(
        "note",
        { perpetual: new Perpetual<[argument: unknown]>({ every: "1h" }) },
        ({ perpetual }, _argument: unknown): string => {
          perpetual.perpetuate(argument);
          return "done";
        },
      );
      const execution = await docket.add(note, { key: "note" })("old");
      stage.start(docket);

      await stage.soon(execution.result().catch(() => {}));

      equal((await failureOf(execution)).name, name);
      const next = (await docket.execution("note"))!;
      deepEqual([next.state, next.args], ["scheduled", ["old"]]);
    });
  }

  // 47: its own failure matters more
  test("fails with its own error a run that throws after next arguments that cannot be carried", async (stage) => {
    const docket = await stage.connect();
    const note = task(
      "note",
      { perpetual: new Perpetual<[argument: unknown]>({ every: "1h" }) },
      ({ perpetual }, _argument: unknown): void => {
        perpetual.perpetuate(() => {});
        throw new RangeError("whoops");
      },
    );
    const execution = await docket.add(note, { key: "note" })("old");
    stage.start(docket);

    await stage.soon(execution.result().catch(() => {}));

    const { name, message } = await failureOf(execution);
    deepEqual([name, message], ["RangeError", "whoops"]);
    const next = (await docket.execution("note"))!;
    deepEqual([next.state, next.args], ["scheduled", ["old"]]);
    deepEqual((await docket.snapshot()).counts, { ...NOTHING, scheduled: 1 });
  });

  // 47: whatever goes wrong around the body
  test("goes on after a timeout", async (stage) => {
    const docket = await stage.connect();
    const slow = task(
      "slow",
      { timeout: new Timeout(10), perpetual: new Perpetual({ every: "1h" }) },
      ({ signal }): Promise<void> => aborted(signal),
    );
    const execution = await docket.add(slow, { key: "slow" })();
    stage.start(docket);

    await stage.soon(execution.result().catch(() => {}));

    equal((await failureOf(execution)).name, "TimeoutError");
    deepEqual((await docket.snapshot()).counts, { ...NOTHING, scheduled: 1 });
  });

  test("goes on after a result that cannot be carried", async (stage) => {
    const docket = await stage.connect();
    const odd = task("odd", { perpetual: new Perpetual({ every: "1h" }) }, (): unknown => () => {});
    const execution = await docket.add(odd, { key: "odd" })();
    stage.start(docket);

    await stage.soon(execution.result().catch(() => {}));

    equal((await failureOf(execution)).name, "SerializationError");
    deepEqual((await docket.snapshot()).counts, { ...NOTHING, scheduled: 1 });
  });

  test("goes on after a time in the body that is none", async (stage) => {
    const docket = await stage.connect();
    const odd = task(
      "odd",
      { perpetual: new Perpetual({ every: "1h" }) },
      ({ perpetual }): void => perpetual.after(NaN),
    );
    const execution = await docket.add(odd, { key: "odd" })();
    stage.start(docket);

    await stage.soon(execution.result().catch(() => {}));

    equal((await failureOf(execution)).name, "RangeError");
    deepEqual((await docket.snapshot()).counts, { ...NOTHING, scheduled: 1 });
  });

  for (const order of ["before", "after"] as const) {
    test(`goes on when a dependency ${order} it cannot be opened`, async (stage) => {
      const docket = await stage.connect();
      const release = Promise.withResolvers<void>();
      let opened = 0;
      const connection = new Depends(async (): Promise<string> => {
        if (++opened === 1) throw new Error("refused");
        await release.promise;
        return "open";
      });
      const perpetual = new Perpetual({ every: 20 });
      const dependencies = order === "before"
        ? { connection, perpetual }
        : { perpetual, connection };
      const tick = task("tick", dependencies, ({ perpetual, connection }): string => {
        perpetual.every = "1h";
        return connection;
      });
      const first = await docket.add(tick, { key: "tick" })();
      stage.start(docket);

      await stage.soon(first.result().catch(() => {}));
      const second = await docket.execution<typeof tick>("tick");
      release.resolve();

      equal((await failureOf(first)).name, "DependencyError");
      equal(await stage.soon(second!.result()), "open");
    });
  }

  // 47, 75: a run that is given back is not over
  test("is still one chain when a worker that stops gives its run back", async (stage) => {
    const docket = await stage.connect();
    const started = Promise.withResolvers<void>();
    const seen: string[] = [];
    const tick = task(
      "tick",
      { perpetual: new Perpetual({ every: "1h" }) },
      async ({ worker, signal }): Promise<string> => {
        seen.push(worker.name);
        if (worker.name === "second") return "done";
        started.resolve();
        await aborted(signal);
        throw signal.reason;
      },
    );
    const execution = await docket.add(tick, { key: "tick" })();
    const first = stage.start(docket, { name: "first", gracePeriod: 0 });
    await stage.soon(started.promise);

    await stage.soon(first.close());
    const between = (await docket.snapshot()).counts;
    stage.start(docket, { name: "second" });

    equal(await stage.soon(execution.result()), "done");
    deepEqual(between, { ...NOTHING, queued: 1 });
    deepEqual(seen, ["first", "second"]);
    deepEqual((await docket.snapshot()).counts, { ...NOTHING, scheduled: 1 });
  });

  // 19, 47: the end of a stale run makes no second chain
  test("schedules nothing for a run that ends after its lease was lost", async (stage) => {
    const freezer = new Freezer();
    stage.afterwards(() => freezer.thaw());
    const mortal = await stage.connect({ storage: freezer.around(await stage.open()) });
    const other = await stage.connect();
    const started = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const tick = task(
      "tick",
      { perpetual: new Perpetual<[by?: string]>({ every: "1h" }) },
      async ({ worker, perpetual }, _by?: string): Promise<void> => {
        perpetual.perpetuate(worker.name);
        if (worker.name === "other") return;
        started.resolve();
        await release.promise;
      },
    );
    other.register(tick);
    const execution = await mortal.add(tick, { key: "tick" })();
    stage.start(mortal, { name: "mortal", redeliveryTimeout: 200 });
    await stage.soon(started.promise);

    freezer.freeze();
    stage.start(other, { name: "other", redeliveryTimeout: 200 });
    await stage.soon((await other.execution("tick"))!.result());
    freezer.thaw();
    release.resolve();
    await stage.eventually(() => logged.some(({ message }) => message.join("").includes("Fenced")));

    equal((await execution.refresh()).worker, "other");
    deepEqual((await other.snapshot()).counts, { ...NOTHING, scheduled: 1 });
    deepEqual((await other.execution("tick"))!.args, ["other"]);
  });

  test("keeps its key taken between two runs", async (stage) => {
    const docket = await stage.connect();
    const tick = task("tick", { perpetual: new Perpetual({ every: "1h" }) }, (): void => {});
    const execution = await docket.add(tick, { key: "tick" })();
    stage.start(docket);
    await stage.soon(execution.result());

    const again = await docket.add(tick, { key: "tick" })();

    deepEqual([again.disposition, again.state], ["exists", "scheduled"]);
    deepEqual((await docket.snapshot()).counts, { ...NOTHING, scheduled: 1 });
  });

  test("gives its state to a task that is called directly, and enforces nothing", async () => {
    const calls: unknown[] = [];
    const tick = task(
      "tick",
      { perpetual: new Perpetual<[n: number]>({ every: "5s" }) },
      ({ perpetual }, n: number): number => {
        const before = Number(perpetual.every);
        perpetual.every = "1m";
        perpetual.perpetuate(n + 1);
        perpetual.cancel();
        return before + Number(perpetual.every);
      },
    );
    const fake: PerpetualState<[n: number]> = {
      every: 1,
      perpetuate: (...args) => void calls.push(args),
      after: () => {},
      at: () => {},
      cancel: () => void calls.push("cancel"),
    };

    equal(await tick(1), 65_000);
    await tick.with({ perpetual: fake })(1);
    deepEqual(calls, [[2], "cancel"]);
  });

  test("refuses options that cannot be", () => {
    const wrong = (options: unknown) => () => new Perpetual(options as PerpetualOptions);

    throws(wrong({ every: -1 }), RangeError);
    throws(wrong({ every: NaN }), RangeError);
    throws(wrong({ every: "soon" }), RangeError);
    throws(wrong({ automatic: "yes" }), TypeError);
    throws(wrong({ onExhausted: "perhaps" }), TypeError);
    return Promise.resolve();
  });
});

onEveryStorage("Perpetual with Retry", (test) => {
  // 44: retries come first, then perpetuation; exhausted is failed, once
  test("tries again first, and then comes the next run, from attempt 1", async (stage) => {
    const docket = await stage.connect();
    const attempts: number[] = [];
    const flaky = task(
      "flaky",
      { perpetual: new Perpetual({ every: 20 }), retry: new Retry({ attempts: 3 }) },
      ({ attempt, perpetual }): void => {
        attempts.push(attempt);
        if (attempts.length > 3) perpetual.every = "1h";
        throw new Error(`whoops ${attempts.length}`);
      },
    );
    await docket.add(flaky, { key: "flaky" })();

    stage.start(docket);
    await stage.eventually(() => attempts.length === 6);
    await stage.eventually(async () => (await docket.snapshot()).counts.scheduled === 1);

    deepEqual(attempts, [1, 2, 3, 1, 2, 3]);
    const failed = await docket.failed();
    deepEqual(failed.map(({ error }) => (error as Error).message), ["whoops 6"]);
    const levels = logged.filter(({ properties }) => properties.key === "flaky")
      .map(({ level }) => level);
    deepEqual(levels, ["warning", "warning", "error", "warning", "warning", "error"]);
  });

  // 44: a retry is not a successor
  test("has nothing but the retry scheduled while one waits", async (stage) => {
    const docket = await stage.connect();
    const flaky = task(
      "flaky",
      { perpetual: new Perpetual(), retry: new Retry({ attempts: 2, delay: "1h" }) },
      (): void => {
        throw new Error("whoops");
      },
    );
    const execution = await docket.add(flaky, { key: "flaky" })();
    stage.start(docket);

    await stage.eventually(async () => (await execution.refresh()).attempt === 2);

    equal(execution.state, "scheduled");
    deepEqual((await docket.snapshot()).counts, { ...NOTHING, scheduled: 1 });
    deepEqual(await docket.failed(), []);
  });

  test('ends the chain with its retries when "onExhausted" says so', async (stage) => {
    const docket = await stage.connect();
    let runs = 0;
    const flaky = task(
      "flaky",
      {
        perpetual: new Perpetual<[n: number]>({ onExhausted: "stop" }),
        retry: new Retry({ attempts: 2 }),
      },
      ({ perpetual }, n: number): void => {
        runs++;
        perpetual.perpetuate(n + 1);
        if (n >= 3) throw new Error("whoops");
      },
    );
    await docket.add(flaky, { key: "flaky" })(1);

    await stage.finish(docket);

    equal(runs, 4); // two that return, and two attempts of the third
    deepEqual((await docket.snapshot()).counts, NOTHING);
    equal((await docket.execution("flaky"))!.state, "failed");
  });
});

onMemory("Perpetual", (test) => {
  /** When runs started, in milliseconds from the first; each takes as long as it is told. */
  async function startsOf(
    stage: MemoryStage,
    every: DurationLike,
    took: number,
    span: number,
    body: (perpetual: PerpetualState, n: number) => void = () => {},
  ): Promise<number[]> {
    const docket = await stage.connect();
    const starts: number[] = [];
    const begin = stage.clock.now();
    const tick = task(
      "tick",
      { perpetual: new Perpetual({ every }) },
      async ({ perpetual }): Promise<void> => {
        starts.push(stage.clock.now() - begin);
        await stage.sleep(took);
        body(perpetual, starts.length);
      },
    );
    await docket.add(tick, { key: "tick" })();
    stage.start(docket);
    await stage.advance(span);
    return starts;
  }

  // 47: start to start, so that what a run takes does not add up
  test("comes so long after the start of the run before", async (stage) => {
    deepEqual(await startsOf(stage, 100, 30, 350), [0, 100, 200, 300]);
  });

  test("comes at once when the run before took longer", async (stage) => {
    deepEqual(await startsOf(stage, 100, 250, 760), [0, 250, 500, 750]);
  });

  test("comes at once when nothing is said", async (stage) => {
    deepEqual(await startsOf(stage, 0, 30, 100), [0, 30, 60, 90]);
  });

  test("comes so long after the end of a run that asked for that", async (stage) => {
    const starts = await startsOf(stage, 100, 30, 300, (perpetual, n) => {
      if (n <= 2) perpetual.after("20ms");
    });

    deepEqual(starts, [0, 50, 100, 200, 300]);
  });

  test("comes at the instant that a run asked for, or at once if it has passed", async (stage) => {
    const begin = stage.clock.now();
    const starts = await startsOf(stage, 100, 30, 300, (perpetual, n) => {
      if (n === 1) perpetual.at(begin + 77);
      if (n === 2) perpetual.at(new Date(begin));
    });

    deepEqual(starts, [0, 77, 107, 207]);
  });

  test("comes at another pace after a run that changed it, once", async (stage) => {
    const paces: number[] = [];
    const starts = await startsOf(stage, 100, 30, 300, (perpetual, n) => {
      if (n === 1) perpetual.every = "50ms";
      paces.push(Number(perpetual.every));
    });

    deepEqual(starts, [0, 50, 150, 250]);
    deepEqual(paces.slice(0, 3), [50, 100, 100]);
  });

  test("comes when it was told last", async (stage) => {
    const starts = await startsOf(stage, 100, 30, 400, (perpetual, n) => {
      if (n === 1) {
        perpetual.at(0);
        perpetual.after("1h");
        perpetual.every = 150;
      }
      if (n === 2) {
        perpetual.every = "1h";
        perpetual.after(20);
      }
    });

    deepEqual(starts, [0, 150, 200, 300, 400]);
  });

  // 47: nothing could slow down a run that never gets to its body
  test("comes once a second at most while it is struck", async (stage) => {
    const docket = await stage.connect();
    const tick = task("tick", { perpetual: new Perpetual() }, (): void => {});
    const slow = task("slow", { perpetual: new Perpetual({ every: "3s" }) }, (): void => {});
    await docket.add(tick, { key: "tick" })();
    await docket.add(slow, { key: "slow" })();
    await docket.strike({ task: tick });
    await docket.strike({ task: slow });

    stage.start(docket);
    await stage.advance(9_500);

    const skipped = logged.map(({ properties }) => properties.task);
    equal(skipped.filter((name) => name === "tick").length, 10);
    equal(skipped.filter((name) => name === "slow").length, 4);
  });

  test("comes once a second at most while its arguments cannot be read", async (stage) => {
    const docket = await stage.connect();
    const storage = await stage.open();
    let runs = 0;
    docket.register(task("tick", { perpetual: new Perpetual() }, (): void => void runs++));
    const body = JSON.stringify({ task: "tick", args: '~[["Nonsense",1]]' });
    const generation = randomId();
    await storage.schedule([{ key: "tick", generation, mode: "add", due: undefined, body }]);

    stage.start(docket);
    await stage.advance(9_500);

    equal(runs, 0);
    equal(logged.filter(({ level }) => level === "error").length, 10);
    deepEqual((await docket.snapshot()).counts, { ...NOTHING, scheduled: 1 });
  });

  for (const order of ["before", "after"] as const) {
    test(`comes once a second at most while a dependency ${order} it cannot be opened`, async (stage) => {
      const docket = await stage.connect();
      const opened: number[] = [];
      const begin = stage.clock.now();
      let runs = 0;
      const connection = new Depends((): never => {
        opened.push(stage.clock.now() - begin);
        throw new Error("refused");
      });
      const perpetual = new Perpetual();
      const dependencies = order === "before"
        ? { connection, perpetual }
        : { perpetual, connection };
      const tick = task("tick", dependencies, (): void => void runs++);
      await docket.add(tick, { key: "tick" })();

      stage.start(docket);
      await stage.advance(3_500);

      deepEqual(opened, [0, 1_000, 2_000, 3_000]);
      equal(runs, 0);
      deepEqual((await docket.snapshot()).counts, { ...NOTHING, scheduled: 1 });
    });
  }

  // 50, 77
  test("leaves no timer behind with each run", async (stage) => {
    const docket = await stage.connect();
    const pending: number[] = [];
    const tick = task("tick", { perpetual: new Perpetual({ every: 10 }) }, (): void => {
      pending.push(stage.clock.pending);
    });
    await docket.add(tick, { key: "tick" })();

    stage.start(docket);
    await stage.advance(5_000);

    equal(pending.length, 501);
    ok(Math.max(...pending.slice(50)) <= pending[10] + 3, `${pending[10]}, ${pending.at(-1)}`);
  });
});

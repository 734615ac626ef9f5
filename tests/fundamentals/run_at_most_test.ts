/**
 * Running to an end although there are tasks that come again and again.
 *
 * @module
 */

import {
  deepStrictEqual as deepEqual,
  ok,
  rejects,
  strictEqual as equal,
} from "node:assert/strict";
import { Perpetual, Retry, task } from "../../mod.ts";
import { aborted, altered, onEveryStorage, onMemory } from "../_harness.ts";

/** A docket without anything on it. */
const NOTHING = { scheduled: 0, queued: 0, running: 0, waiting: 0, dead: 0 };

onEveryStorage("Worker.runAtMost()", (test) => {
  test("runs a chain so many times, and leaves nothing of it", async (stage) => {
    const docket = await stage.connect();
    const seen: number[] = [];
    const count = task(
      "count",
      { perpetual: new Perpetual<[n: number]>({ every: 1 }) },
      ({ perpetual }, n: number): number => {
        seen.push(n);
        perpetual.perpetuate(n + 1);
        return n;
      },
    );
    await docket.add(count, { key: "count" })(1);

    await stage.soon(stage.worker(docket).runAtMost({ count: 3 }));

    deepEqual(seen, [1, 2, 3]);
    deepEqual((await docket.snapshot()).counts, NOTHING);
    const last = await docket.execution<typeof count>("count");
    equal(await last!.result(), 3);
  });

  test("runs an automatic task so many times, which others go on with", async (stage) => {
    let runs = 0;
    const tick = task("tick", { perpetual: new Perpetual({ every: 1, automatic: true }) }, () => {
      runs++;
    });
    const docket = await stage.connect({ tasks: tick, heartbeatInterval: 1 });

    await stage.soon(stage.worker(docket).runAtMost({ tick: 3 }));
    const after = runs;
    const { counts } = await docket.snapshot();
    await stage.soon(stage.worker(docket).runAtMost({ tick: 2 }));

    equal(after, 3);
    deepEqual(counts, NOTHING);
    equal(runs, 5);
  });

  // 48, 49: only a person stops what is to be there always
  for (const waits of ["a retry", "a replacement"] as const) {
    test(`leaves an automatic chain to another worker that has ${waits} of it waiting`, async (stage) => {
      const storage = await stage.open();
      const seen: string[] = [];
      let looks = 0;
      // It has had its run, and from then on looks at what others do.
      const bounded = await stage.connect({
        storage: altered(storage, {
          step: (step, options) =>
            storage.step(seen.length > 0 ? { ...step, want: 0 } : step, options),
          wait: async (...call) => {
            if (seen.length === 0) return await storage.wait(...call);
            await aborted(call[3]!.signal!);
            return undefined;
          },
          remaining: (options) => {
            looks++;
            return storage.remaining(options);
          },
        }),
      });
      const other = await stage.connect({ heartbeatInterval: 10 });
      const tick = task(
        "tick",
        {
          perpetual: new Perpetual({ every: "1h", automatic: true }),
          retry: new Retry({ attempts: 2, delay: "1h" }),
        },
        ({ worker, attempt }): void => {
          seen.push(`${worker.name} ${attempt}`);
          if (worker.name === "other" && seen.length === 2) throw new Error("whoops");
        },
      );
      bounded.register(tick);
      other.register(tick);
      await other.add("nobody knows", { key: "busy", delay: "1h" })(); // so that it is not over yet
      const worker = stage.worker(bounded, { name: "bounded", concurrency: 1 });
      void worker.runAtMost({ tick: 1 });
      await stage.eventually(() => seen.length === 1);
      const second = stage.start(other, { name: "other" });
      await stage.eventually(async () => (await other.execution("tick"))?.attempt === 2);
      if (waits === "a replacement") await other.replace(tick, { key: "tick", delay: "1h" })();
      const { generation } = (await storage.load(["tick"]))[0].live!;

      const from = looks;
      await stage.eventually(() => looks >= from + 3);
      const [{ live }] = await storage.load(["tick"]);
      await stage.soon(worker.close());
      await other.clear();
      await stage.eventually(() => seen.length === 3);
      await stage.soon(second.close());

      deepEqual([live?.generation, live?.state], [generation, "scheduled"]);
      deepEqual(seen, ["bounded 1", "other 1", "other 1"]);
    });
  }

  // 44: retries come first
  test("counts runs, and not attempts", async (stage) => {
    const docket = await stage.connect();
    const attempts: number[] = [];
    const flaky = task(
      "flaky",
      { perpetual: new Perpetual(), retry: new Retry({ attempts: 3, delay: 1 }) },
      ({ attempt }): void => {
        attempts.push(attempt);
        throw new Error("whoops");
      },
    );
    await docket.add(flaky, { key: "flaky" })();

    await stage.soon(stage.worker(docket).runAtMost({ flaky: 2 }));

    deepEqual(attempts, [1, 2, 3, 1, 2, 3]);
    deepEqual((await docket.snapshot()).counts, NOTHING);
    equal((await docket.execution("flaky"))!.state, "failed");
  });

  test("bounds each key by itself, and others not at all", async (stage) => {
    const docket = await stage.connect();
    const runs: Record<string, number> = {};
    const tick = task(
      "tick",
      { perpetual: new Perpetual({ every: 1 }) },
      ({ key, perpetual }): void => {
        runs[key] = (runs[key] ?? 0) + 1;
        if (key === "seldom") perpetual.every = "1h";
      },
    );
    function once(): void {
      runs["once"] = (runs["once"] ?? 0) + 1;
    }
    for (const key of ["twice", "thrice", "seldom"]) await docket.add(tick, { key })();
    for (let n = 0; n < 4; n++) await docket.add(once)();

    await stage.soon(stage.worker(docket).runAtMost({ twice: 2, thrice: 3, never: 4 }));

    deepEqual(runs, { twice: 2, thrice: 3, seldom: 1, once: 4 });
    const { counts, scheduled } = await docket.snapshot();
    deepEqual(counts, { ...NOTHING, scheduled: 1 });
    equal(scheduled[0].key, "seldom");
  });

  test("bounds keys of every kind", async (stage) => {
    const docket = await stage.connect();
    const runs = new Map<string, number>();
    const tick = task("tick", { perpetual: new Perpetual() }, ({ key }): void => {
      runs.set(key, (runs.get(key) ?? 0) + 1);
    });
    const keys = ["", "toString", "constructor", "*", "{x}"];
    for (const key of keys) await docket.add(tick, { key })();

    const bounds = Object.fromEntries(keys.map((key) => [key, 2]));
    await stage.soon(stage.worker(docket).runAtMost(bounds));

    deepEqual([...runs], keys.map((key) => [key, 2]));
  });

  // 14: each replacement is a run under the key, as if it were a chain
  for (const delay of [0, 5]) {
    test(`bounds a task that replaces itself ${delay} ms later`, async (stage) => {
      const docket = await stage.connect();
      const seen: number[] = [];
      const loop = task("loop", async ({ key, docket }, n: number): Promise<void> => {
        seen.push(n);
        await docket.replace(loop, { key, delay })(n + 1);
      });
      await docket.add(loop, { key: "loop" })(1);

      await stage.soon(stage.worker(docket).runAtMost({ loop: 4 }));

      deepEqual(seen, [1, 2, 3, 4]);
      deepEqual((await docket.snapshot()).counts, NOTHING);
      equal((await docket.execution("loop"))!.state, "cancelled");
    });
  }

  test("is over when a chain ends before", async (stage) => {
    const docket = await stage.connect();
    let runs = 0;
    const tick = task("tick", { perpetual: new Perpetual() }, ({ perpetual }): void => {
      if (++runs === 2) perpetual.cancel();
    });
    await docket.add(tick, { key: "tick" })();

    await stage.soon(stage.worker(docket).runAtMost({ tick: 5 }));

    equal(runs, 2);
    deepEqual((await docket.snapshot()).counts, NOTHING);
  });

  test("is over when a chain is cancelled between two runs", async (stage) => {
    const docket = await stage.connect();
    let runs = 0;
    const tick = task("tick", { perpetual: new Perpetual({ every: "1h" }) }, (): void => {
      runs++;
    });
    const execution = await docket.add(tick, { key: "tick" })();
    const over = stage.worker(docket).runAtMost({ tick: 5 });
    await stage.soon(execution.result());

    equal(await docket.cancel("tick"), "cancelled");

    await stage.soon(over);
    equal(runs, 1);
  });

  test("refuses numbers that cannot be, before it runs anything", async (stage) => {
    const docket = await stage.connect();
    let runs = 0;
    const tick = task("tick", { perpetual: new Perpetual({ every: "1h" }) }, () => void runs++);
    await docket.add(tick, { key: "tick" })();
    const worker = stage.worker(docket);

    for (const most of [0, -1, 1.5, NaN, Infinity, "2" as unknown as number]) {
      await rejects(worker.runAtMost({ tick: most }), RangeError);
    }

    equal(runs, 0);
    await stage.soon(worker.runAtMost({ tick: 1 })); // it was not harmed
    equal(runs, 1);
  });
});

onEveryStorage("Worker.runUntilFinished()", (test) => {
  // 51: bounded runs leave far-future work
  test("does not wait for the next run of a chain, and leaves it there", async (stage) => {
    const docket = await stage.connect();
    let runs = 0;
    const tick = task("tick", { perpetual: new Perpetual({ every: "1h" }) }, (): void => {
      runs++;
    });
    await docket.add(tick, { key: "tick" })();

    await stage.finish(docket);
    await stage.finish(docket); // nor where there is nothing else

    equal(runs, 1);
    const { counts, scheduled } = await docket.snapshot();
    deepEqual(counts, { ...NOTHING, scheduled: 1 });
    equal(scheduled[0].key, "tick");
  });

  test("runs an automatic task once that comes seldom", async (stage) => {
    let runs = 0;
    const perpetual = new Perpetual({ every: "1h", automatic: true });
    const docket = await stage.connect({ tasks: task("tick", { perpetual }, () => void runs++) });

    await stage.finish(docket);

    equal(runs, 1);
  });

  test("waits for automatic tasks to be scheduled, however long that takes", async (stage) => {
    const storage = await stage.open();
    const slow = altered(storage, {
      async seed(...call) {
        await stage.sleep(50);
        return await storage.seed(...call);
      },
    });
    let runs = 0;
    const perpetual = new Perpetual({ every: "1h", automatic: true });
    const tasks = task("tick", { perpetual }, () => void runs++);
    const docket = await stage.connect({ storage: slow, tasks });

    await stage.finish(docket);

    equal(runs, 1);
  });

  test("waits for the first run of a chain, however far away", async (stage) => {
    const docket = await stage.connect();
    let runs = 0;
    const tick = task("tick", { perpetual: new Perpetual({ every: "1h" }) }, (): void => {
      runs++;
    });
    await docket.add(tick, { key: "tick", delay: 40 })();

    await stage.finish(docket);

    equal(runs, 1);
  });

  test("runs what follows at once, until the next run is later", async (stage) => {
    const docket = await stage.connect();
    let runs = 0;
    const tick = task("tick", { perpetual: new Perpetual() }, ({ perpetual }): void => {
      if (++runs === 20) perpetual.every = "1h";
    });
    await docket.add(tick, { key: "tick" })();

    await stage.finish(docket);

    equal(runs, 20);
    deepEqual((await docket.snapshot()).counts, { ...NOTHING, scheduled: 1 });
  });

  test("waits for the run of a chain that another worker has", async (stage) => {
    const docket = await stage.connect();
    const started = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    stage.afterwards(() => release.resolve());
    const tick = task("tick", { perpetual: new Perpetual({ every: "1h" }) }, async () => {
      started.resolve();
      await release.promise;
    });
    await docket.add(tick, { key: "tick" })();
    stage.start(docket);
    await stage.soon(started.promise);

    let over = false;
    const idle = stage.worker(docket).runUntilFinished().then(() => over = true);
    await stage.advance(50);
    const before = over;
    release.resolve();
    await stage.soon(idle);

    equal(before, false);
    deepEqual((await docket.snapshot()).counts, { ...NOTHING, scheduled: 1 });
  });

  // 44: a retry is not the next run
  test("waits for the retry of a chain's run", async (stage) => {
    const docket = await stage.connect();
    const attempts: number[] = [];
    const flaky = task(
      "flaky",
      {
        perpetual: new Perpetual({ every: "1h" }),
        retry: new Retry({ attempts: 3, delay: 30 }),
      },
      ({ attempt }): void => {
        attempts.push(attempt);
        throw new Error("whoops");
      },
    );
    await docket.add(flaky, { key: "flaky" })();

    await stage.finish(docket);

    deepEqual(attempts, [1, 2, 3]);
    deepEqual((await docket.snapshot()).counts, { ...NOTHING, scheduled: 1 });
  });

  test("waits for what replaced the next run of a chain", async (stage) => {
    const docket = await stage.connect();
    const seen: string[] = [];
    const tick = task(
      "tick",
      { perpetual: new Perpetual({ every: "1h" }) },
      (_, text: string): void => void seen.push(text),
    );
    await docket.add(tick, { key: "tick" })("old");
    await stage.finish(docket);

    await docket.replace(tick, { key: "tick", delay: 30 })("new");
    await stage.finish(docket);

    deepEqual(seen, ["old", "new"]);
  });

  test("runs the chain's next run too if that is due while others still run", async (stage) => {
    const docket = await stage.connect();
    const third = Promise.withResolvers<void>();
    let runs = 0;
    const tick = task("tick", { perpetual: new Perpetual({ every: 5 }) }, (): void => {
      if (++runs === 3) third.resolve();
    });
    async function long(): Promise<void> {
      await third.promise;
    }
    await docket.add(tick, { key: "tick" })();
    await docket.add(long)();

    await stage.finish(docket);

    ok(runs >= 3);
  });

  // 38, 51: somebody may know them some day
  test("does not wait for tasks that nobody knows, and leaves them there", async (stage) => {
    const docket = await stage.connect();
    const unknown = await docket.add("nobody knows", { key: "unknown" })();
    const known = await docket.add(function known() {}, { delay: 20 })();

    await stage.finish(docket);

    equal((await known.refresh()).state, "completed");
    equal((await unknown.refresh()).state, "scheduled");
    deepEqual((await docket.snapshot()).counts, { ...NOTHING, scheduled: 1 });
  });
});

onMemory("Worker.runAtMost()", (test) => {
  test("takes as long as its runs are apart", async (stage) => {
    const docket = await stage.connect();
    const starts: number[] = [];
    const begin = stage.clock.now();
    const tick = task("tick", { perpetual: new Perpetual({ every: "1h" }) }, (): void => {
      starts.push(stage.clock.now() - begin);
    });
    await docket.add(tick, { key: "tick" })();

    let over = 0;
    void stage.worker(docket).runAtMost({ tick: 3 }).then(() => over = stage.clock.now() - begin);
    await stage.advance(7_300_000);

    deepEqual(starts, [0, 3_600_000, 7_200_000]);
    ok(over >= 7_200_000 && over < 7_201_000, `${over}`);
  });

  test("is over after the last run of a task that has replaced itself for much later", async (stage) => {
    const docket = await stage.connect();
    let runs = 0;
    const begin = stage.clock.now();
    const loop = task("loop", async ({ key, docket }): Promise<void> => {
      runs++;
      await docket.replace(loop, { key, delay: "1h" })();
    });
    await docket.add(loop, { key: "loop" })();

    let over = 0;
    void stage.worker(docket).runAtMost({ loop: 2 }).then(() => over = stage.clock.now() - begin);
    await stage.advance(3_700_000);

    equal(runs, 2);
    ok(over > 0, "it waits for a run that it will not run");
    deepEqual((await docket.snapshot()).counts, NOTHING);
  });
});

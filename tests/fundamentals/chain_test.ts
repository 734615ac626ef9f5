/**
 * Chains: how they end, what takes their place, and what is left of their runs.
 *
 * @module
 */

import {
  deepStrictEqual as deepEqual,
  ok,
  rejects,
  strictEqual as equal,
} from "node:assert/strict";
import { Redis } from "ioredis";
import {
  Dependency,
  type Execution,
  ExecutionExpiredError,
  Perpetual,
  Retry,
  type RunEnd,
  type Succession,
  task,
} from "../../mod.ts";
import { aborted, onEveryStorage, onMemory, onRedis } from "../_harness.ts";

/** A docket without anything on it. */
const NOTHING = { scheduled: 0, queued: 0, running: 0, waiting: 0, dead: 0 };

onEveryStorage("A chain", (test) => {
  // 48
  test("ends when it is cancelled between two runs", async (stage) => {
    const docket = await stage.connect();
    let runs = 0;
    const tick = task("tick", { perpetual: new Perpetual({ every: "1h" }) }, (): void => {
      runs++;
    });
    const first = await docket.add(tick, { key: "tick" })();
    stage.start(docket);
    await stage.soon(first.result());

    const next = await docket.execution("tick");
    const answer = await docket.cancel("tick");

    equal(answer, "cancelled");
    await rejects(next!.result(), { code: "EXECUTION_CANCELLED", reason: "cancelled" });
    deepEqual((await docket.snapshot()).counts, NOTHING);
    equal(runs, 1);
  });

  // 48
  test("ends when it is cancelled in the queue", async (stage) => {
    const docket = await stage.connect();
    let runs = 0;
    const holding = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    stage.afterwards(() => release.resolve());
    const tick = task("tick", { perpetual: new Perpetual() }, async (): Promise<void> => {
      runs++;
      await docket.add(hold)();
    });
    async function hold(): Promise<void> {
      holding.resolve();
      await release.promise;
    }
    await docket.add(tick, { key: "tick" })();
    stage.start(docket, { concurrency: 1 });
    await stage.soon(holding.promise);
    const { queued } = await docket.snapshot();

    const answer = await docket.cancel("tick");
    release.resolve();
    await stage.eventually(async () => (await docket.snapshot()).counts.running === 0);

    deepEqual(queued.map(({ key }) => key), ["tick"]);
    equal(answer, "cancelled");
    deepEqual((await docket.snapshot()).counts, NOTHING);
    equal(runs, 1);
  });

  // 28, 48: whatever the run makes of it
  for (const answer of ["stops", "throws", "returns"] as const) {
    test(`ends when it is cancelled while a run goes on that ${answer}`, async (stage) => {
      const docket = await stage.connect();
      const started = Promise.withResolvers<void>();
      let runs = 0;
      const tick = task(
        "tick",
        { perpetual: new Perpetual<[n?: number]>(), retry: Retry.forever() },
        async ({ signal, perpetual }, _n?: number): Promise<void> => {
          runs++;
          started.resolve();
          await aborted(signal);
          perpetual.perpetuate(2);
          if (answer === "stops") signal.throwIfAborted();
          if (answer === "throws") throw new Error("whoops");
        },
      );
      const execution = await docket.add(tick, { key: "tick" })();
      stage.start(docket);
      await stage.soon(started.promise);

      equal(await docket.cancel("tick"), "requested");
      await stage.soon(execution.result().catch(() => {}));

      deepEqual((await docket.snapshot()).counts, NOTHING);
      equal(runs, 1);
      const again = await docket.add(tick, { key: "tick", delay: "1h" })();
      equal(again.disposition, "scheduled"); // 4
    });
  }

  // 28: cancelled before the worker has heard of it
  test("ends when it is cancelled while a run goes on that never hears of it", async (stage) => {
    const docket = await stage.connect();
    const started = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    let runs = 0;
    const tick = task("tick", { perpetual: new Perpetual() }, async (): Promise<void> => {
      runs++;
      started.resolve();
      await release.promise;
    });
    const execution = await docket.add(tick, { key: "tick" })();
    stage.start(docket);
    await stage.soon(started.promise);

    await docket.cancel("tick");
    release.resolve();
    await stage.soon(execution.result().catch(() => {}));

    deepEqual((await docket.snapshot()).counts, NOTHING);
    equal(runs, 1);
  });

  // 28
  test("ends when it is cancelled while a retry waits", async (stage) => {
    const docket = await stage.connect();
    const flaky = task(
      "flaky",
      { perpetual: new Perpetual(), retry: new Retry({ attempts: 9, delay: "1h" }) },
      (): void => {
        throw new Error("whoops");
      },
    );
    const execution = await docket.add(flaky, { key: "flaky" })();
    stage.start(docket);
    await stage.eventually(async () => (await execution.refresh()).attempt === 2);

    equal(await docket.cancel("flaky"), "cancelled");

    deepEqual((await docket.snapshot()).counts, NOTHING);
  });

  // 48
  for (const [how, fails] of [["completes", false], ["fails", true]] as const) {
    test(`ends with a run that cancels it, which ${how} all the same`, async (stage) => {
      const docket = await stage.connect();
      const last = task(
        "last",
        { perpetual: new Perpetual() },
        ({ perpetual }): string => {
          perpetual.cancel();
          perpetual.after(1); // too late
          if (fails) throw new Error("whoops");
          return "over";
        },
      );
      const execution = await docket.add(last, { key: "last" })();

      await stage.finish(docket);

      equal((await execution.refresh()).state, fails ? "failed" : "completed");
      if (!fails) equal(await execution.result(), "over");
      deepEqual((await docket.snapshot()).counts, NOTHING);
    });
  }

  // 44: a run that cancels the chain is tried again before it ends
  test("is not cancelled by an attempt that is tried again", async (stage) => {
    const docket = await stage.connect();
    const seen: [n: number, attempt: number][] = [];
    const flaky = task(
      "flaky",
      { perpetual: new Perpetual<[n: number]>(), retry: new Retry({ attempts: 2 }) },
      ({ perpetual, attempt }, n: number): void => {
        seen.push([n, attempt]);
        perpetual.perpetuate(n + 1);
        if (attempt === 1 || n === 2) perpetual.cancel();
        if (attempt === 1) throw new Error("whoops");
      },
    );
    await docket.add(flaky, { key: "flaky" })(1);

    await stage.finish(docket);

    deepEqual(seen, [[1, 1], [1, 2], [2, 1], [2, 2]]);
  });

  // 11: what is scheduled goes, what runs stays
  test("ends when it is cleared away between two runs, and not while one goes on", async (stage) => {
    const docket = await stage.connect();
    const started = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    stage.afterwards(() => release.resolve());
    const tick = task("tick", { perpetual: new Perpetual({ every: "1h" }) }, async () => {
      started.resolve();
      await release.promise;
    });
    const execution = await docket.add(tick, { key: "tick" })();
    stage.start(docket);
    await stage.soon(started.promise);

    const during = await docket.clear();
    release.resolve();
    await stage.soon(execution.result());
    const next = await docket.execution("tick");
    const between = await docket.clear();

    deepEqual([during, between], [0, 1]);
    await rejects(next!.result(), { code: "EXECUTION_CANCELLED", reason: "cleared" });
    deepEqual((await docket.snapshot()).counts, NOTHING);
  });

  // 48: what a user scheduled meanwhile is not the chain's to end
  test("that ends itself leaves a newer replacement alone", async (stage) => {
    const docket = await stage.connect();
    const seen: string[] = [];
    const tick = task(
      "tick",
      { perpetual: new Perpetual({ every: "1h" }) },
      async ({ perpetual }, text: string): Promise<void> => {
        seen.push(text);
        if (text !== "old") return;
        perpetual.cancel();
        await docket.replace(tick, { key: "tick" })("new");
      },
    );
    await docket.add(tick, { key: "tick" })("old");

    stage.start(docket);
    await stage.eventually(async () =>
      seen.length === 2 && (await docket.snapshot()).counts.scheduled === 1
    );

    deepEqual(seen, ["old", "new"]);
    deepEqual((await docket.execution("tick"))!.args, ["new"]); // a chain of its own
  });

  // 14: the replacement survives that run's perpetuation; old then new, never both
  test("gives way to what replaces it during a run", async (stage) => {
    const docket = await stage.connect();
    const started = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const happened: string[] = [];
    const tick = task(
      "tick",
      { perpetual: new Perpetual<[text: string]>({ every: 1 }) },
      async ({ perpetual }, text: string): Promise<void> => {
        happened.push(`${text} starts`);
        if (text === "old") {
          started.resolve();
          await release.promise;
          perpetual.perpetuate("older");
        } else perpetual.every = "1h";
        happened.push(`${text} ends`);
      },
    );
    const old = await docket.add(tick, { key: "tick" })("old");
    stage.start(docket);
    await stage.soon(started.promise);

    const replacement = await docket.replace(tick, { key: "tick" })("new");
    const waiting = (await docket.snapshot()).counts;
    release.resolve();
    await stage.soon(replacement.result());

    equal(replacement.disposition, "deferred");
    deepEqual(waiting, { ...NOTHING, running: 1, waiting: 1 });
    deepEqual(happened, ["old starts", "old ends", "new starts", "new ends"]);
    deepEqual((await docket.snapshot()).counts, { ...NOTHING, scheduled: 1 });
    deepEqual((await docket.execution("tick"))!.args, ["new"]);
    await rejects(old.refresh(), ExecutionExpiredError); // the replacement's record is the last
  });

  // 1
  test("gives way to what replaces it between two runs", async (stage) => {
    const docket = await stage.connect();
    const seen: string[] = [];
    const tick = task(
      "tick",
      { perpetual: new Perpetual({ every: "1h" }) },
      (_, text: string): void => void seen.push(text),
    );
    const first = await docket.add(tick, { key: "tick" })("old");
    stage.start(docket);
    await stage.soon(first.result());

    const next = await docket.execution("tick");
    const replacement = await docket.replace(tick, { key: "tick" })("new");
    await rejects(next!.result(), { reason: "replaced" });
    await stage.soon(replacement.result());

    deepEqual(seen, ["old", "new"]);
    deepEqual((await docket.snapshot()).counts, { ...NOTHING, scheduled: 1 });
  });

  // 36
  const misbehaving: Readonly<Record<string, () => unknown>> = {
    "throws": () => {
      throw new Error("cannot decide");
    },
    "asks for a time that is none": () => ({ kind: "next", due: { after: NaN } }),
    "asks for an instant that is none": () => ({ kind: "next", due: { at: Infinity } }),
    "asks for an empty time": () => ({ kind: "next", due: {} }),
    "decides what nobody knows": () => ({ kind: "perhaps" }),
    "answers with something else": () => 42,
  };
  for (const [how, decision] of Object.entries(misbehaving)) {
    test(`whose policy ${how} when it is to go on ends, and no other does`, async (stage) => {
      class Policy extends Dependency<null> {
        override open(): null {
          return null;
        }
        override succeed(): Succession {
          return decision() as Succession;
        }
      }
      const docket = await stage.connect();
      let runs = 0;
      const bad = task("bad", { policy: new Policy() }, (): string => "done");
      const good = task("good", { perpetual: new Perpetual({ every: 1 }) }, (): void => {
        runs++;
      });
      await docket.add(good, { key: "good" })();
      const execution = await docket.add(bad, { key: "bad" })();

      const worker = stage.start(docket);
      equal(await stage.soon(execution.result()), "done");
      const before = runs;
      await stage.eventually(() => runs > before + 2);
      await stage.soon(worker.close());

      equal((await docket.execution("bad"))!.state, "completed");
      equal((await docket.execution("good"))!.completedAt, undefined);
    });
  }

  test("can be of a policy of one's own, which is told how the run ended", async (stage) => {
    const ends: [outcome: RunEnd["outcome"], startedAt: number, value: string | undefined][] = [];
    class Countdown extends Dependency<string> {
      override open(): string {
        return "opened";
      }
      override succeed({ outcome, startedAt }: RunEnd, value?: string): Succession | undefined {
        ends.push([outcome, startedAt, value]);
        if (ends.length === 3) return undefined;
        return { kind: "next", due: { after: 1 }, args: [ends.length + 1] };
      }
    }
    const docket = await stage.connect();
    const executions: Execution[] = [];
    const count = task(
      "count",
      { policy: new Countdown() },
      ({ execution }, n: number): void => {
        executions.push(execution);
        if (n === 2) throw new Error("whoops");
      },
    );
    await docket.add(count, { key: "count" })(1);

    stage.start(docket);
    await stage.eventually(() => ends.length === 3);

    const startedAt = executions.map(({ startedAt }) => startedAt!.getTime());
    deepEqual(ends, [
      ["completed", startedAt[0], "opened"],
      ["failed", startedAt[1], "opened"],
      ["completed", startedAt[2], "opened"],
    ]);
  });

  test("can be of several policies, of which the first that decides is heard", async (stage) => {
    class Silent extends Dependency<null> {
      override open(): null {
        return null;
      }
      override succeed(): undefined {}
    }
    const docket = await stage.connect();
    const perpetual = new Perpetual({ every: "1h" });
    const tick = task("tick", { silent: new Silent(), perpetual }, (): void => {});
    const execution = await docket.add(tick, { key: "tick" })();
    stage.start(docket);

    await stage.soon(execution.result());

    deepEqual((await docket.snapshot()).counts, { ...NOTHING, scheduled: 1 });
  });

  // 47: a strike skips a run, not a chain
  test("goes on while it is struck, and runs again once it is restored", async (stage) => {
    const docket = await stage.connect();
    const storage = await stage.open();
    let runs = 0;
    const tick = task("tick", { perpetual: new Perpetual({ every: 1 }) }, (): void => {
      runs++;
    });
    await docket.add(tick, { key: "tick" })();
    stage.start(docket);
    await stage.eventually(() => runs > 2);

    await docket.strike({ task: tick });
    await stage.eventually(async () =>
      (await storage.load(["tick"]))[0].ended?.reason === "struck"
    );
    const [{ live }] = await storage.load(["tick"]);
    const before = runs;
    await docket.restore({ task: tick });
    await stage.eventually(() => runs > before);

    ok(live);
  });
});

onEveryStorage("An execution of a chain", (test) => {
  test("is one run, and gives that run's result", async (stage) => {
    const docket = await stage.connect();
    const release = Promise.withResolvers<void>();
    const count = task(
      "count",
      { perpetual: new Perpetual<[n: number]>() },
      async ({ perpetual }, n: number): Promise<number> => {
        perpetual.perpetuate(n + 1);
        if (n === 1) return n;
        await release.promise;
        perpetual.every = "1h";
        return n;
      },
    );
    const first = await docket.add(count, { key: "count" })(1);
    stage.start(docket);

    equal(await stage.soon(first.result()), 1);
    const second = (await docket.execution<typeof count>("count"))!;
    release.resolve();
    equal(await stage.soon(second.result()), 2);

    equal(await first.result(), 1); // it knows already
    deepEqual([first.state, second.state], ["completed", "completed"]);
    const third = (await docket.execution("count"))!;
    deepEqual([third.state, third.args], ["scheduled", [3]]);
  });

  test("has expired once a later run has ended", async (stage) => {
    const docket = await stage.connect();
    const executions: Execution[] = [];
    const count = task(
      "count",
      { perpetual: new Perpetual<[n: number]>() },
      ({ execution, perpetual }, n: number): number => {
        executions.push(execution);
        perpetual.perpetuate(n + 1);
        if (n === 3) perpetual.cancel();
        return n;
      },
    );
    const added = await docket.add(count, { key: "count" })(1);

    await stage.finish(docket);

    for (const execution of [added, ...executions.slice(0, 2)]) {
      await rejects(execution.result(), ExecutionExpiredError);
      await rejects(execution.refresh(), ExecutionExpiredError);
    }
    equal(await executions[2].result(), 3);
    equal((await docket.execution("count"))!.completedAt !== undefined, true);
  });

  test("cancels itself, and not the runs after it", async (stage) => {
    const docket = await stage.connect();
    const tick = task("tick", { perpetual: new Perpetual({ every: "1h" }) }, (): void => {});
    const first = await docket.add(tick, { key: "tick" })();
    stage.start(docket);
    await stage.soon(first.result());
    const next = (await docket.execution("tick"))!;

    equal(await first.cancel(), "none");
    equal((await next.refresh()).state, "scheduled");
    equal(await next.cancel(), "cancelled");
    deepEqual((await docket.snapshot()).counts, NOTHING);
  });

  test("keeps the time to live that its first run was given", async (stage) => {
    const forgetful = await stage.connect({ executionTtl: 0 });
    const mindful = await stage.connect({ executionTtl: "1h" });
    const lasts: Record<string, Execution> = {};
    const count = task(
      "count",
      { perpetual: new Perpetual<[n: number]>() },
      ({ key, execution, perpetual }, n: number): number => {
        lasts[key] = execution;
        if (n % 2 === 1) perpetual.perpetuate(n + 1); // with other arguments, and with the same
        else if (n === 4) perpetual.cancel();
        else perpetual.perpetuate(3);
        return n;
      },
    );
    await forgetful.add(count, { key: "kept", ttl: "1h" })(1);
    await forgetful.add(count, { key: "not kept" })(1);
    await stage.finish(forgetful);
    await mindful.add(count, { key: "stub", ttl: 0 })(1);
    await mindful.add(count, { key: "default" })(1);
    await stage.finish(mindful);

    equal(await lasts["kept"].result(), 4);
    equal(await lasts["not kept"].result(), undefined);
    equal(await lasts["stub"].result(), undefined);
    equal(await lasts["default"].result(), 4);
  });
});

onMemory("An execution of a chain", (test) => {
  // 50, 80: the record of the run before goes with the time of its own
  test("is remembered for its own time to live", async (stage) => {
    const docket = await stage.connect({ executionTtl: "10s" });
    const executions: Execution[] = [];
    const tick = task("tick", { perpetual: new Perpetual({ every: "6s" }) }, (context): void => {
      executions.push(context.execution);
      if (executions.length === 2) context.perpetual.cancel();
    });
    await docket.add(tick, { key: "tick" })();
    stage.start(docket);

    await stage.advance(15_900);
    const [, last] = executions;
    equal((await last.refresh()).state, "completed");
    await stage.advance(200);

    await rejects(last.refresh(), ExecutionExpiredError);
  });
});

/** Runs and measures: at the hundredth run, and at the last. */
const CYCLES = 600;

// 50
for (const ttl of [0, "1h"]) {
  for (const fails of [false, true]) {
    const what = `A chain of ${CYCLES} runs that ${fails ? "fail" : "complete"} (ttl ${ttl})`;
    const grow = (body: () => Promise<void>) =>
      task(
        "grow",
        { perpetual: new Perpetual<[n: number]>() },
        async ({ perpetual }, n: number): Promise<void> => {
          if (n === 100 || n === CYCLES) await body();
          if (n === CYCLES) perpetual.cancel();
          else perpetual.perpetuate(n + 1);
          if (fails) throw new Error("whoops");
        },
      );

    onEveryStorage(what, (test) => {
      test("shows no more than its last run", async (stage) => {
        const docket = await stage.connect();
        const sizes: unknown[] = [];
        const task = grow(async () => {
          const failed = await docket.failed();
          sizes.push([(await docket.snapshot()).counts, failed.length]);
        });
        await docket.add(task, { key: "grow", ttl })(1);

        await stage.finish(docket);

        const during = [{ ...NOTHING, running: 1 }, fails && ttl !== 0 ? 1 : 0];
        deepEqual(sizes, [during, during]);
      });
    });

    onRedis(what, (test) => {
      test("takes no more room than a hundred", async (stage) => {
        const redis = new Redis(stage.url, { protocol: 2 });
        stage.afterwards(() => redis.disconnect());
        const docket = await stage.connect();
        const found: ReadonlyMap<string, number>[] = [];
        const task = grow(async () => void found.push(await sizesOf(redis, stage.name)));
        await docket.add(task, { key: "grow", ttl })(1);

        await stage.finish(docket);

        equal(found.length, 2);
        for (const sizes of found) {
          const report = JSON.stringify([...sizes]);
          ok(sizes.size <= 15, report);
          for (const size of sizes.values()) ok(size <= 20, report);
        }
      });
    });
  }
}

/** The keys of a docket, and how much each holds. */
async function sizesOf(redis: Redis, docket: string): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  for (const key of await redis.keys(`{${docket}}:*`)) {
    const type = await redis.type(key);
    const size = type === "hash"
      ? redis.hlen(key)
      : type === "zset"
      ? redis.zcard(key)
      : type === "set"
      ? redis.scard(key)
      : type === "stream"
      ? redis.xlen(key)
      : 1;
    sizes.set(key, await size);
  }
  return sizes;
}

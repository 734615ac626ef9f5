/**
 * Trying again: how often, when, and what stands in the log.
 *
 * @module
 */

import {
  deepStrictEqual as deepEqual,
  ok,
  rejects,
  strictEqual as equal,
} from "node:assert/strict";
import { ExponentialRetry, NonRetryableError, Retry, task } from "../../mod.ts";
import { failureOf, onEveryStorage, onMemory } from "../_harness.ts";
import { captureLogs } from "../_logs.ts";

const logged = captureLogs();

onEveryStorage("Retry", (test) => {
  // 45: n runs
  test("runs a task that always throws as often as it says", async (stage) => {
    const docket = await stage.connect();
    const attempts: number[] = [];
    const flaky = task(
      "flaky",
      { retry: new Retry({ attempts: 3 }) },
      ({ attempt, retry }): void => {
        equal(retry.attempt, attempt);
        equal(retry.attempts, 3);
        attempts.push(attempt);
        throw new Error(`attempt ${attempt}`);
      },
    );
    const execution = await docket.add(flaky)();

    await stage.finish(docket);

    deepEqual(attempts, [1, 2, 3]);
    await rejects(
      execution.result(),
      (error: Error) => (error.cause as Error).message === "attempt 3",
    );
    equal(execution.attempt, 3);
  });

  test("stops when a task succeeds", async (stage) => {
    const docket = await stage.connect();
    const flaky = task("flaky", { retry: new Retry({ attempts: 9 }) }, ({ attempt }): number => {
      if (attempt < 3) throw new Error("whoops");
      return attempt;
    });
    const execution = await docket.add(flaky)();

    await stage.finish(docket);

    equal(await execution.result(), 3);
    equal(execution.attempt, 3);
  });

  test("is one attempt where none is declared, or nothing is said", async (stage) => {
    const docket = await stage.connect();
    let runs = 0;
    function plain(): void {
      runs++;
      throw new Error("whoops");
    }
    const once = task("once", { retry: new Retry() }, plain);

    await docket.add(plain)();
    await docket.add(once)();
    await stage.finish(docket);

    equal(runs, 2);
  });

  test("goes on for ever when told so", async (stage) => {
    const docket = await stage.connect();
    const stubborn = task("stubborn", { retry: Retry.forever() }, ({ attempt, retry }): number => {
      equal(retry.attempts, Infinity);
      if (attempt < 50) throw new Error("whoops");
      return attempt;
    });
    const execution = await docket.add(stubborn)();

    await stage.finish(docket);

    equal(await execution.result(), 50);
  });

  // 42: without a delay it is queued at once, behind those who wait already
  test("queues at once without a delay", async (stage) => {
    const docket = await stage.connect();
    const holding = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const flaky = task("flaky", { retry: new Retry({ attempts: 2 }) }, ({ attempt }): number => {
      if (attempt === 1) throw new Error("whoops");
      return attempt;
    });
    async function hold(): Promise<void> {
      holding.resolve();
      await release.promise;
    }
    const execution = await docket.add(flaky)();
    await docket.add(hold)();

    stage.start(docket, { concurrency: 1 });
    await stage.soon(holding.promise);
    await execution.refresh();
    release.resolve();

    equal(execution.state, "queued");
    equal(execution.attempt, 2);
    equal(await stage.soon(execution.result()), 2);
  });

  // 42: with a delay it is scheduled
  test("schedules with a delay, and not before it is over", async (stage) => {
    const docket = await stage.connect();
    const starts: number[] = [];
    const ends: number[] = [];
    const flaky = task(
      "flaky",
      { retry: new Retry({ attempts: 3, delay: 30 }) },
      (): void => {
        starts.push(stage.clock.now());
        ends.push(stage.clock.now());
        throw new Error("whoops");
      },
    );
    const execution = await docket.add(flaky)();
    stage.start(docket);
    await stage.eventually(async () => (await execution.refresh()).state === "scheduled");

    await stage.soon(rejects(execution.result(), { code: "EXECUTION_FAILED" }));

    equal(starts.length, 3);
    for (const n of [1, 2]) {
      const waited = starts[n] - ends[n - 1];
      ok(waited >= 30, `attempt ${n + 1} came after ${waited} ms`);
    }
  });

  // 43: adding its key during the wait dedupes
  test("keeps its key while it waits", async (stage) => {
    const docket = await stage.connect();
    const seen: string[] = [];
    const flaky = task(
      "flaky",
      { retry: new Retry({ attempts: 2, delay: 50 }) },
      ({ attempt }, text: string): void => {
        seen.push(text);
        if (attempt === 1) throw new Error("whoops");
      },
    );
    const execution = await docket.add(flaky, { key: "flaky" })("first");
    stage.start(docket);
    await stage.eventually(() => seen.length === 1);

    const added = await docket.add(flaky, { key: "flaky" })("second");
    await stage.soon(execution.result());

    equal(added.disposition, "exists");
    deepEqual(seen, ["first", "first"]);
  });

  // 44: retrying is not failed; waiters wait on
  test("does not end the execution", async (stage) => {
    const docket = await stage.connect();
    const flaky = task(
      "flaky",
      { retry: new Retry({ attempts: 2, delay: 20 }) },
      ({ attempt }): string => {
        if (attempt === 1) throw new Error("whoops");
        return "done";
      },
    );
    const execution = await docket.add(flaky)();
    const result = execution.result();

    await stage.finish(docket);

    equal(await result, "done");
  });

  test("starts each attempt with fresh deliveries", async (stage) => {
    const docket = await stage.connect();
    const seen: [number, number, boolean][] = [];
    const flaky = task("flaky", { retry: new Retry({ attempts: 8 }) }, ({ execution }): void => {
      seen.push([execution.attempt, execution.deliveries, execution.redelivered]);
      throw new Error("whoops");
    });
    const execution = await docket.add(flaky)();

    await stage.finish(docket, { maxDeliveries: 2 });

    deepEqual(seen, Array.from({ length: 8 }, (_, n) => [n + 1, 1, false]));
    equal((await execution.refresh()).state, "failed");
  });

  test("asks retryIf whether an error is worth another attempt", async (stage) => {
    const docket = await stage.connect();
    const asked: unknown[] = [];
    const flaky = task(
      "flaky",
      {
        retry: new Retry({
          attempts: 9,
          retryIf(error) {
            asked.push(error);
            return error instanceof TypeError;
          },
        }),
      },
      ({ attempt }): void => {
        throw attempt < 3 ? new TypeError("again") : new RangeError("enough");
      },
    );
    const execution = await docket.add(flaky)();

    await stage.finish(docket);

    await rejects(execution.result(), (error: Error) => error.cause instanceof RangeError);
    equal(execution.attempt, 3);
    equal(asked.length, 3);
  });

  // 36: a policy that misbehaves fails its task, and nothing else
  test("fails the task when retryIf throws", async (stage) => {
    const docket = await stage.connect();
    let runs = 0;
    const flaky = task(
      "flaky",
      {
        retry: new Retry({
          attempts: 9,
          retryIf() {
            throw new Error("cannot tell");
          },
        }),
      },
      (): void => {
        runs++;
        throw new Error("whoops");
      },
    );
    const execution = await docket.add(flaky)();

    await stage.finish(docket);

    await rejects(execution.result(), { code: "EXECUTION_FAILED" });
    equal(runs, 1);
  });

  test("gives up at once on a NonRetryableError", async (stage) => {
    const docket = await stage.connect();
    let runs = 0;
    const flaky = task("flaky", { retry: Retry.forever() }, (): void => {
      runs++;
      throw new NonRetryableError("no use", { cause: new Error("why") });
    });
    const execution = await docket.add(flaky)();

    await stage.finish(docket);

    equal(runs, 1);
    const cause = await failureOf(execution);
    equal(cause.name, "NonRetryableError");
    equal(cause.message, "no use");
    equal(cause.cause?.message, "why");
  });

  test("lets the task choose how long to wait", async (stage) => {
    const docket = await stage.connect();
    const starts: number[] = [];
    const polite = task(
      "polite",
      { retry: new Retry({ attempts: 2, delay: "1h" }) },
      ({ retry }): void => {
        starts.push(stage.clock.now());
        throw retry.after({ milliseconds: 40 });
      },
    );
    const execution = await docket.add(polite)();

    await stage.finish(docket);

    await rejects(execution.result(), { code: "EXECUTION_FAILED" }); // it counts as an attempt
    equal(starts.length, 2);
    ok(starts[1] - starts[0] >= 40);
  });

  test("lets the task choose an instant", async (stage) => {
    const docket = await stage.connect();
    const starts: number[] = [];
    const when = stage.clock.now() + 50;
    const polite = task(
      "polite",
      { retry: new Retry({ attempts: 2, delay: "1h" }) },
      ({ retry, attempt }): void => {
        starts.push(stage.clock.now());
        if (attempt === 1) throw retry.at(new Date(when));
      },
    );

    await docket.add(polite)();
    await stage.finish(docket);

    equal(starts.length, 2);
    ok(starts[1] >= when);
  });

  // 45: at(past) is now
  test("takes an instant in the past for now", async (stage) => {
    const docket = await stage.connect();
    const polite = task(
      "polite",
      { retry: new Retry({ attempts: 2, delay: "1h" }) },
      ({ retry, attempt }): number => {
        if (attempt === 1) throw retry.at(0);
        return attempt;
      },
    );
    const execution = await docket.add(polite)();

    await stage.finish(docket);

    equal(await execution.result(), 2);
  });

  // F11: a request that is caught and thrown again is still one; a mistake in asking fails clearly
  test("fails the task that asks for an impossible time", async (stage) => {
    const docket = await stage.connect();
    const confused = task("confused", { retry: new Retry({ attempts: 1 }) }, ({ retry }): void => {
      throw retry.after(-1);
    });
    const execution = await docket.add(confused)();

    await stage.finish(docket);

    await rejects(execution.result(), (error: Error) => error.cause instanceof RangeError);
  });

  // 44: each failure is logged, once: all but the last as a warning, the last as an error
  test("logs each failure once", async (stage) => {
    const docket = await stage.connect();
    const flaky = task("flaky", { retry: new Retry({ attempts: 3, delay: 5 }) }, ({ attempt }) => {
      throw new Error(`whoops ${attempt}`);
    });
    function plain(): void {
      throw new Error("whoops plain");
    }

    await docket.add(flaky, { key: "f" })();
    await stage.finish(docket);
    await docket.add(plain, { key: "p" })();
    await stage.finish(docket);

    const lines = logged.map(({ level, properties: { key, attempt, reason } }) => ({
      level,
      key,
      attempt,
      reason,
    }));
    deepEqual(lines, [
      { level: "warning", key: "f", attempt: 1, reason: "whoops 1" },
      { level: "warning", key: "f", attempt: 2, reason: "whoops 2" },
      { level: "error", key: "f", attempt: 3, reason: "whoops 3" },
      { level: "error", key: "p", attempt: 1, reason: "whoops plain" },
    ]);
    ok(logged.every(({ properties }) => properties.error instanceof Error));
  });

  test("logs nothing when all is well", async (stage) => {
    const docket = await stage.connect();
    function noop(): void {}

    await docket.add(noop)();
    await docket.add(noop, { delay: 10 })();
    await stage.finish(docket);

    deepEqual(logged.map(({ rawMessage }) => rawMessage), []);
  });
});

onEveryStorage("ExponentialRetry", (test) => {
  // 45: its delays are seldom whole numbers
  test("waits for fractions of milliseconds too", async (stage) => {
    const docket = await stage.connect();
    const retry = new ExponentialRetry({
      attempts: 6,
      minimumDelay: 0.7,
      maximumDelay: 5,
      factor: 1.7,
      jitter: 1,
    });
    const flaky = task("flaky", { retry }, ({ attempt }): number => {
      if (attempt < 6) throw new Error("whoops");
      return attempt;
    });
    const execution = await docket.add(flaky)();

    await stage.finish(docket);

    equal(await execution.result(), 6);
  });
});

onMemory("ExponentialRetry", (test) => {
  const startsOf = async (
    stage: Parameters<Parameters<typeof test>[1]>[0],
    retry: ExponentialRetry,
    span: number,
  ) => {
    const docket = await stage.connect();
    const starts: number[] = [];
    const begin = stage.clock.now();
    const flaky = task("flaky", { retry }, (): void => {
      starts.push(stage.clock.now() - begin);
      throw new Error("whoops");
    });
    const execution = await docket.add(flaky)();
    stage.start(docket);
    await stage.advance(span);
    equal((await execution.refresh()).state, "failed");
    return starts;
  };

  // 45: n runs, n - 1 delays, capped; each to the millisecond
  test("waits twice as long each time, up to its maximum", async (stage) => {
    const starts = await startsOf(
      stage,
      new ExponentialRetry({ attempts: 7, minimumDelay: "1s", maximumDelay: "10s" }),
      60_000,
    );

    const delays = [1_000, 2_000, 4_000, 8_000, 10_000, 10_000];
    let at = 0;
    deepEqual(starts, [0, ...delays.map((delay) => at += delay)]);
  });

  test("waits for one second, up to 64, when nothing else is said", async (stage) => {
    const starts = await startsOf(stage, new ExponentialRetry({ attempts: 9 }), 300_000);

    const delays = starts.slice(1).map((start, n) => start - starts[n]);
    deepEqual(delays, [1, 2, 4, 8, 16, 32, 64, 64].map((seconds) => seconds * 1_000));
  });

  test("takes no more off a delay than its jitter allows", () => {
    const retry = new ExponentialRetry({ attempts: 9, minimumDelay: "8s", jitter: 0.25 });

    const delays = Array.from({ length: 100 }, () => retry.delayAfter(2));

    ok(delays.every((delay) => delay > 12_000 && delay <= 16_000));
    ok(new Set(delays).size > 1);
    return Promise.resolve();
  });

  // 45: also after so many attempts that the power overflows
  test("stays at its maximum for ever", () => {
    const retry = new ExponentialRetry({ attempts: Infinity, factor: 10 });

    equal(retry.delayAfter(1_000_000), 64_000);
    return Promise.resolve();
  });
});

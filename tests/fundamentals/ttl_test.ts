/**
 * How long the record of what ended stays: as the docket says, or the call.
 *
 * @module
 */

import {
  deepStrictEqual as deepEqual,
  ok,
  rejects,
  strictEqual as equal,
  throws,
} from "node:assert/strict";
import { randomId } from "../../src/base/ids.ts";
import { type Docket, type Execution, Perpetual, Retry, task } from "../../mod.ts";
import {
  aborted,
  altered,
  failureOf,
  onEveryStorage,
  onMemory,
  onRedis,
  type Stage,
} from "../_harness.ts";
import { Redis } from "ioredis";

const MINUTE = 60_000;
const DAY = 86_400_000;

/** Ends as it is told. */
const end = task("end", async ({ signal }, how: string): Promise<string> => {
  if (how === "failed") throw new Error("whoops");
  if (how !== "cancelled") return "done";
  await aborted(signal);
  throw signal.reason;
});

const ENDS = ["completed", "failed", "cancelled"] as const;

/** Has one task end in each way, while it runs. */
async function endInEachWay(
  stage: Stage,
  docket: Docket,
  options: object,
  keys = "",
): Promise<readonly Execution[]> {
  const executions: Execution[] = [];
  for (const how of ENDS) {
    executions.push(await docket.add(end, { ...options, key: `${keys}${how}` })(how));
  }
  const worker = stage.start(docket);
  const cancelled = executions[2];
  await stage.eventually(async () => (await cancelled.refresh()).state === "running");
  await docket.cancel(cancelled.key);
  await stage.eventually(async () => {
    const found = await Promise.all(executions.map(({ key }) => docket.execution(key)));
    return found.every((execution) => execution?.completedAt !== undefined);
  });
  await worker.close();
  return executions;
}

/** What is still known, in the order of the keys. */
async function statesOf(docket: Docket, keys: readonly string[]): Promise<(string | undefined)[]> {
  return await Promise.all(keys.map(async (key) => (await docket.execution(key))?.state));
}

onEveryStorage("Docket.add() with a ttl", (test) => {
  // 68: tasks still run and dedupe; what is left is a stub
  test("of 0 runs the task, dedupes, and keeps a stub at most", async (stage) => {
    const docket = await stage.connect();
    const storage = await stage.open();
    const runs: string[] = [];
    function note(text: string): string {
      runs.push(text);
      return `a long story of ${text}`;
    }

    const first = await docket.add(note, { key: "k", ttl: 0 })("first");
    const second = await docket.add(note, { key: "k", ttl: 0 })("second");
    const waiting = first.result();
    await stage.finish(docket);
    await stage.soon(waiting);
    const [{ ended }] = await storage.load(["k"]);
    const again = await docket.add(note, { key: "k", ttl: 0 })("again");
    await stage.finish(docket);

    equal(second.disposition, "exists");
    deepEqual(second.args, ["first"]);
    equal(again.disposition, "scheduled");
    deepEqual(runs, ["first", "again"]);
    equal(ended?.state, "completed");
    equal(ended?.text.includes("story"), false);
  });

  test("of 0 tells a failure from a success, but not why", async (stage) => {
    const docket = await stage.connect();
    const executions = await endInEachWay(stage, docket, { ttl: 0 });

    const [completed, failed, cancelled] = executions;
    equal(await completed.result(), undefined);
    equal((await failureOf(failed)).message, "What it threw was not kept");
    await rejects(cancelled.result(), { code: "EXECUTION_CANCELLED", reason: "cancelled" });
  });

  test("keeps results where the docket keeps none", async (stage) => {
    const docket = await stage.connect({ executionTtl: 0 });
    const [completed, failed] = await endInEachWay(stage, docket, { ttl: "1h" });

    equal(await completed.result(), "done");
    equal((await failureOf(failed)).message, "whoops");
  });

  // 68: sub-second times are not rounded to zero
  test("of less than a second, or than a millisecond, is none of 0", async (stage) => {
    const docket = await stage.connect({ executionTtl: 0 });
    const storage = await stage.open();
    for (const ttl of [700, "800ms", { milliseconds: 900 }]) {
      const key = JSON.stringify(ttl);
      const execution = await docket.add(end, { key, ttl })("completed");
      await stage.finish(docket);

      const [{ ended }] = await storage.load([key]);
      ok(ended?.text.includes("done"), key);
      await stage.eventually(async () => await docket.execution(key) === undefined);
      await rejects(execution.refresh(), { code: "EXECUTION_EXPIRED" });
    }
    for (const ttl of [0.2, "0.5ms"]) {
      await docket.add(end, { key: "short", ttl })("completed");
      await stage.finish(docket); // a storage refuses a fraction, and would not settle at all
      await stage.eventually(async () => await docket.execution("short") === undefined);
    }
  });

  test("of the longest span there is can be settled", async (stage) => {
    const docket = await stage.connect();

    const executions = await endInEachWay(stage, docket, { ttl: 8.64e15 });

    deepEqual(await statesOf(docket, ENDS), [...ENDS]);
    equal(await executions[0].result(), "done");
    // And gone again: a test leaves nothing for ever.
    for (const key of ENDS) await docket.add(end, { key, ttl: 1 })("completed");
    await stage.finish(docket);
  });

  // Refused where it was written
  test("that is none is refused before anything is written", async (stage) => {
    const docket = await stage.connect();
    const storage = await stage.open();
    const bad: readonly (readonly [unknown, string])[] = [
      [-1, "RangeError"],
      [NaN, "RangeError"],
      [Infinity, "RangeError"],
      [1e300, "RangeError"],
      ["soon", "RangeError"],
      ["", "RangeError"],
      [null, "TypeError"],
      [true, "TypeError"],
      [new Date(), "TypeError"],
      [{ second: 1 }, "TypeError"],
      [{}, "TypeError"],
      [{ completed: 5 }, "TypeError"],
      [() => 5, "TypeError"],
      [5n, "TypeError"],
    ];

    for (const [ttl, name] of bad) {
      const options = { key: "k", ttl: ttl as number };
      const expected = { name, message: /^Cannot use .* for "ttl"/ };
      throws(() => docket.add(end, options), expected);
      throws(() => docket.replace(end, options), expected);
      throws(() => docket.call(end, options), expected);
    }

    equal(await storage.count(), 0);
    equal(await docket.execution("k"), undefined);
  });

  // A later version, or a stranger, may have written it
  test("that is none in what is stored keeps no worker from settling", async (stage) => {
    const docket = await stage.connect();
    const storage = await stage.open();
    docket.register(end);
    const odd = ['"soon"', "-5", "1e300", "null", "[]", "{}", "true", '"0"', "0.5", '"1h"'];
    const executions: Execution[] = [];
    for (const ttl of odd) {
      const body = `{"task":"end","args":["completed"],"ttl":${ttl}}`;
      const schedule = { generation: randomId(), mode: "add", due: undefined } as const;
      await storage.schedule([{ key: ttl, ...schedule, body }]);
      executions.push((await docket.execution(ttl))!);
    }
    const sound = await docket.add(end, { key: "sound" })("completed");
    const results = Promise.allSettled(executions.map((execution) => execution.result()));

    await stage.finish(docket);

    equal(await sound.result(), "done");
    await stage.soon(results);
    equal(await storage.count(), 0);
  });
});

onMemory("Docket.add() with a ttl", (test) => {
  test("overrides what the docket keeps, whatever the end", async (stage) => {
    const docket = await stage.connect({
      executionTtl: { completed: "1m", failed: "2m", cancelled: "3m" },
    });
    await endInEachWay(stage, docket, { ttl: "10m" });

    const seen: (string | undefined)[][] = [];
    for (const minutes of [9, 2]) {
      await stage.advance(minutes * MINUTE);
      seen.push(await statesOf(docket, ENDS));
    }

    deepEqual(seen, [[...ENDS], [undefined, undefined, undefined]]);
  });

  test("is shorter than the docket's, too", async (stage) => {
    const docket = await stage.connect();
    await endInEachWay(stage, docket, { ttl: "5s" });

    deepEqual(await statesOf(docket, ENDS), [...ENDS]);
    await stage.advance(5_000);

    deepEqual(await statesOf(docket, ENDS), [undefined, undefined, undefined]);
    deepEqual(await docket.failed(), []);
  });

  // 68
  test("of 0 leaves nothing after ten seconds", async (stage) => {
    const docket = await stage.connect();
    await endInEachWay(stage, docket, { ttl: 0 });
    const ended = stage.clock.now();

    await stage.advance(9_000);
    deepEqual(await statesOf(docket, ENDS), [...ENDS]);
    await stage.advance(1_000);

    ok(stage.clock.now() >= ended + 10_000);
    deepEqual(await statesOf(docket, ENDS), [undefined, undefined, undefined]);
    deepEqual(await docket.failed(), []);
  });

  test("does not reach what is cancelled before it runs", async (stage) => {
    const docket = await stage.connect({ executionTtl: { cancelled: "1m" } });
    await docket.add(end, { key: "cancelled", delay: "1h", ttl: "10m" })("completed");
    await docket.add(end, { key: "cleared", delay: "1h", ttl: "10m" })("completed");
    await docket.cancel("cancelled");
    await docket.clear();
    const keys = ["cancelled", "cleared"];

    await stage.advance(59_000);
    deepEqual(await statesOf(docket, keys), ["cancelled", "cancelled"]);
    await stage.advance(1_000);

    deepEqual(await statesOf(docket, keys), [undefined, undefined]);
  });

  test("reaches what was struck when its time came", async (stage) => {
    const docket = await stage.connect();
    await docket.add(end, { key: "k", delay: 10, ttl: "1m" })("completed");
    await docket.strike({ task: "end" });
    await stage.finish(docket);

    await stage.advance(50_000);
    deepEqual(await statesOf(docket, ["k"]), ["cancelled"]);
    await stage.advance(10_000);

    deepEqual(await statesOf(docket, ["k"]), [undefined]);
  });

  // The cancel is known to the storage, and not yet to the worker
  test("reaches what would have run again, had it not been cancelled meanwhile", async (stage) => {
    const deaf = altered(await stage.open(), { listen: () => Promise.resolve() });
    const docket = await stage.connect({ storage: deaf, executionTtl: { cancelled: "1m" } });
    const gate = Promise.withResolvers<void>();
    const flaky = task("flaky", { retry: new Retry({ attempts: 2 }) }, async (): Promise<void> => {
      await gate.promise;
      throw new Error("whoops");
    });
    const execution = await docket.add(flaky, { key: "k", ttl: "10m" })();
    const worker = stage.start(docket);
    await stage.eventually(async () => (await execution.refresh()).state === "running");

    await docket.cancel("k");
    gate.resolve();
    await stage.eventually(async () => (await execution.refresh()).state === "cancelled");
    await worker.close();

    await stage.advance(9 * MINUTE);
    deepEqual(await statesOf(docket, ["k"]), ["cancelled"]);
  });

  test("outlives the wait, the retries and the delay", async (stage) => {
    const docket = await stage.connect();
    const flaky = task("flaky", { retry: new Retry({ attempts: 3, delay: "1h" }) }, (): void => {
      throw new Error("whoops");
    });
    await docket.add(flaky, { key: "k", delay: "1h", ttl: "1m" })();
    stage.start(docket);

    await stage.advance(3 * 60 * MINUTE);
    deepEqual(await statesOf(docket, ["k"]), ["failed"]);
    await stage.advance(MINUTE);

    deepEqual(await statesOf(docket, ["k"]), [undefined]);
  });

  test("of a replacement that was deferred is its own", async (stage) => {
    const docket = await stage.connect();
    const gate = Promise.withResolvers<void>();
    const hold = task("hold", (): Promise<void> => gate.promise);
    const first = await docket.add(hold, { key: "k", ttl: "1m" })();
    stage.start(docket);
    await stage.eventually(async () => (await first.refresh()).state === "running");
    const second = await docket.replace(end, { key: "k", ttl: "3m" })("completed");

    gate.resolve();
    await stage.soon(second.result());

    equal(second.disposition, "deferred");
    await stage.advance(2 * MINUTE);
    deepEqual(await statesOf(docket, ["k"]), ["completed"]);
    await stage.advance(MINUTE);
    deepEqual(await statesOf(docket, ["k"]), [undefined]);
  });

  test("goes on along a chain, also where a run gives the next other arguments", async (stage) => {
    const docket = await stage.connect();
    const chain = task(
      "chain",
      { perpetual: new Perpetual<[n: number]>() },
      ({ perpetual }, n: number): void => {
        if (n === 3) perpetual.cancel();
        else perpetual.perpetuate(n + 1);
      },
    );
    await docket.add(chain, { key: "k", ttl: "1m" })(1);
    const worker = stage.start(docket);
    await stage.eventually(async () => (await docket.execution("k"))?.state === "completed");
    await worker.close();

    await stage.advance(50_000);
    deepEqual(await statesOf(docket, ["k"]), ["completed"]);
    await stage.advance(10_000);

    deepEqual(await statesOf(docket, ["k"]), [undefined]);
  });

  test("is kept when what failed is run again", async (stage) => {
    const docket = await stage.connect();
    let broken = true;
    function work(): void {
      if (broken) throw new Error("whoops");
    }
    const first = await docket.add(work, { key: "k", ttl: "10m" })();
    await stage.finish(docket);
    broken = false;

    const second = await (await first.refresh()).retry();
    await stage.finish(docket);

    equal((await second.refresh()).state, "completed");
    await stage.advance(9 * MINUTE);
    deepEqual(await statesOf(docket, ["k"]), ["completed"]);
    await stage.advance(2 * MINUTE);
    deepEqual(await statesOf(docket, ["k"]), [undefined]);
  });

  test("is that of the later call when a key is used again", async (stage) => {
    const docket = await stage.connect();
    await docket.add(end, { key: "k", ttl: "1m" })("completed");
    await stage.finish(docket);
    await docket.add(end, { key: "k", ttl: "5m" })("completed");
    await stage.finish(docket);

    await stage.advance(2 * MINUTE);

    deepEqual(await statesOf(docket, ["k"]), ["completed"]);
  });

  // 15: a live key has no time to live, and a record that is gone drops no task
  test("does not count while the task lives", async (stage) => {
    const docket = await stage.connect();
    await docket.add(end, { key: "k", ttl: 1 })("completed");
    await stage.finish(docket);
    const execution = await docket.add(end, { key: "k", delay: "8d", ttl: 1 })("completed");
    await stage.advance(8 * DAY - 10 * MINUTE);
    stage.start(docket); // so late because a worker has a timer every second, which takes its while

    await stage.advance(10 * MINUTE - 1);
    equal((await execution.refresh()).state, "scheduled");
    const result = execution.result();
    await stage.advance(1);

    equal(await result, "done");
  });

  test("does not reach one that is parked as dead", async (stage) => {
    const docket = await stage.connect();
    await docket.add("nobody knows it", { key: "k", ttl: 0 })();
    stage.start(docket, { unknownTaskTtl: "1m" });

    await stage.advance(5 * MINUTE);

    deepEqual(await statesOf(docket, ["k"]), ["dead"]);
    deepEqual((await docket.dead()).map(({ key }) => key), ["k"]);
  });
});

onMemory("DocketOptions.executionTtl", (test) => {
  test("is one for every end, or one for each, and the rest as usual", async (stage) => {
    const usual = { completed: 15 * MINUTE, failed: 7 * DAY, cancelled: 15 * MINUTE };
    const given: readonly (readonly [executionTtl: object | number, expected: typeof usual])[] = [
      [{ minutes: 1 }, { completed: MINUTE, failed: MINUTE, cancelled: MINUTE }],
      [2 * MINUTE, { completed: 2 * MINUTE, failed: 2 * MINUTE, cancelled: 2 * MINUTE }],
      [{ completed: "1m" }, { ...usual, completed: MINUTE }],
      [{ failed: "1m" }, { ...usual, failed: MINUTE }],
      [{ cancelled: "1m" }, { ...usual, cancelled: MINUTE }],
      [
        { completed: 1_000, failed: 2_000, cancelled: 3_000 },
        { completed: 1_000, failed: 2_000, cancelled: 3_000 },
      ],
    ];
    for (const [index, [executionTtl, expected]] of given.entries()) {
      const docket = await stage.connect({ executionTtl });
      const keys = ENDS.map((how) => `${index} ${how}`);
      await endInEachWay(stage, docket, {}, `${index} `);
      let at = 0;
      for (const span of [...new Set(Object.values(expected))].toSorted((a, b) => a - b)) {
        await stage.advance(span - at - 200);
        const before = await statesOf(docket, keys);
        await stage.advance(200);
        const after = await statesOf(docket, keys);
        at = span;

        const living = (left: (how: typeof ENDS[number]) => boolean) =>
          ENDS.map((how) => left(how) ? how : undefined);
        deepEqual(before, living((how) => expected[how] >= span), `${index}, before ${span}`);
        deepEqual(after, living((how) => expected[how] > span), `${index}, after ${span}`);
      }
    }
  });

  test("is that of the worker's docket, not of the producer's", async (stage) => {
    const producer = await stage.connect({ executionTtl: "10m" });
    const consumer = await stage.connect({ executionTtl: "1m", tasks: end });
    await producer.add(end, { key: "k" })("completed");
    await stage.finish(consumer);

    await stage.advance(MINUTE);

    deepEqual(await statesOf(producer, ["k"]), [undefined]);
  });
});

onRedis("Docket.add() with a ttl", (test) => {
  // 15, 68: what the server itself will do
  test("has the server forget the record after it", async (stage) => {
    const docket = await stage.connect();
    const redis = new Redis(stage.url, { protocol: 2 });
    stage.afterwards(() => redis.disconnect());
    const spans: Record<string, readonly [number, number]> = {};
    for (const ttl of [0, 20_000.5, 3_600_000]) {
      await endInEachWay(stage, docket, { ttl }, `${ttl} `);
      for (const how of ENDS) {
        const left = await redis.pttl(`{${stage.name}}:r:${ttl} ${how}`);
        spans[`${ttl} ${how}`] = [left, ttl === 0 ? 10_000 : ttl];
      }
    }

    for (const [key, [left, most]] of Object.entries(spans)) {
      ok(left > most - 10_000 && left <= Math.ceil(most), `${key}: ${left} of ${most}`);
    }
  });
});

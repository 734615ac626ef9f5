/**
 * What failed or was parked as dead: it can be looked at, and run again.
 *
 * @module
 */

import {
  deepStrictEqual as deepEqual,
  notStrictEqual as notEqual,
  ok,
  rejects,
  strictEqual as equal,
} from "node:assert/strict";
import { randomId } from "../../src/base/ids.ts";
import { type Docket, type Execution, Perpetual, Retry, task } from "../../mod.ts";
import { failureOf, onEveryStorage, type Stage } from "../_harness.ts";
import { captureLogs } from "../_logs.ts";

captureLogs(); // every failure is logged

/** Fails until it is told otherwise. */
class Flaky {
  broken = true;
  readonly seen: string[] = [];
  readonly work = task("work", (_context, text: string): string => {
    this.seen.push(text);
    if (this.broken) throw new RangeError(`cannot work on ${text}`);
    return text;
  });
}

/** Plants something that no docket wrote. */
async function plant(stage: Stage, key: string, body: string): Promise<void> {
  const storage = await stage.open();
  await storage.schedule([{ key, generation: randomId(), mode: "add", due: undefined, body }]);
}

/** Lets what is queued under a key die by its deliveries: a worker takes it, and is never heard of again. */
async function killByDeliveries(stage: Stage): Promise<void> {
  const storage = await stage.open();
  const shared = { maxDeliveries: 1, commits: [], lane: 0, from: ">", call: 1, want: 1 };
  const step = { ...shared, consumer: "web#1~mortal", token: randomId() };
  equal((await storage.step(step)).claims.length, 1);
  await stage.eventually(async () => {
    const reclaim = { consumer: "other~x", token: randomId(), lease: 1, cursor: "", want: 1 };
    equal((await storage.reclaim({ ...reclaim, maxDeliveries: 1 })).claims.length, 0);
    return await storage.count() === 0;
  });
  await storage.retire("web#1~mortal");
  await storage.retire("other~x");
}

/** On Redis two that end in one millisecond end at the same time. */
async function oneAfterTheOther(
  stage: Stage,
  docket: Docket,
  adds: readonly (() => Promise<unknown>)[],
): Promise<void> {
  for (const add of adds) {
    await add();
    await stage.finish(docket);
    await stage.advance(2);
  }
}

function keysOf(executions: readonly Execution[]): string[] {
  return executions.map(({ key }) => key);
}

onEveryStorage("Execution.discard()", (test) => {
  test("forgets what failed, and its key is as free as it was", async (stage) => {
    const flaky = new Flaky();
    const docket = await stage.connect();
    const failed = await docket.add(flaky.work, { key: "key" })("hello");
    await stage.finish(docket);

    equal(await failed.discard(), true);

    deepEqual(await docket.failed(), []);
    equal(await failed.discard(), false);
    await rejects(failed.retry(), { code: "EXECUTION_EXPIRED" });
    equal((await docket.add(flaky.work, { key: "key" })("again")).disposition, "scheduled");
    await stage.finish(docket);
  });

  test("forgets what is dead", async (stage) => {
    const flaky = new Flaky();
    const docket = await stage.connect();
    await docket.add(flaky.work, { key: "poison" })("deadly");
    await killByDeliveries(stage);
    const [dead] = await docket.dead();

    equal(await dead.discard(), true);

    deepEqual([await docket.dead(), (await docket.snapshot()).counts.dead], [[], 0]);
    await rejects(dead.retry(), { code: "EXECUTION_EXPIRED" });
  });

  test("does nothing to what is live, or ended well", async (stage) => {
    const flaky = new Flaky();
    flaky.broken = false;
    const docket = await stage.connect();
    const execution = await docket.add(flaky.work)("hello");

    equal(await execution.discard(), false);
    await stage.finish(docket);
    equal(await execution.discard(), false);

    equal(await execution.result(), "hello");
  });
});

onEveryStorage("Docket.failed()", (test) => {
  test("lists what failed, the newest first, and nothing else", async (stage) => {
    const flaky = new Flaky();
    const docket = await stage.connect();
    const other = await stage.connect({ name: `${stage.name}.b` });
    const add = (key: string) => () => docket.add(flaky.work, { key })(key);
    deepEqual(await docket.failed(), []);

    await oneAfterTheOther(stage, docket, ["b", "c", "a"].map(add));
    flaky.broken = false;
    await oneAfterTheOther(stage, docket, [add("fine")]);
    await docket.add(flaky.work, { key: "cancelled", delay: "1h" })("cancelled");
    await docket.cancel("cancelled");

    deepEqual(keysOf(await docket.failed()), ["a", "c", "b"]);
    deepEqual(keysOf(await docket.failed({ limit: 2 })), ["a", "c"]);
    deepEqual(keysOf(await docket.failed({ limit: 1 })), ["a"]);
    deepEqual(await docket.dead(), []);
    deepEqual(await other.failed(), []);
  });

  test("tells what was run, with what, and why it failed, also where nothing is registered", async (stage) => {
    const docket = await stage.connect();
    const operator = await stage.connect();
    const work = task(
      "work",
      { retry: new Retry({ attempts: 2 }) },
      (_context, text: string, when: Date): void => {
        throw new TypeError(`${text} at ${when.toISOString()}`, { cause: "a bad day" });
      },
    );
    const date = new Date(0);
    await docket.add(work, { key: "key" })("hello", date);
    await stage.finish(docket, { name: "web" });

    const [execution] = await operator.failed();

    const { key, task: name, args, state, attempt, worker, error } = execution;
    deepEqual([key, name, args], ["key", "work", ["hello", date]]);
    deepEqual([state, attempt, worker], ["failed", 2, "web"]);
    ok(error instanceof TypeError);
    deepEqual([error.message, error.cause], ["hello at 1970-01-01T00:00:00.000Z", "a bad day"]);
    ok(execution.startedAt! <= execution.completedAt!);
    equal((await failureOf(execution)).message, error.message);
  });

  test("tells more than a hundred", async (stage) => {
    const flaky = new Flaky();
    const docket = await stage.connect();
    const call = docket.call(flaky.work);
    await docket.addAll(Array.from({ length: 250 }, (_, n) => call(`${n}`)));
    await stage.finish(docket, { concurrency: 50 });

    const all = await docket.failed();
    const some = await docket.failed({ limit: 150 });

    equal(new Set(keysOf(all)).size, 250);
    deepEqual(keysOf(some), keysOf(all).slice(0, 150));
    deepEqual(all.map(({ args: [n] }) => Number(n)).sort((a, b) => a - b), [...Array(250).keys()]);
  });

  test("lists a key once, as it failed last, and no longer once it has ended otherwise", async (stage) => {
    const flaky = new Flaky();
    const docket = await stage.connect();
    const add = (key: string, text: string) => () => docket.add(flaky.work, { key })(text);
    await oneAfterTheOther(stage, docket, [add("a", "one"), add("b", "two"), add("a", "three")]);

    const twice = await docket.failed();
    flaky.broken = false;
    await oneAfterTheOther(stage, docket, [add("b", "four")]);

    deepEqual(twice.map(({ key, args }) => [key, args]), [["a", ["three"]], ["b", ["two"]]]);
    deepEqual(keysOf(await docket.failed()), ["a"]);
  });

  test("does not list what keeps no record, or whose record is over", async (stage) => {
    const flaky = new Flaky();
    const docket = await stage.connect();
    await docket.add(flaky.work, { key: "none", ttl: 0 })("none");
    const brief = await docket.add(flaky.work, { key: "brief", ttl: 40 })("brief");
    await docket.add(flaky.work, { key: "long", ttl: "1h" })("long");
    await stage.finish(docket);
    await stage.advance(50);

    deepEqual(keysOf(await docket.failed()), ["long"]);
    deepEqual(keysOf(await docket.failed({ limit: 1 })), ["long"]);
    await rejects(brief.retry(), { code: "EXECUTION_EXPIRED" });
  });

  test("lists nothing of a docket that keeps no record of what failed", async (stage) => {
    const flaky = new Flaky();
    const docket = await stage.connect({ executionTtl: { failed: 0 } });
    await docket.add(flaky.work)("none");
    await stage.finish(docket);

    deepEqual(await docket.failed(), []);
  });

  test("refuses a limit that is none", async (stage) => {
    const docket = await stage.connect();

    for (const limit of [0, -1, 1.5, NaN]) {
      await rejects(docket.failed({ limit }), RangeError);
      await rejects(docket.dead({ limit }), RangeError);
    }
    await rejects(docket.failed({ most: 1 } as never), TypeError);
    await rejects(docket.dead({ most: 1 } as never), TypeError);
  });
});

onEveryStorage("Docket.dead()", (test) => {
  // 40: visible
  test("tells of a task that died by its deliveries what it was", async (stage) => {
    const flaky = new Flaky();
    const docket = await stage.connect();
    const added = await docket.add(flaky.work, { key: "poison" })("deadly");
    await killByDeliveries(stage);
    const operator = await stage.connect();

    const [execution, ...others] = await operator.dead();

    deepEqual(others, []);
    const { key, task: name, args, state, attempt, worker, error, completedAt } = execution;
    deepEqual([key, name, args], ["poison", "work", ["deadly"]]);
    deepEqual([state, attempt, worker], ["dead", 1, "web#1"]);
    ok(/too often/.test((error as Error).message));
    ok(completedAt instanceof Date);
    equal((await failureOf(added)).message, (error as Error).message);
    deepEqual(flaky.seen, []);
    deepEqual(await operator.failed(), []);
  });

  // 39
  test("tells of a message that nobody can read why", async (stage) => {
    const docket = await stage.connect();
    await plant(stage, "key", "{nope");
    await stage.finish(docket);

    const [execution] = await docket.dead();

    const { key, task: name, args, state, worker, error } = execution;
    deepEqual([key, name, args, state, worker], ["key", "", [], "dead", "tester"]);
    ok(/not JSON/.test((error as Error).message));
  });

  test("lists the newest first, as many as are wanted", async (stage) => {
    const docket = await stage.connect();
    const keys = ["b", "c", "a"];
    await oneAfterTheOther(stage, docket, keys.map((key) => () => plant(stage, key, "{")));

    deepEqual(keysOf(await docket.dead()), ["a", "c", "b"]);
    deepEqual(keysOf(await docket.dead({ limit: 2 })), ["a", "c"]);
  });

  test("goes on listing what was parked when its key is used again", async (stage) => {
    const flaky = new Flaky();
    const docket = await stage.connect();
    await plant(stage, "key", "{");
    await stage.finish(docket);
    flaky.broken = false;

    const execution = await docket.add(flaky.work, { key: "key" })("again");
    await stage.finish(docket);

    equal(await execution.result(), "again");
    const [dead] = await docket.dead();
    deepEqual([dead.key, dead.state], ["key", "dead"]);
    equal((await dead.refresh()).state, "dead");
  });
});

onEveryStorage("Execution.retry()", (test) => {
  test("runs what failed again, with its arguments, under its key, as a new execution", async (stage) => {
    const flaky = new Flaky();
    const docket = await stage.connect();
    const added = await docket.add(flaky.work, { key: "key" })("hello");
    await stage.finish(docket);
    const operator = await stage.connect();
    const [failed] = await operator.failed();
    flaky.broken = false;

    const again = await failed.retry();

    const { key, disposition, state, task: name, args, attempt } = again;
    deepEqual([key, disposition, state], ["key", "scheduled", "queued"]);
    deepEqual([name, args, attempt], ["work", ["hello"], 1]);
    deepEqual(await operator.failed(), []);
    await stage.finish(docket);
    equal(await again.result(), "hello");
    deepEqual(flaky.seen, ["hello", "hello"]);
    await rejects(added.refresh(), { code: "EXECUTION_EXPIRED" }); // another generation
    deepEqual(await operator.failed(), []);
  });

  test("works with any handle of what failed", async (stage) => {
    const flaky = new Flaky();
    const docket = await stage.connect();
    const handles: ((added: Execution<string>) => Promise<Execution | undefined>)[] = [
      (added) => Promise.resolve(added), // it has not looked since it was added
      async (added) => {
        await failureOf(added);
        return added;
      },
      (added) => docket.execution(added.key),
      async () => (await docket.failed())[0],
    ];

    for (const handle of handles) {
      const added = await docket.add(flaky.work, { key: "key" })("hello");
      await stage.finish(docket);

      const again = await (await handle(added))!.retry();

      equal(again.disposition, "scheduled");
      await stage.finish(docket);
      equal((await failureOf(again)).message, "cannot work on hello");
    }
    equal(flaky.seen.length, 2 * handles.length);
  });

  test("gives it all its attempts again", async (stage) => {
    const docket = await stage.connect();
    const attempts: number[] = [];
    const work = task("work", { retry: new Retry({ attempts: 3 }) }, ({ attempt }): void => {
      attempts.push(attempt);
      throw new Error("whoops");
    });
    const execution = await docket.add(work)();
    await stage.finish(docket);

    const again = await execution.retry();
    await stage.finish(docket);

    deepEqual(attempts, [1, 2, 3, 1, 2, 3]);
    deepEqual([(await again.refresh()).state, again.attempt], ["failed", 3]);
  });

  test("leaves alone what took the key meanwhile", async (stage) => {
    const flaky = new Flaky();
    const docket = await stage.connect();
    const failed = await docket.add(flaky.work, { key: "key" })("old");
    await stage.finish(docket);
    await docket.add(flaky.work, { key: "key", delay: "1h" })("new");

    const again = await failed.retry();

    deepEqual([again.disposition, again.state, again.args], ["exists", "scheduled", ["new"]]);
    equal(await again.cancel(), "cancelled");
  });

  test("runs a failure once, however often it is asked for", async (stage) => {
    const flaky = new Flaky();
    const docket = await stage.connect();
    const failed = await docket.add(flaky.work, { key: "key" })("hello");
    await stage.finish(docket);
    flaky.broken = false;

    const handles = await Promise.all(Array.from({ length: 5 }, () => failed.retry()));
    await stage.finish(docket);

    const dispositions = handles.map(({ disposition }) => disposition).sort();
    deepEqual(dispositions, ["exists", "exists", "exists", "exists", "scheduled"]);
    for (const handle of handles) equal(await handle.result(), "hello");
    deepEqual(flaky.seen, ["hello", "hello"]);
    await rejects(failed.retry(), { code: "EXECUTION_EXPIRED", key: "key" });
  });

  test("of one that ran again and failed again is for the later failure only", async (stage) => {
    const flaky = new Flaky();
    const docket = await stage.connect();
    const first = await docket.add(flaky.work, { key: "key" })("hello");
    await stage.finish(docket);
    const second = await first.retry();
    await stage.finish(docket);

    await rejects(first.retry(), { code: "EXECUTION_EXPIRED" });
    const third = await second.retry();

    equal(third.disposition, "scheduled");
    await stage.finish(docket);
    equal(flaky.seen.length, 3);
  });

  test("refuses what has neither failed nor died", async (stage) => {
    const docket = await stage.connect();
    const release = Promise.withResolvers<void>();
    stage.afterwards(() => release.resolve());
    let runs = 0;
    async function hold(wait: boolean): Promise<void> {
      runs++;
      if (wait) await release.promise;
    }
    const completed = await docket.add(hold)(false);
    await stage.finish(docket);
    const running = await docket.add(hold, { key: "running" })(true);
    stage.start(docket, { concurrency: 1 });
    await stage.eventually(() => runs === 2);
    const waiting = await docket.replace(hold, { key: "running" })(false);
    const queued = await docket.add(hold)(false);
    const scheduled = await docket.add(hold, { delay: "1h" })(false);
    const cancelled = await docket.add(hold, { delay: "1h" })(false);
    await cancelled.cancel();

    for (
      const [state, execution] of Object.entries({
        completed,
        running,
        waiting,
        queued,
        scheduled,
        cancelled,
      })
    ) {
      await rejects(
        execution.retry(),
        (error) => error instanceof TypeError && error.message.endsWith(`it is ${state}`),
        state,
      );
    }
  });

  test("of what nobody knows any more says so", async (stage) => {
    const flaky = new Flaky();
    const docket = await stage.connect();
    const failed = await docket.add(flaky.work, { key: "key", ttl: 400 })("hello");
    const overwritten = await docket.add(flaky.work, { key: "other" })("hello");
    await stage.finish(docket);
    await failed.refresh();
    await overwritten.refresh();
    flaky.broken = false;
    await docket.add(flaky.work, { key: "other" })("fine");
    await stage.finish(docket);
    await stage.advance(410);

    for (const execution of [failed, overwritten]) {
      await rejects(execution.retry(), { code: "EXECUTION_EXPIRED", key: execution.key });
    }
    equal(flaky.seen.length, 3);
  });

  // 40: requeueable
  test("runs again what died by its deliveries", async (stage) => {
    const flaky = new Flaky();
    const docket = await stage.connect();
    await docket.add(flaky.work, { key: "poison" })("deadly");
    await killByDeliveries(stage);
    flaky.broken = false;
    const [dead] = await docket.dead();

    const again = await dead.retry();

    deepEqual([again.disposition, again.deliveries, again.args], ["scheduled", 0, ["deadly"]]);
    deepEqual(await docket.dead(), []);
    await stage.finish(docket, { maxDeliveries: 1 });
    equal(await again.result(), "deadly");
    deepEqual((await docket.snapshot()).counts.dead, 0);
    await rejects(dead.retry(), { code: "EXECUTION_EXPIRED" });
  });

  test("parks again what nobody can read", async (stage) => {
    const docket = await stage.connect();
    await plant(stage, "key", "{nope");
    await stage.finish(docket);
    const [dead] = await docket.dead();

    const again = await dead.retry();
    await stage.finish(docket);

    equal((await again.refresh()).state, "dead");
    ok(/not JSON/.test((again.error as Error).message));
    const [parked, ...others] = await docket.dead();
    deepEqual([parked.key, others], ["key", []]);
    await rejects(dead.retry(), { code: "EXECUTION_EXPIRED" });
    equal((await parked.retry()).disposition, "scheduled");
    await stage.finish(docket);
  });

  test("runs again what was parked under a key that was used since", async (stage) => {
    const flaky = new Flaky();
    const docket = await stage.connect();
    await docket.add(flaky.work, { key: "key" })("parked");
    await killByDeliveries(stage);
    const [dead] = await docket.dead();
    flaky.broken = false;
    await docket.add(flaky.work, { key: "key" })("since");
    await stage.finish(docket);

    const again = await dead.retry();
    await stage.finish(docket);

    equal(await again.result(), "parked");
    deepEqual(flaky.seen, ["since", "parked"]);
    deepEqual(await docket.dead(), []);
  });

  test("keeps how long the record is to stay", async (stage) => {
    const flaky = new Flaky();
    const docket = await stage.connect();
    const failed = await docket.add(flaky.work, { key: "key", ttl: 400 })("hello");
    await stage.finish(docket);

    const again = await failed.retry();
    await stage.finish(docket);
    equal((await again.refresh()).state, "failed");
    await stage.advance(410);

    await rejects(again.refresh(), { code: "EXECUTION_EXPIRED" });
    deepEqual(await docket.failed(), []);
  });

  test("gives up when its signal says so", async (stage) => {
    const flaky = new Flaky();
    const docket = await stage.connect();
    const failed = await docket.add(flaky.work)("hello");
    await stage.finish(docket);
    const reason = new Error("no time");

    await rejects(failed.retry({ signal: AbortSignal.abort(reason) }), reason);

    equal((await docket.failed()).length, 1);
  });
});

onEveryStorage("A perpetual task that failed", (test) => {
  test("is listed while its chain goes on, and is not run beside it", async (stage) => {
    const docket = await stage.connect();
    let runs = 0;
    const tick = task("tick", { perpetual: new Perpetual({ every: "1h" }) }, (): void => {
      runs++;
      throw new Error(`run ${runs}`);
    });
    const first = await docket.add(tick, { key: "tick" })();
    stage.start(docket);
    await stage.soon(rejects(first.result(), { code: "EXECUTION_FAILED" }));
    const [failed] = await docket.failed();

    const again = await failed.retry();

    deepEqual([failed.key, (failed.error as Error).message], ["tick", "run 1"]);
    deepEqual([again.disposition, again.state], ["exists", "scheduled"]);
    equal(runs, 1);
  });

  test("runs again when its chain has ended with it, and so does the chain", async (stage) => {
    const docket = await stage.connect();
    let runs = 0;
    const perpetual = new Perpetual({ every: "1h", onExhausted: "stop" });
    const tick = task("tick", { perpetual }, (): void => {
      runs++;
      if (runs === 1) throw new Error("whoops");
    });
    const first = await docket.add(tick, { key: "tick" })();
    await stage.finish(docket);
    const failed = await docket.execution("tick");

    const again = await failed!.retry();
    await stage.finish(docket);

    equal(failed!.state, "failed");
    await rejects(first.retry(), { code: "EXECUTION_EXPIRED" });
    equal(again.disposition, "scheduled");
    equal(runs, 2);
    const live = await docket.execution("tick");
    equal(live?.state, "scheduled");
    notEqual(live?.when, undefined);
  });
});

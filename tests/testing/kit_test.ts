/**
 * The testing kit: a docket in memory, time that passes at once, and a storage that fails when told to.
 *
 * @module
 */

import {
  deepStrictEqual as deepEqual,
  ok,
  rejects,
  strictEqual as equal,
} from "node:assert/strict";
import { test } from "node:test";
import {
  ConnectionError,
  Cron,
  Docket,
  Perpetual,
  Retry,
  task,
  Timeout,
  Worker,
} from "../../mod.ts";
import {
  assertScheduled,
  FakeClock,
  FaultyStorage,
  memoryDocket,
  memoryStorage,
  runAll,
} from "../../src/testing/mod.ts";

test("memoryDocket() gives each test a docket of its own", async () => {
  await using one = await memoryDocket();
  await using other = await memoryDocket();

  await one.add("task")();

  equal((await one.snapshot()).counts.queued, 1);
  equal((await other.snapshot()).counts.queued, 0);
});

test("runAll() lets days of retries and delays pass in no time", async () => {
  const clock = new FakeClock();
  const start = clock.now();
  const hours: number[] = [];
  const flaky = task(
    "flaky",
    { retry: new Retry({ attempts: 3, delay: { hours: 10 } }) },
    ({ attempt }): number => {
      hours.push((clock.now() - start) / 3_600_000);
      if (attempt < 3) throw new Error("not yet");
      return attempt;
    },
  );
  await using docket = await memoryDocket({ clock });
  const execution = await docket.add(flaky, { delay: { days: 2 } })();

  await runAll(docket, { clock });

  equal(await execution.result(), 3);
  deepEqual(hours, [48, 58, 68]);
});

test("runAll() waits for what waits for something else than the clock", async () => {
  const clock = new FakeClock();
  const read = task("read", async (): Promise<string> => {
    const { readFile } = await import("node:fs/promises");
    await readFile(new URL(import.meta.url));
    await new Promise((resolve) => setTimeout(resolve, 20));
    return "read";
  });
  await using docket = await memoryDocket({ clock });
  const execution = await docket.add(read)();

  await runAll(docket, { clock });

  equal(await execution.result(), "read");
});

test("runAll() runs automatic tasks that are due at once, and does not wait for the next", async () => {
  const clock = new FakeClock();
  const ran: string[] = [];
  const always = task(
    "always",
    { perpetual: new Perpetual({ every: "1h", automatic: true }) },
    (): void => void ran.push("always"),
  );
  const daily = task("daily", { cron: new Cron("@daily") }, (): void => void ran.push("daily"));
  await using docket = await memoryDocket({ clock, tasks: [always, daily] });

  await runAll(docket, { clock });

  deepEqual(ran, ["always"]);
});

test("runAll() gives up on what never ends", async () => {
  const clock = new FakeClock();
  const poll = task("poll", async ({ docket, key }): Promise<void> => {
    await docket.replace(poll, { key, delay: "1h" })();
  });
  await using docket = await memoryDocket({ clock });
  await docket.add(poll, { key: "poll" })();

  await rejects(runAll(docket, { clock, within: "10h" }), /not over after 36000000 ms/);
});

test("runAll() gives up on what hangs, and lets what reads in peace", async () => {
  const clock = new FakeClock();
  const hang = task("hang", () => new Promise<void>(() => {}));
  await using docket = await memoryDocket({ clock });
  await docket.add(hang)();

  await rejects(runAll(docket, { clock, within: "10m" }), /not over after 600000 ms/);

  await docket.clear();
  await using other = await memoryDocket({ clock });
  const read = task("read", { timeout: new Timeout("1m") }, async (): Promise<string> => {
    await new Promise((resolve) => setTimeout(resolve, 50)); // a file, say
    return "read";
  });
  const execution = await other.add(read)();
  await runAll(other, { clock });
  equal(await execution.result(), "read");
});

test("runAll() works with time as it passes, too", async () => {
  await using docket = await memoryDocket();
  const execution = await docket.add(task("soon", () => "done"), { delay: "10ms" })();

  await runAll(docket);

  equal(await execution.result(), "done");
});

test("A lease runs out on a fake clock, without waiting", async () => {
  const clock = new FakeClock();
  const storage = await memoryStorage({ clock });
  await using docket = await Docket.connect({ storage, clock, tasks: { greet: () => "hello" } });
  const execution = await docket.add("greet")();
  const claim = { lane: 0, call: 1, from: ">", want: 1, commits: [], maxDeliveries: 5 };
  await storage.step({ ...claim, consumer: "dead~1", token: "t".repeat(22) });
  const worker = new Worker(docket, { redeliveryTimeout: "30s" });
  const stop = new AbortController();
  const running = worker.runForever({ signal: stop.signal });

  await clock.advance("25s");
  equal((await execution.refresh()).state, "running");
  await clock.advance("15s");
  equal(await execution.result(), "hello");

  stop.abort();
  await running;
});

test("assertScheduled() gives what is like that, and else tells what there is", async () => {
  const clock = new FakeClock();
  await using docket = await memoryDocket({ clock });
  function remind(_id: number): void {}
  await docket.add(remind, { key: "a", delay: "1h" })(1);
  await docket.add(remind, { key: "b" })(2);

  equal((await assertScheduled(docket, remind)).task, "remind");
  equal((await assertScheduled(docket, "remind", { args: [2] })).key, "b");
  const when = clock.now() + 3_600_000;
  equal((await assertScheduled(docket, remind, { when: new Date(when) })).key, "a");
  for (const wrong of [{ key: "c" }, { args: [3] }, { when: when + 1 }, { key: "a", args: [2] }]) {
    await rejects(assertScheduled(docket, remind, wrong), {
      name: "AssertionError",
      message: /No remind is scheduled like that/,
    });
  }
  await rejects(assertScheduled(docket, "nobody"), { name: "AssertionError" });
  const error = await assertScheduled(docket, remind, { key: "c" }).catch((error) => error);
  deepEqual(error.actual.map(({ key }: { key: string }) => key).toSorted(), ["a", "b"]);
});

test("FaultyStorage is down until it is up, and nothing is done meanwhile", async () => {
  const faulty = new FaultyStorage(await memoryStorage());
  await using docket = await Docket.connect({ storage: faulty.storage });

  faulty.down();
  await rejects(docket.add("task", { key: "a" })(), ConnectionError);
  await rejects(docket.cancel("a"), ConnectionError);
  faulty.up();

  equal(await docket.execution("a"), undefined);
});

test("FaultyStorage loses the answer of the nth call, or refuses it", async () => {
  const faulty = new FaultyStorage(await memoryStorage());
  await using docket = await Docket.connect({ storage: faulty.storage });
  const add = (key: string) => docket.add("task", { key })().then(() => "ok", () => "failed");
  const state = async (key: string) => (await docket.execution(key))?.state;

  faulty.drop({ verb: "schedule", nth: 2 });
  faulty.refuse({ verb: "schedule", nth: 3 });
  deepEqual([await add("a"), await add("b"), await add("c"), await add("d")], [
    ...["ok", "failed", "failed", "ok"],
  ]);

  deepEqual([await state("a"), await state("b"), await state("c")], [
    "queued",
    "queued",
    undefined,
  ]);
  equal(faulty.calls("schedule"), 4);
  ok(faulty.calls() > 4);
});

test("FaultyStorage is slow by the clock", async () => {
  const clock = new FakeClock();
  const faulty = new FaultyStorage(await memoryStorage({ clock }), { clock });
  await using docket = await Docket.connect({ storage: faulty.storage, clock });
  faulty.slow("5s");
  let done = false;
  const cancelled = docket.cancel("nobody").then(() => done = true);

  await clock.advance("4s");
  equal(done, false);
  await clock.advance("1s");
  equal(done, true);
  await cancelled;
  faulty.slow(0);
});

test("A worker survives a storage that loses answers and goes away", async () => {
  const faulty = new FaultyStorage(await memoryStorage());
  const runs: number[] = [];
  const work = task("work", (_context, id: number): void => void runs.push(id));
  await using docket = await Docket.connect({ storage: faulty.storage, tasks: [work] });
  const executions = [];
  for (let id = 0; id < 20; id++) executions.push(await docket.add(work)(id));

  for (const nth of [1, 3, 4]) faulty.drop({ verb: "step", nth });
  faulty.refuse({ verb: "step", nth: 2 });
  await using worker = new Worker(docket, { reconnectionDelay: 5 });
  const stop = new AbortController();
  const running = worker.runForever({ signal: stop.signal });
  await Promise.all(executions.map((one) => one.result({ timeout: "10s" })));
  stop.abort();
  await running;

  deepEqual(runs.toSorted((a, b) => a - b), Array.from({ length: 20 }, (_, id) => id));
});

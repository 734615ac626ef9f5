/**
 * Metrics: what is counted, each once, and what there is (invariants 81, 84).
 *
 * @module
 */

import {
  deepStrictEqual as deepEqual,
  ok,
  rejects,
  strictEqual as equal,
} from "node:assert/strict";
import process from "node:process";
import type { Histogram } from "@opentelemetry/sdk-metrics";
import {
  ConcurrencyLimit,
  ConnectionError,
  type Docket,
  Perpetual,
  Retry,
  task,
} from "../../mod.ts";
import { COUNTERS, HISTOGRAMS } from "../../src/instrumentation/instruments.ts";
import { meters } from "../../src/instrumentation/meters.ts";
import { NEW } from "../../src/storage/contract.ts";
import {
  aborted,
  altered,
  Freezer,
  onEveryStorage,
  onMemory,
  onOwnRedis,
  onRedis,
} from "../_harness.ts";
import { captureLogs } from "../_logs.ts";
import { captureMetrics } from "../_telemetry.ts";

const measure = captureMetrics();
const logged = captureLogs("error");

/** The counters of a docket that are not 0, over all its workers. */
async function countsOf({ name }: Docket, task?: string): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const [metric, points] of await measure()) {
    if (!(metric in COUNTERS)) continue;
    for (const { attributes, value } of points) {
      if (attributes.docket !== name || task !== undefined && attributes.task !== task) continue;
      const short = metric.replace(/^docket_(tasks_)?/, "");
      counts[short] = (counts[short] ?? 0) + Number(value);
    }
  }
  return counts;
}

/** What a metric says of a docket, by the worker and the task that it says it of. */
async function valuesOf({ name }: Docket, metric: string): Promise<Record<string, unknown>> {
  const points = (await measure()).get(metric) ?? [];
  return Object.fromEntries(
    points.filter(({ attributes }) => attributes.docket === name)
      .map(({ attributes: { worker = "", task = "" }, value }) => [`${worker}/${task}`, value]),
  );
}

onEveryStorage("Metrics", (test) => {
  test("count what was scheduled, and each run from its start to its end", async (stage) => {
    const docket = await stage.connect();
    function greet(_name: string): void {}

    for (const key of ["a", "b", "a"]) await docket.add(greet, { key })("Jane"); // the last one is there
    await docket.replace(greet, { key: "b" })("Joe");
    await docket.addAll([docket.call(greet)("Jim"), docket.call(greet)("Jack")]);
    await stage.finish(docket, { name: "web-1" });

    deepEqual(await countsOf(docket), {
      added: 4,
      replaced: 1,
      scheduled: 5,
      started: 4,
      completed: 4,
      succeeded: 4,
    });
    deepEqual(await valuesOf(docket, "docket_tasks_added"), { "/greet": 4 });
    deepEqual(await valuesOf(docket, "docket_tasks_started"), { "web-1/greet": 4 });
    deepEqual(await valuesOf(docket, "docket_tasks_running"), { "web-1/greet": 0 });
  });

  test("count retries and failures", async (stage) => {
    const docket = await stage.connect();
    const flaky = task("flaky", { retry: new Retry({ attempts: 3 }) }, ({ attempt }): void => {
      if (attempt < 3) throw new Error("not yet");
    });
    function failing(): void {
      throw new Error("never");
    }

    await docket.add(flaky)();
    await docket.add(failing)();
    await stage.finish(docket);

    deepEqual(await countsOf(docket, "flaky"), {
      added: 1,
      scheduled: 1,
      started: 3,
      failed: 2,
      retried: 2,
      completed: 1,
      succeeded: 1,
    });
    deepEqual(await countsOf(docket, "failing"), {
      added: 1,
      scheduled: 1,
      started: 1,
      failed: 1,
      completed: 1,
    });
  });

  test("count the runs of a chain", async (stage) => {
    const docket = await stage.connect();
    let runs = 0;
    const tick = task("tick", { perpetual: new Perpetual() }, ({ perpetual }): void => {
      if (++runs === 3) perpetual.cancel();
    });

    await docket.add(tick)();
    await stage.finish(docket);

    const { started, succeeded, perpetuated, completed } = await countsOf(docket);
    deepEqual({ started, succeeded, perpetuated, completed }, {
      started: 3,
      succeeded: 3,
      perpetuated: 2,
      completed: 3,
    });
  });

  test("count what was cancelled, also by handles and all at once", async (stage) => {
    const docket = await stage.connect();
    function later(): void {}
    const delay = "1h";
    const one = await docket.add(later, { delay })();
    await docket.add(later, { key: "two", delay })();
    await docket.addAll([docket.call(later, { delay })(), docket.call(later, { delay })()]);

    await one.cancel();
    await one.cancel(); // nothing is left to cancel
    await docket.cancel("two");
    await docket.clear();

    equal((await countsOf(docket)).cancelled, 4);
    deepEqual(await valuesOf(docket, "docket_tasks_cancelled"), { "/later": 1, "/": 3 });
  });

  test("count what is struck where it is added and where it would run", async (stage) => {
    const docket = await stage.connect();
    function risky(): void {}
    await docket.add(risky)();
    await docket.strike({ task: risky });

    await docket.add(risky)();
    await stage.finish(docket, { name: "web-1" });

    deepEqual(await valuesOf(docket, "docket_tasks_stricken"), { "/risky": 1, "web-1/risky": 1 });
    const { started, completed } = await countsOf(docket);
    deepEqual({ started, completed }, { started: undefined, completed: undefined });
  });

  test("count what is replaced while it runs", async (stage) => {
    const docket = await stage.connect();
    const gate = Promise.withResolvers<void>();
    const started = Promise.withResolvers<void>();
    async function wait(): Promise<void> {
      started.resolve();
      await gate.promise;
    }
    await docket.add(wait, { key: "k" })();
    const worker = stage.worker(docket);
    const running = worker.runUntilFinished();
    await stage.soon(started.promise);

    await docket.replace(wait, { key: "k" })();
    gate.resolve();
    await stage.soon(running);

    const { superseded, started: runs } = await countsOf(docket);
    deepEqual({ superseded, runs }, { superseded: 1, runs: 2 });
  });

  test("count what cannot run, and is dead", async (stage) => {
    const docket = await stage.connect();
    await docket.add("unheard")();
    const storage = await stage.open();
    const call = { key: "broken", generation: "g".repeat(22), due: undefined, body: "{" };
    await storage.schedule([{ ...call, mode: "add" }]);

    stage.start(docket, { unknownTaskTtl: 1 });
    await stage.eventually(async () => (await countsOf(docket)).dead === 2);

    deepEqual(await valuesOf(docket, "docket_tasks_dead"), { "tester/unheard": 1, "tester/": 1 });
  });

  test("count what came to no end as often as it may, and say so", async (stage) => {
    const docket = await stage.connect();
    function poison(): void {}
    await docket.add(poison, { key: "k" })();
    const storage = await stage.open();
    const step = { consumer: "dead~1", lane: 0, call: 1, token: "t".repeat(22), commits: [] };
    await storage.step({ ...step, want: 1, from: NEW, maxDeliveries: 1 });

    await stage.finish(docket, { maxDeliveries: 1, redeliveryTimeout: 100 });
    await storage.retire("dead~1");

    deepEqual(await valuesOf(docket, "docket_tasks_dead"), { "tester/poison": 1 });
    const [{ level, properties }] = logged;
    equal(level, "error");
    deepEqual({ ...properties }, {
      key: "k",
      task: "poison",
      reason: "it was given to workers as often as allowed, and none of them came to its end",
    });
  });

  test("count what one worker lost and another ran, once each", async (stage) => {
    const freezer = new Freezer();
    const docket = await stage.connect();
    const frozen = await stage.connect({ storage: freezer.around(await stage.open()) });
    let thaw = (): void => {};
    let runs = 0;
    function work(): Promise<void> | void {
      if (++runs > 1) return;
      freezer.freeze();
      return new Promise((resolve) => thaw = resolve);
    }
    docket.register([work]);
    frozen.register([work]);
    await docket.add(work)();
    stage.start(frozen, { name: "frozen", redeliveryTimeout: 100 });
    await stage.eventually(() => runs === 1);
    await stage.finish(docket, { name: "fresh", redeliveryTimeout: 100 });

    freezer.thaw();
    thaw();
    await stage.eventually(async () => (await countsOf(docket)).fenced === 1);

    deepEqual(await valuesOf(docket, "docket_tasks_redelivered"), { "fresh/work": 1 });
    deepEqual(await valuesOf(docket, "docket_tasks_started"), {
      "frozen/work": 1,
      "fresh/work": 1,
    });
    deepEqual(await valuesOf(docket, "docket_fenced"), { "frozen/": 1 });
  });

  test("tell how long runs took and how late they began", async (stage) => {
    const docket = await stage.connect();
    const slow = task("slow", () => stage.sleep(60));
    await docket.add(slow)();
    await stage.advance(60);

    await stage.finish(docket, { name: "web-1" });

    for (const metric of Object.keys(HISTOGRAMS)) {
      const { ["web-1/slow"]: value } = await valuesOf(docket, metric);
      const { count, sum, buckets: { boundaries, counts } } = value as Histogram;
      equal(count, 1);
      ok(sum! >= 0.059, `${metric} was ${sum}`);
      const bucket = counts.indexOf(1);
      ok(sum! <= (boundaries[bucket] ?? Infinity) && sum! > boundaries[bucket - 1]);
    }
  });

  test("tell what there is, while a worker lives", async (stage) => {
    const docket = await stage.connect({ heartbeatInterval: 20 });
    const gate = Promise.withResolvers<void>();
    stage.afterwards(gate.resolve);
    const one = new ConcurrencyLimit({ max: 1 });
    const limited = task("limited", { one }, () => gate.promise);
    function other(): void {}
    await docket.strike({ task: other });
    await docket.add(limited, { delay: "1h" })();
    for (let i = 0; i < 3; i++) await docket.add(limited)();
    const worker = stage.start(docket, { name: "web-1", concurrency: 2 });
    await docket.add("unheard", { delay: "2h" })();

    const depth = { "/": 0 };
    const levels: Record<string, Record<string, unknown>> = {
      docket_tasks_running: { "web-1/limited": 1 },
      docket_tasks_waiting: { "/": 2 },
      docket_schedule_depth: { "/": 2 },
      docket_queue_depth: depth,
      docket_strikes_in_effect: { "/": 1 },
      docket_oldest_due_age: { "/": 0 },
    };
    for (const [level, values] of Object.entries(levels)) {
      await stage.eventually(async () => {
        return JSON.stringify(await valuesOf(docket, level)) === JSON.stringify(values);
      });
    }
    const { "web-1/": lag } = await valuesOf(docket, "docket_event_loop_lag");
    ok(typeof lag === "number" && lag >= 0);

    gate.resolve();
    await stage.soon(worker.close());
    for (const { labels, levels } of meters.tallies) {
      if (labels.docket !== docket.name) continue;
      const { docket_tasks_running: running, ...others } = levels;
      deepEqual(Object.values(others).filter((level) => level !== undefined), []);
      ok(running === undefined || running === 0);
    }
  });

  test("count what a shutdown gives back as started, and as nothing else", async (stage) => {
    const docket = await stage.connect();
    const never = Promise.withResolvers<void>();
    stage.afterwards(never.resolve);
    const heeds = task("heeds", async ({ signal }): Promise<void> => {
      await aborted(signal);
      throw signal.reason;
    });
    const ignores = task("ignores", () => never.promise);
    await docket.addAll([docket.call(heeds)(), docket.call(ignores)()]);
    const worker = stage.start(docket, { name: "web-1", gracePeriod: 1 });
    await stage.eventually(async () => (await countsOf(docket)).started === 2);

    await stage.soon(worker.close());

    deepEqual(await countsOf(docket), { added: 2, scheduled: 2, started: 2 });
    const none = { "web-1/heeds": 0, "web-1/ignores": 0 };
    deepEqual(await valuesOf(docket, "docket_tasks_running"), none);
  });

  test("count no start of a run that was given back before its gates answered", async (stage) => {
    const asked = Promise.withResolvers<void>();
    const lost = Promise.withResolvers<never>();
    const slow = altered(await stage.open(), {
      enter: () => {
        asked.resolve();
        return lost.promise;
      },
    });
    const docket = await stage.connect({ storage: slow });
    const limited = task("limited", { one: new ConcurrencyLimit({ max: 1 }) }, (): void => {});
    await docket.add(limited)();
    const worker = stage.start(docket, { gracePeriod: 1 });
    await stage.soon(asked.promise);
    await stage.soon(worker.close());

    lost.reject(new ConnectionError("The connection was cut"));
    await stage.advance(100);

    equal((await countsOf(docket)).started, undefined);
    deepEqual(await valuesOf(docket, "docket_tasks_running"), {});
  });

  test("tell how long the oldest has been due", async (stage) => {
    const docket = await stage.connect({ heartbeatInterval: 20 });
    const gate = Promise.withResolvers<void>();
    stage.afterwards(gate.resolve);
    const hold = task("hold", () => gate.promise);
    await docket.add(hold)();
    stage.start(docket, { concurrency: 1 });
    await stage.eventually(async () => (await docket.snapshot()).counts.running === 1);
    await docket.add(hold)();
    await stage.advance(50);

    await stage.eventually(async () => {
      const { "/": age } = await valuesOf(docket, "docket_oldest_due_age");
      return typeof age === "number" && age >= 0.05;
    });
    deepEqual(await valuesOf(docket, "docket_queue_depth"), { "/": 1 });
  });
});

onMemory("Metrics", (test) => {
  test("have bounded labels, whatever keys and names there are", async (stage) => {
    const docket = await stage.connect();
    function greet(_n: number): void {}

    for (let from = 0; from < 10_000; from += 1_000) {
      const calls = Array.from({ length: 1_000 }, (_, i) => {
        return docket.call(greet, { key: `key-${from + i}` })(from + i);
      });
      await docket.addAll(calls);
    }
    await stage.finish(docket, { name: "web-1", concurrency: 100 });
    deepEqual(await valuesOf(docket, "docket_tasks_added"), { "/greet": 10_000 });
    deepEqual(await valuesOf(docket, "docket_tasks_succeeded"), { "web-1/greet": 10_000 });

    const names = Array.from({ length: 1_500 }, (_, i) => `name-${i}`);
    await docket.addAll(names.map((name) => docket.call(name, { key: name, delay: "1h" })()));
    const added = await valuesOf(docket, "docket_tasks_added");
    ok(Object.keys(added).length <= 1_001);
    equal(Object.values(added).reduce((sum: number, n) => sum + Number(n), 0), 11_500);
    equal(added["/(other)"], 501);
    for (const { labels } of meters.tallies) {
      ok(Object.keys(labels).every((label) => ["docket", "worker", "task"].includes(label)));
    }
  });
});

onRedis("Metrics", (test) => {
  test("tell that a handler has blocked the event loop, for a while", async (stage) => {
    const docket = await stage.connect({ heartbeatInterval: 20 });
    function block(): void {
      for (const end = performance.now() + 400; performance.now() < end;);
    }
    stage.start(docket, { name: "web-1" });
    const lag = async () => Number((await valuesOf(docket, "docket_event_loop_lag"))["web-1/"]);
    await stage.eventually(async () => await lag() >= 0); // it is measured

    await docket.add(block)();

    await stage.eventually(async () => await lag() >= 0.2);
    await stage.sleep(200); // some heartbeats later
    ok(await lag() >= 0.2);
  });
});

onOwnRedis("Metrics", (test) => {
  test("count how often the connection was lost", async (stage) => {
    const docket = await stage.connect();
    function greet(): void {}
    await docket.add(greet)();
    process.kill(stage.server.pid, "SIGKILL");
    stage.forget();
    await rejects(docket.add(greet, { signal: AbortSignal.timeout(200) })());

    deepEqual(await valuesOf(docket, "docket_redis_disruptions"), { "/": 1 });
  });
});

/**
 * The worker's own life: how long it runs, how much at once, and how it stops.
 *
 * @module
 */

import {
  deepStrictEqual as deepEqual,
  notStrictEqual as notEqual,
  ok,
  rejects,
  strictEqual as equal,
  throws,
} from "node:assert/strict";
import { Depends, type Execution, ShutdownError, task, Worker } from "../../mod.ts";
import { aborted, onEveryStorage, onMemory, type Stage } from "../_harness.ts";

/** Counts how many run at once. */
class Gauge {
  now = 0;
  most = 0;
  runs = 0;

  enter(): void {
    this.runs++;
    this.most = Math.max(this.most, ++this.now);
  }

  leave(): void {
    this.now--;
  }
}

/** A task that is started and then waits to be let go. */
function holding(stage: Stage) {
  const started = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  stage.afterwards(() => release.resolve());
  async function hold(): Promise<string> {
    started.resolve();
    await release.promise;
    return "done";
  }
  return { hold, started: started.promise, release: () => release.resolve() };
}

onEveryStorage("Worker.runUntilFinished()", (test) => {
  test("resolves at once when there is nothing to do", async (stage) => {
    const docket = await stage.connect();
    const worker = stage.worker(docket);

    await stage.soon(worker.runUntilFinished());
  });

  test("runs everything that is there, and what that schedules", async (stage) => {
    const docket = await stage.connect();
    const seen: number[] = [];
    const count = task("count", async ({ docket }, n: number): Promise<void> => {
      seen.push(n);
      if (n > 0) await docket.add(count)(n - 1);
    });
    await docket.add(count)(5);

    await stage.finish(docket);

    deepEqual(seen, [5, 4, 3, 2, 1, 0]);
    equal(await (await stage.open()).count(), 0);
  });

  test("waits for tasks that are due later", async (stage) => {
    const docket = await stage.connect();
    const execution = await docket.add(function later() {}, { delay: 60 })();

    await stage.finish(docket);

    equal((await execution.refresh()).state, "completed");
  });

  test("waits for tasks that other workers run", async (stage) => {
    const docket = await stage.connect();
    const { hold, started, release } = holding(stage);
    const execution = await docket.add(hold)();
    stage.start(docket);
    await stage.soon(started);

    let finished = false;
    const idle = stage.worker(docket).runUntilFinished().then(() => finished = true);
    await stage.advance(50);
    const before = finished;
    release();
    await stage.soon(idle);

    equal(before, false);
    equal((await execution.refresh()).state, "completed");
  });

  test("waits for a replacement whose turn has not come", async (stage) => {
    const docket = await stage.connect();
    const other = await stage.connect();
    const { hold, started, release } = holding(stage);
    await docket.add(hold, { key: "hold" })();
    const running = stage.finish(docket);
    await Promise.race([running, stage.soon(started)]);
    const replacement = await other.replace(hold, { key: "hold", delay: 30 })();

    release();
    await running;

    equal((await replacement.refresh()).state, "completed");
  });

  test("can be called again when it is over", async (stage) => {
    const docket = await stage.connect();
    let runs = 0;
    function count(): void {
      runs++;
    }
    const worker = stage.worker(docket);
    for (let n = 1; n <= 3; n++) {
      await docket.add(count)();

      await stage.soon(worker.runUntilFinished());

      equal(runs, n);
    }
  });

  test("resolves when its signal aborts, whatever is left", async (stage) => {
    const docket = await stage.connect();
    const execution = await docket.add(function later() {}, { delay: "1h" })();
    const stop = new AbortController();
    const running = stage.worker(docket).runUntilFinished({ signal: stop.signal });
    await stage.advance(10);

    stop.abort();

    await stage.soon(running);
    equal((await execution.refresh()).state, "scheduled");
  });
});

onEveryStorage("Worker.runForever()", (test) => {
  test("runs what comes until its signal aborts, and resolves then", async (stage) => {
    const docket = await stage.connect();
    const stop = new AbortController();
    let over = false;
    const running = stage.worker(docket).runForever(stop).then(() => over = true);
    function echo(n: number): number {
      return n;
    }

    for (let n = 0; n < 3; n++) {
      equal(await stage.soon((await docket.add(echo)(n)).result()), n);
    }
    equal(over, false);
    stop.abort(new Error("not an error"));

    await stage.soon(running);
  });

  test("resolves at once on a signal that has aborted already", async (stage) => {
    const docket = await stage.connect();
    let runs = 0;
    await docket.add(function count() {
      runs++;
    }, { key: "count" })();

    await stage.soon(stage.worker(docket).runForever({ signal: AbortSignal.abort() }));

    equal(runs, 0);
    equal((await docket.execution("count"))?.state, "queued");
  });

  test("shares also what comes one by one", async (stage) => {
    const docket = await stage.connect();
    const by = new Map<string, number>();
    const note = task("note", ({ worker }): void => {
      by.set(worker.name, (by.get(worker.name) ?? 0) + 1);
    });
    for (const name of ["a", "b"]) stage.start(docket, { name });
    await stage.advance(20);

    for (let n = 0; n < 40; n++) {
      const execution = await docket.add(note)();
      await stage.soon(execution.result());
    }

    deepEqual([...by.keys()].sort(), ["a", "b"]);
  });

  test("shares the work among several workers, each task once", async (stage) => {
    const docket = await stage.connect();
    const other = await stage.connect();
    const runs = new Map<string, number>();
    const workers = new Set<string>();
    const note = task("note", async ({ key, worker }): Promise<void> => {
      runs.set(key, (runs.get(key) ?? 0) + 1);
      workers.add(worker.name);
      await stage.sleep(1);
    });
    other.register(note);
    const executions = await Promise.all(Array.from({ length: 200 }, () => docket.add(note)()));

    stage.start(docket, { name: "a", concurrency: 3 });
    stage.start(other, { name: "b", concurrency: 3 });
    await stage.soon(Promise.all(executions.map((execution) => execution.result())));

    deepEqual([...workers].sort(), ["a", "b"]);
    deepEqual(new Set(runs.values()), new Set([1]));
    equal(runs.size, 200);
  });
});

onEveryStorage("Worker", (test) => {
  test("never runs more than its concurrency", async (stage) => {
    const docket = await stage.connect();
    const gauge = new Gauge();
    async function work(ms: number): Promise<void> {
      gauge.enter();
      if (ms > 0) await stage.sleep(ms);
      gauge.leave();
    }
    for (const concurrency of [1, 2, 7]) {
      Object.assign(gauge, { now: 0, most: 0, runs: 0 });
      await Promise.all(Array.from({ length: 60 }, (_, n) => docket.add(work)(n % 3)));

      await stage.finish(docket, { concurrency });

      ok(gauge.most <= concurrency, `${gauge.most} at once`);
      deepEqual([gauge.now, gauge.runs], [0, 60]);
    }
  });

  test("runs as many as its concurrency", async (stage) => {
    for (const concurrency of [1, 2, 7, 50]) {
      const docket = await stage.connect();
      const gauge = new Gauge();
      const release = Promise.withResolvers<void>();
      stage.afterwards(() => release.resolve());
      const work = task("work", async (): Promise<void> => {
        gauge.enter();
        await release.promise;
        gauge.leave();
      });
      const executions = await Promise.all(
        Array.from({ length: concurrency + 10 }, () => docket.add(work)()),
      );

      const worker = stage.start(docket, { concurrency, gracePeriod: "1h" });
      await stage.eventually(() => gauge.now === concurrency);
      await stage.advance(10);
      const { most } = gauge;
      release.resolve();
      await stage.soon(Promise.all(executions.map((execution) => execution.result())));
      await worker.close();

      equal(most, concurrency);
      equal(gauge.runs, concurrency + 10);
    }
  });

  test("has held no more than it runs, as the storage sees it", async (stage) => {
    const concurrency = 5;
    const docket = await stage.connect();
    const storage = await stage.open();
    const gauge = new Gauge();
    const held: (() => void)[] = [];
    stage.afterwards(() => held.forEach((release) => release()));
    const claimed: number[] = [];
    const look = async () => void claimed.push((await storage.survey(1)).counts.running);
    async function work(waits: boolean): Promise<void> {
      gauge.enter();
      if (waits) await new Promise<void>((resolve) => held.push(resolve));
      else await look();
      gauge.leave();
    }
    const add = (count: number, waits: boolean) =>
      docket.addAll(Array.from({ length: count }, () => docket.call(work)(waits)));

    await add(100, false);
    await add(20, true);
    stage.start(docket, { concurrency, gracePeriod: "1h" });
    await stage.eventually(() => held.length === concurrency);
    await stage.advance(20); // it has had time to take more
    await look();
    const { counts } = await storage.survey(1);
    await stage.eventually(async () => {
      held.splice(0, 2).forEach((release) => release());
      await look();
      return gauge.runs === 120 && gauge.now === 0;
    });

    deepEqual([counts.running, counts.queued], [concurrency, 20 - concurrency]);
    equal(gauge.runs, 120);
    equal(Math.max(...claimed), concurrency);
  });

  test("runs short tasks past long ones, however many, while one place is left", async (stage) => {
    const docket = await stage.connect();
    const release = Promise.withResolvers<void>();
    stage.afterwards(() => release.resolve());
    let begun = 0;
    async function long(): Promise<string> {
      begun++;
      await release.promise;
      return "long";
    }
    function short(n: number): number {
      return n;
    }
    const add = <T>(count: number, one: (n: number) => Promise<T>) =>
      Promise.all(Array.from({ length: count }, (_, n) => one(n)));
    // The last of them are behind short ones: whoever comes first takes the places.
    const longs = await add(5, () => docket.add(long)());
    const shorts = await add(100, (n) => docket.add(short)(n));
    longs.push(...await add(4, () => docket.add(long)()));
    shorts.push(...await add(100, (n) => docket.add(short)(n)));

    stage.start(docket, { concurrency: 10, gracePeriod: "1h" });
    const results = await stage.soon(Promise.all(shorts.map((each) => each.result())));
    const running = begun;
    release.resolve();

    deepEqual(results, [...Array(100).keys(), ...Array(100).keys()]);
    equal(running, 9);
    await stage.soon(Promise.all(longs.map((each) => each.result())));
  });

  // What one step has claimed is settled as it finishes, and not when all of it has
  test("settles what has finished while others that came with it still run", async (stage) => {
    for (const concurrency of [2, 10, 100]) {
      const docket = await stage.connect();
      const release = Promise.withResolvers<void>();
      stage.afterwards(() => release.resolve());
      const work = task("work", async (_context, n: number): Promise<number> => {
        if (n === 0) await release.promise;
        return n;
      });
      const executions = await docket.addAll(
        Array.from({ length: concurrency }, (_, n) => docket.call(work)(n)),
      );
      const [slow, ...quick] = executions;

      const worker = stage.start(docket, { concurrency, gracePeriod: "1h" });
      const results = await stage.soon(Promise.all(quick.map((each) => each.result())));
      const { state } = await slow.refresh();
      const states = await Promise.all(quick.map(async (each) => (await each.refresh()).state));
      release.resolve();

      deepEqual(results, quick.map((_, i) => i + 1));
      equal(state, "running");
      deepEqual(new Set(states), new Set(["completed"]));
      equal(await stage.soon(slow.result()), 0);
      await stage.soon(worker.close());
    }
  });

  test("fills a place as soon as it is free", async (stage) => {
    const docket = await stage.connect();
    const { hold, started } = holding(stage);
    function quick(): string {
      return "quick";
    }
    await docket.add(hold)();
    stage.start(docket, { concurrency: 2 });
    await stage.soon(started);

    const executions = await Promise.all(Array.from({ length: 20 }, () => docket.add(quick)()));

    const results = await stage.soon(Promise.all(executions.map((each) => each.result())));
    equal(results.length, 20);
  });

  test("runs tasks in the order in which they were added", async (stage) => {
    const docket = await stage.connect();
    const seen: number[] = [];
    function note(n: number): void {
      seen.push(n);
    }
    for (let n = 0; n < 40; n++) await docket.add(note)(n);

    await stage.finish(docket, { concurrency: 1 });

    deepEqual(seen, Array.from({ length: 40 }, (_, n) => n));
  });

  // 76: the name is a label
  test("shows its name, which several may share", async (stage) => {
    const docket = await stage.connect();
    const named = task("named", ({ worker }): string => worker.name);
    const executions: Execution<string>[] = [];
    for (let n = 0; n < 10; n++) executions.push(await docket.add(named)());

    stage.start(docket, { name: "twin", concurrency: 1 });
    stage.start(docket, { name: "twin", concurrency: 1 });
    const names = await stage.soon(Promise.all(executions.map((each) => each.result())));

    deepEqual(new Set(names), new Set(["twin"]));
    for (const execution of executions) equal(execution.worker, "twin");
  });

  test("is named after host and process when it is given no name", async (stage) => {
    const docket = await stage.connect();
    await using worker = new Worker(docket);

    ok(/^.+#\d+$/.test(worker.name), worker.name);
  });

  test("refuses to run twice at once", async (stage) => {
    const docket = await stage.connect();
    const worker = stage.start(docket);

    await rejects(worker.runForever(), { name: "TypeError", message: /runs already/ });
    await rejects(worker.runUntilFinished(), { name: "TypeError", message: /runs already/ });
  });

  test("refuses to run when it was closed", async (stage) => {
    const docket = await stage.connect();
    const worker = stage.worker(docket);
    await worker.close();

    await rejects(worker.runForever(), { name: "TypeError", message: /closed/ });
  });

  test("refuses options that cannot be", async (stage) => {
    const docket = await stage.connect();
    const refuse = (options: Record<string, unknown>, name: string) =>
      throws(() => new Worker(docket, options), (error: Error) => {
        const [option] = Object.keys(options);
        equal(error.name, name);
        ok(error.message.includes(option === "name" ? "name" : `"${option}"`), error.message);
        return true;
      });

    for (const concurrency of [0, -1, 1.5, NaN, Infinity]) refuse({ concurrency }, "RangeError");
    for (const maxDeliveries of [0, -1, 1.5, NaN]) refuse({ maxDeliveries }, "RangeError");
    for (const redeliveryTimeout of [0, 9, -1, NaN, "soon"]) {
      refuse({ redeliveryTimeout }, "RangeError");
    }
    for (const option of ["reconnectionDelay", "minimumCheckInterval"]) {
      refuse({ [option]: 0 }, "RangeError");
    }
    for (const option of ["gracePeriod", "schedulingResolution"]) {
      refuse({ [option]: -1 }, "RangeError");
      refuse({ [option]: {} }, "TypeError");
    }
    for (const name of ["", "a|b", "a~b", "a\nb", "x".repeat(129), 5]) {
      refuse({ name }, "TypeError");
    }
    throws(() => new Worker({} as never), { name: "TypeError", message: /Docket.connect/ });
  });
});

onEveryStorage("Worker.close()", (test) => {
  test("lets running tasks finish, and claims nothing more", async (stage) => {
    const docket = await stage.connect();
    const { hold, started, release } = holding(stage);
    let later = 0;
    const execution = await docket.add(hold)();
    const worker = stage.worker(docket, { concurrency: 1, gracePeriod: "1h" });
    const running = worker.runForever();
    await stage.soon(started);
    await docket.add(function next() {
      later++;
    }, { key: "next" })();

    let closed = false;
    const closing = worker.close().then(() => closed = true);
    await stage.advance(30);
    const before = closed;
    release();
    await stage.soon(Promise.all([closing, running]));

    equal(before, false);
    equal((await execution.refresh()).state, "completed");
    equal((await docket.execution("next"))?.state, "queued");
    equal(later, 0);
  });

  test("aborts the signals of running tasks when the grace period is over", async (stage) => {
    const docket = await stage.connect();
    const started = Promise.withResolvers<void>();
    const seen: unknown[] = [];
    const wait = task("wait", async ({ signal }): Promise<void> => {
      started.resolve();
      await aborted(signal);
      seen.push(signal.reason);
      signal.throwIfAborted();
    });
    const execution = await docket.add(wait)();
    const worker = stage.worker(docket, { gracePeriod: 30 });
    void worker.runForever();
    await stage.soon(started.promise);

    await stage.soon(worker.close());

    ok(seen[0] instanceof ShutdownError);
    equal((await execution.refresh()).state, "queued");
  });

  // 75, 35: released at once, no attempt charged, no delivery
  test("gives back what does not finish, and charges nothing for it", async (stage) => {
    const docket = await stage.connect();
    const started = Promise.withResolvers<void>();
    const seen: [attempt: number, deliveries: number, redelivered: boolean][] = [];
    const wait = task("wait", async ({ signal, execution }): Promise<string> => {
      seen.push([execution.attempt, execution.deliveries, execution.redelivered]);
      started.resolve();
      if (seen.length > 1) return "done";
      await aborted(signal);
      throw signal.reason;
    });
    const execution = await docket.add(wait)();
    const worker = stage.worker(docket, { gracePeriod: 0 });
    void worker.runForever();
    await stage.soon(started.promise);

    await stage.soon(worker.close());
    const { attempt, deliveries, worker: holder } = await execution.refresh();
    await stage.finish(docket, { maxDeliveries: 1 }); // at once: nobody waits for its lease

    deepEqual([attempt, deliveries, holder], [1, 0, undefined]);
    equal(await execution.result(), "done");
    deepEqual(seen, [[1, 1, false], [1, 1, false]]);
  });

  test("keeps the result of a task that finishes although its signal aborted", async (stage) => {
    const docket = await stage.connect();
    const started = Promise.withResolvers<void>();
    const wait = task("wait", async ({ signal }): Promise<string> => {
      started.resolve();
      await aborted(signal);
      return "just in time";
    });
    const execution = await docket.add(wait)();
    const worker = stage.worker(docket, { gracePeriod: 0 });
    void worker.runForever();
    await stage.soon(started.promise);

    await stage.soon(worker.close());

    equal(await execution.result(), "just in time");
  });

  // 19: what is given back is nobody's: its late end writes nothing
  test("gives back a task that never settles, whose late end changes nothing", async (stage) => {
    const docket = await stage.connect();
    const { hold, started, release } = holding(stage);
    const execution = await docket.add(hold, { key: "hold" })();
    const worker = stage.worker(docket, { gracePeriod: 10 });
    void worker.runForever();
    await stage.soon(started);

    await stage.soon(worker.close());
    await execution.refresh();
    const { state } = execution;
    release();
    await stage.advance(10);

    equal(state, "queued");
    equal((await execution.refresh()).state, "queued");
  });

  // 74: returns always
  test("can be called twice, before it runs, while it runs and afterwards", async (stage) => {
    const docket = await stage.connect();
    const idle = stage.worker(docket);
    const running = stage.start(docket);
    const done = stage.worker(docket);
    await stage.soon(done.runUntilFinished());

    for (const worker of [idle, running, done]) {
      await stage.soon(Promise.all([worker.close(), worker.close()]));
      await stage.soon(worker[Symbol.asyncDispose]());
    }
  });

  // 74: a task cannot wait for its own worker, but it can ask
  test("can be called by a task that it runs", async (stage) => {
    const docket = await stage.connect();
    const stop = task("stop", ({ worker }): string => {
      void worker.close();
      return "stopped";
    });
    const execution = await docket.add(stop)();
    const worker = stage.worker(docket);

    await stage.soon(worker.runForever());

    equal(await execution.result(), "stopped");
  });

  test("happens when its docket closes, which waits for it", async (stage) => {
    const docket = await stage.connect();
    const observer = await stage.connect();
    const { hold, started, release } = holding(stage);
    await docket.add(hold, { key: "hold" })();
    const running = stage.worker(docket, { gracePeriod: "1h" }).runForever();
    await stage.soon(started);

    const closing = docket.close();
    await stage.advance(20);
    release();
    await stage.soon(Promise.all([closing, running, docket.close()]));

    equal((await observer.execution("hold"))?.state, "completed");
  });

  test("lets what a task uses close before it is given back", async (stage) => {
    const docket = await stage.connect();
    const started = Promise.withResolvers<void>();
    const happened: string[] = [];
    const resource = new Depends(async function* () {
      try {
        yield 1;
      } finally {
        await stage.sleep(5);
        happened.push("closed");
      }
    });
    const wait = task("wait", { resource }, async ({ signal }): Promise<void> => {
      started.resolve();
      await aborted(signal);
      signal.throwIfAborted();
    });
    const execution = await docket.add(wait)();
    const worker = stage.worker(docket, { gracePeriod: 0 });
    void worker.runForever();
    await stage.soon(started.promise);

    await stage.soon(worker.close());

    deepEqual(happened, ["closed"]);
    equal((await execution.refresh()).state, "queued");
  });
});

onEveryStorage("A worker that stops", (test) => {
  // 30: leases are renewed during the drain too
  test("keeps the leases of the tasks that it waits for", async (stage) => {
    const docket = await stage.connect();
    const { hold, started, release } = holding(stage);
    let runs = 0;
    const count = async () => {
      runs++;
      return await hold();
    };
    const work = task("work", count);
    const execution = await docket.add(work)();
    const worker = stage.worker(docket, { redeliveryTimeout: 500, gracePeriod: "1h" });
    void worker.runForever();
    await stage.soon(started);

    const closing = worker.close();
    stage.start(docket, { redeliveryTimeout: 500 }); // would take it
    await stage.advance(1_100);
    release();
    await stage.soon(closing);

    equal(await execution.result(), "done");
    equal(runs, 1);
  });

  // 76: consumers of those who left are deleted, also when they were never idle
  test("leaves nothing of itself behind", async (stage) => {
    const docket = await stage.connect();
    const storage = await stage.open();
    function noop(): void {}
    for (let n = 0; n < 5; n++) {
      await docket.add(noop)();

      await stage.finish(docket, { name: `short-lived-${n}` });
    }

    equal(await storage.count(), 0); // and the leak check finds no consumer
  });
});

onMemory("Worker.close()", (test) => {
  test("waits for the whole grace period, and one second more to clean up", async (stage) => {
    const docket = await stage.connect();
    const worker = new Worker(docket, { name: "tester" }); // 25 seconds
    const begin = stage.clock.now();
    const moments: Record<string, number> = {};
    const wait = task("wait", async ({ signal }): Promise<void> => {
      await aborted(signal);
      moments.aborted = stage.clock.now() - begin;
      await new Promise(() => {});
    });
    await docket.add(wait)();
    void worker.runForever();
    await stage.advance(0);

    void worker.close().then(() => moments.closed = stage.clock.now() - begin);
    await stage.advance(30_000);

    deepEqual(moments, { aborted: 25_000, closed: 26_000 });
  });
});

onMemory("Worker.runUntilFinished()", (test) => {
  test("waits for tasks however far away they are", async (stage) => {
    const docket = await stage.connect();
    let ran = 0;
    const when = stage.clock.now() + 60_000;
    await docket.add(function later() {
      ran = stage.clock.now();
    }, { when })();
    const running = stage.worker(docket).runUntilFinished();

    await stage.advance(60_000);

    equal(ran, when);
    await stage.soon(running);
  });
});

onEveryStorage("Two workers of one docket", (test) => {
  // F38, 76: identities are unique, the name is a label
  test("have different claims also under one name", async (stage) => {
    const docket = await stage.connect();
    const release = Promise.withResolvers<void>();
    stage.afterwards(() => release.resolve());
    const fences: (string | undefined)[] = [];
    const hold = task("hold", async ({ execution }): Promise<void> => {
      fences.push(execution.fence);
      await release.promise;
    });
    await docket.add(hold)();
    await docket.add(hold)();
    stage.start(docket, { name: "twin", concurrency: 1 });
    stage.start(docket, { name: "twin", concurrency: 1 });

    await stage.eventually(() => fences.length === 2);
    release.resolve();

    notEqual(fences[0], fences[1]);
  });
});

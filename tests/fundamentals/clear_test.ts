/**
 * Clearing a docket: what waits goes, what runs stays (invariant 11).
 *
 * @module
 */

import { deepStrictEqual as deepEqual, rejects, strictEqual as equal } from "node:assert/strict";
import { randomId } from "../../src/base/ids.ts";
import { type Execution, Perpetual, Retry, task } from "../../mod.ts";
import { aborted, Freezer, onEveryStorage, onMemory, type Stage } from "../_harness.ts";
import { captureLogs } from "../_logs.ts";

captureLogs(); // failures and unknown tasks are logged

const NOTHING = { scheduled: 0, queued: 0, running: 0, waiting: 0, dead: 0 };

/** A task that runs until it is told to go on. */
class Holding {
  readonly seen: string[] = [];
  readonly #release = Promise.withResolvers<void>();
  readonly hold = task("hold", async (_context, text: string): Promise<string> => {
    this.seen.push(text);
    if (this.seen.length === 1) await this.#release.promise;
    return text;
  });

  constructor(stage: Stage) {
    stage.afterwards(() => this.release());
  }

  release(): void {
    this.#release.resolve();
  }
}

async function assertCleared(executions: readonly Execution[]): Promise<void> {
  for (const execution of executions) {
    await rejects(execution.result(), { code: "EXECUTION_CANCELLED", reason: "cleared" });
    deepEqual([execution.state, execution.reason], ["cancelled", "cleared"]);
  }
}

onEveryStorage("Docket.clear()", (test) => {
  test("cancels what is scheduled, queued or waiting, and tells how many those were", async (stage) => {
    const docket = await stage.connect();
    const operator = await stage.connect(); // has none of the tasks
    const holding = new Holding(stage);
    const running = await docket.add(holding.hold, { key: "running" })("running");
    stage.start(docket, { concurrency: 1 });
    await stage.eventually(() => holding.seen.length === 1);
    const waiting = await docket.replace(holding.hold, { key: "running" })("waiting");
    const queued = await docket.add(holding.hold)("queued");
    const scheduled = await docket.add(holding.hold, { delay: 30 })("scheduled");
    const far = await docket.add(holding.hold, { delay: "1h" })("far");

    const cleared = await operator.clear();

    equal(cleared, 4);
    await assertCleared([waiting, queued, scheduled, far]);
    deepEqual((await docket.snapshot()).counts, { ...NOTHING, running: 1 });
    holding.release();
    equal(await stage.soon(running.result()), "running");
    await stage.advance(40);
    deepEqual(holding.seen, ["running"]);
  });

  test("finds nothing on an empty docket, and nothing the second time", async (stage) => {
    const docket = await stage.connect();
    const empty = await docket.clear();
    await docket.add("nobody", { delay: "1h" })();

    deepEqual([empty, await docket.clear(), await docket.clear()], [0, 1, 0]);
  });

  // 4
  test("frees the keys at once", async (stage) => {
    const docket = await stage.connect();
    const seen: string[] = [];
    function note(text: string): void {
      seen.push(text);
    }
    for (const delay of [0, 20]) {
      await docket.add(note, { key: "note", delay })("old");

      await docket.clear();
      const again = await docket.add(note, { key: "note", delay })("new");

      equal(again.disposition, "scheduled");
      await stage.finish(docket);
    }
    deepEqual(seen, ["new", "new"]);
  });

  test("tells those who wait for the results", async (stage) => {
    const docket = await stage.connect();
    const operator = await stage.connect();
    const executions = [
      await docket.add("nobody", { delay: "1h" })(),
      await docket.add("nobody")(),
    ];
    const waiting = executions.map((execution) =>
      rejects(execution.result(), { code: "EXECUTION_CANCELLED", reason: "cleared" })
    );

    await operator.clear();

    await stage.soon(Promise.all(waiting));
  });

  // 11: what runs survives its worker's death
  test("keeps what runs, also when its worker dies afterwards", async (stage) => {
    const freezer = new Freezer();
    stage.afterwards(() => freezer.thaw());
    const mortal = await stage.connect({ storage: freezer.around(await stage.open()) });
    const other = await stage.connect();
    const holding = new Holding(stage);
    const execution = await mortal.add(holding.hold, { key: "key" })("survives");
    stage.start(mortal, { redeliveryTimeout: 200 });
    await stage.eventually(() => holding.seen.length === 1);

    equal(await other.clear(), 0);
    freezer.freeze();
    other.register(holding.hold);
    stage.start(other, { name: "other", redeliveryTimeout: 200 });
    const watching = await other.execution<typeof holding.hold>("key");

    equal(await stage.soon(watching!.result()), "survives");
    equal(watching!.worker, "other");
    deepEqual(holding.seen, ["survives", "survives"]);
    equal(execution.key, watching!.key);
  });

  test("keeps what was asked to stop until it has", async (stage) => {
    const docket = await stage.connect();
    const release = Promise.withResolvers<void>();
    stage.afterwards(() => release.resolve());
    let runs = 0;
    const wait = task("wait", async ({ signal }): Promise<void> => {
      runs++;
      await aborted(signal);
      await release.promise;
      signal.throwIfAborted();
    });
    const execution = await docket.add(wait, { key: "wait" })();
    stage.start(docket);
    await stage.eventually(() => runs === 1);
    await docket.cancel("wait");

    equal(await docket.clear(), 0);
    release.resolve();

    await stage.soon(rejects(execution.result(), { reason: "cancelled" }));
  });

  // 11
  test("keeps strikes, what failed and what is dead", async (stage) => {
    const docket = await stage.connect();
    const storage = await stage.open();
    const fail = task("fail", (): void => {
      throw new Error("whoops");
    });
    await docket.add(fail, { key: "failed" })();
    const bad = { key: "dead", generation: randomId(), mode: "add", due: undefined } as const;
    await storage.schedule([{ ...bad, body: "{" }]);
    await stage.finish(docket);
    await docket.strike({ task: "struck" });
    await docket.add(fail, { delay: "1h" })();

    equal(await docket.clear(), 1);

    deepEqual(await docket.strikes(), [{ task: "struck" }]);
    deepEqual((await docket.failed()).map(({ key }) => key), ["failed"]);
    deepEqual((await docket.dead()).map(({ key }) => key), ["dead"]);
    equal((await docket.snapshot()).counts.dead, 1);
    equal((await docket.execution("failed"))?.state, "failed");
  });

  test("ends the retries that wait", async (stage) => {
    const docket = await stage.connect();
    let runs = 0;
    const flaky = task("flaky", { retry: new Retry({ attempts: 9, delay: "1h" }) }, (): void => {
      runs++;
      throw new Error("whoops");
    });
    const execution = await docket.add(flaky)();
    stage.start(docket);
    await stage.eventually(async () => (await execution.refresh()).attempt === 2);

    equal(await docket.clear(), 1);

    await assertCleared([execution]);
    equal(runs, 1);
  });

  test("ends the chain of a perpetual task that waits, and not of one that runs", async (stage) => {
    const docket = await stage.connect();
    const release = Promise.withResolvers<void>();
    stage.afterwards(() => release.resolve());
    const runs = new Map<string, number>();
    const tick = task(
      "tick",
      { perpetual: new Perpetual({ every: "1h" }) },
      async ({ key }): Promise<void> => {
        runs.set(key, (runs.get(key) ?? 0) + 1);
        if (key === "runs") await release.promise;
      },
    );
    await docket.add(tick, { key: "waits" })();
    await docket.add(tick, { key: "runs" })();
    stage.start(docket);
    await stage.eventually(async () =>
      runs.has("runs") && (await docket.snapshot()).counts.scheduled === 1
    );

    equal(await docket.clear(), 1);
    release.resolve();

    await stage.eventually(async () => (await docket.execution("runs"))?.state === "scheduled");
    equal((await docket.execution("waits"))?.reason, "cleared");
    deepEqual([...runs.values()], [1, 1]);
  });

  test("ends what is held because nobody knows it", async (stage) => {
    const docket = await stage.connect();
    const execution = await docket.add("nobody")();
    stage.start(docket);
    await stage.eventually(async () => (await execution.refresh()).state === "scheduled");

    equal(await docket.clear(), 1);

    await assertCleared([execution]);
  });

  test("clears its own docket only", async (stage) => {
    const docket = await stage.connect();
    const other = await stage.connect({ name: `${stage.name}.b` });
    await docket.add("nobody", { delay: "1h" })();
    await other.add("nobody", { delay: "1h" })();

    equal(await docket.clear(), 1);

    equal((await other.snapshot()).counts.scheduled, 1);
  });

  // 11: counts right, leaks nothing, however much there is
  test("clears thousands, wherever they wait", async (stage) => {
    const docket = await stage.connect();
    const storage = await stage.open();
    const calls = Array.from({ length: 2_500 }, (_, n) => {
      const options = n % 2 === 0 ? {} : { delay: 3_600_000 + n };
      return docket.call("nobody", options)(n);
    });
    const executions = await docket.addAll(calls);

    equal(await docket.clear(), 2_500);

    equal(await storage.count(), 0);
    deepEqual((await docket.snapshot()).counts, NOTHING);
    deepEqual(await storage.promote(10), { promoted: 0, next: undefined });
    await assertCleared([executions[0], executions[1], executions.at(-1)!]);
  });

  // 11: what is added meanwhile is cleared or runs, and nothing in between
  test("leaves whole what is added at the same time", async (stage) => {
    const docket = await stage.connect();
    const producer = await stage.connect();
    let runs = 0;
    const count = task("count", (): number => ++runs);
    docket.register(count);
    stage.start(docket);
    const adding: Promise<Execution<number>>[] = [];
    const clearing: Promise<number>[] = [];

    for (let n = 0; n < 200; n++) {
      const delay = n % 2 === 0 ? 0 : 5;
      adding.push(producer.add(count, { key: `k${n % 50}`, delay })());
      if (n % 20 === 10) clearing.push(docket.clear());
      if (n % 40 === 0) await stage.advance(1);
    }

    const handles = await Promise.all(adding);
    const executions = handles.filter(({ disposition }) => disposition === "scheduled");
    const ends = await stage.soon(
      Promise.all(
        executions.map((execution) =>
          execution.result().then(() => "completed", (error) => error.reason ?? error.code)
        ),
      ),
    );
    const cleared = (await Promise.all(clearing)).reduce((sum, count) => sum + count, 0);
    // Whose key was used again since has no record left
    const known = new Set(["completed", "cleared", "EXECUTION_EXPIRED"]);
    deepEqual(ends.filter((end) => !known.has(end as string)), []);
    equal(runs + cleared, executions.length);
    equal(await (await stage.open()).count(), 0);
  });

  test("gives up when its signal says so", async (stage) => {
    const docket = await stage.connect();
    await docket.add("nobody", { delay: "1h" })();
    const reason = new Error("no time");

    await rejects(docket.clear({ signal: AbortSignal.abort(reason) }), reason);

    equal((await docket.snapshot()).counts.scheduled, 1);
  });
});

onEveryStorage("An automatic task", (test) => {
  test("comes back after clear()", async (stage) => {
    const docket = await stage.connect({ heartbeatInterval: 20 });
    let runs = 0;
    const perpetual = new Perpetual({ every: "1h", automatic: true });
    const tick = task("tick", { perpetual }, (): void => {
      runs++;
    });
    docket.register(tick);
    stage.start(docket);
    await stage.eventually(async () => (await docket.execution("tick"))?.state === "scheduled");

    equal(await docket.clear(), 1);

    await stage.eventually(() => runs === 2);
    await docket.cancel("tick"); // for good
  });
});

onMemory("Docket.clear()", (test) => {
  test("keeps its records as long as those of what was cancelled", async (stage) => {
    const docket = await stage.connect({ executionTtl: { cancelled: "1m" } });
    const storage = await stage.open();
    const execution = await docket.add("nobody", { key: "key", delay: "1h", ttl: "1d" })();
    await docket.clear();

    await stage.advance(59_000);
    equal((await execution.refresh()).reason, "cleared");
    await stage.advance(2_000);

    await rejects(execution.refresh(), { code: "EXECUTION_EXPIRED" });
    deepEqual(await storage.load(["key"]), [
      { live: undefined, deferred: undefined, ended: undefined, dead: undefined },
    ]);
  });
});

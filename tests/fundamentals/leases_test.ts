/**
 * Leases: a live task is nobody else's, a dead worker's task is taken over, and what a stale attempt writes is nothing.
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
import {
  ConnectionError,
  Depends,
  type Docket,
  LeaseLostError,
  Perpetual,
  Retry,
  task,
} from "../../mod.ts";
import { aborted, altered, Freezer, onEveryStorage, onMemory, type Stage } from "../_harness.ts";

/** Short, since a real storage really waits for it. */
const LEASE = 200;

/** Where nobody may lose it: long enough that a very busy machine renews in time. */
const KEPT = 1_000;

/** A process that can be frozen, as one that crashed or stalled is for all others. */
async function mortal(stage: Stage): Promise<{ docket: Docket; freezer: Freezer }> {
  const freezer = new Freezer();
  stage.afterwards(() => freezer.thaw());
  const docket = await stage.connect({ storage: freezer.around(await stage.open()) });
  return { docket, freezer };
}

onEveryStorage("A lease", (test) => {
  // 30: a live long task is never redelivered
  test("is kept while its task runs, over several times its length", async (stage) => {
    const docket = await stage.connect();
    let runs = 0;
    const long = task("long", async ({ signal }): Promise<boolean> => {
      runs++;
      await stage.sleep(2 * KEPT);
      return signal.aborted;
    });
    const execution = await docket.add(long)();

    for (let n = 0; n < 3; n++) stage.start(docket, { redeliveryTimeout: KEPT });

    equal(await stage.soon(execution.result()), false);
    equal(runs, 1);
    equal(execution.attempt, 1);
  });

  // 30: what finished is not done again by another because it could not be settled at once
  test("is kept until the end of its task is settled, over several times its length", async (stage) => {
    const storage = await stage.open();
    const slow = altered(storage, {
      async step(step, options) {
        if (step.commits.length > 0) await stage.sleep(2 * KEPT);
        return await storage.step(step, options);
      },
      // Its own look for abandoned tasks would keep it too, if it came before the other's.
      reclaim: () => Promise.resolve({ claims: [], cursor: "", strikes: "" }),
    });
    const docket = await stage.connect({ storage: slow });
    let runs = 0;
    const count = task("count", (): number => ++runs);
    const execution = await docket.add(count)();

    stage.start(docket, { redeliveryTimeout: KEPT });
    await stage.eventually(() => runs === 1);
    stage.start(await stage.connect({ tasks: count }), { redeliveryTimeout: KEPT });

    equal(await stage.soon(execution.result()), 1);
    equal(runs, 1);
  });

  // 31: renewal survives errors
  test("is kept although every second renewal fails", async (stage) => {
    let renewals = 0;
    const storage = await stage.open();
    const shaky = altered(storage, {
      renew: (...args) =>
        ++renewals % 2 === 1
          ? Promise.reject(new ConnectionError("Cannot reach it"))
          : storage.renew(...args),
    });
    const docket = await stage.connect({ storage: shaky });
    let runs = 0;
    const long = task("long", async ({ signal }): Promise<boolean> => {
      runs++;
      await stage.sleep(2 * KEPT);
      return signal.aborted;
    });
    const execution = await docket.add(long)();
    stage.start(docket, { redeliveryTimeout: KEPT });
    stage.start(await stage.connect({ tasks: long }), { redeliveryTimeout: KEPT });

    equal(await stage.soon(execution.result()), false);

    equal(runs, 1);
    ok(renewals >= 4);
  });

  // 33, 40: redelivered after the lease; deliveries are counted apart from attempts
  test("that nobody renews is taken over by another worker", async (stage) => {
    const { docket, freezer } = await mortal(stage);
    const other = await stage.connect();
    const seen: [worker: string, attempt: number, deliveries: number, redelivered: boolean][] = [];
    const fences: (string | undefined)[] = [];
    const starts: number[] = [];
    const release = Promise.withResolvers<void>();
    stage.afterwards(() => release.resolve());
    const work = task(
      "work",
      { retry: new Retry({ attempts: 1 }) },
      async ({ worker, execution }): Promise<string> => {
        const { attempt, deliveries, redelivered, fence } = execution;
        starts.push(stage.clock.monotonic());
        seen.push([worker.name, attempt, deliveries, redelivered]);
        fences.push(fence);
        if (seen.length === 1) await release.promise;
        return `by ${worker.name}`;
      },
    );
    other.register(work);
    const execution = await docket.add(work)();
    stage.start(docket, { name: "mortal", redeliveryTimeout: LEASE });
    await stage.eventually(() => seen.length === 1);

    freezer.freeze();
    const frozenAt = stage.clock.monotonic();
    stage.start(other, { name: "other", redeliveryTimeout: LEASE });
    const watching = await other.execution<typeof work>(execution.key);

    equal(await stage.soon(watching!.result()), "by other");
    deepEqual(seen, [["mortal", 1, 1, false], ["other", 1, 2, true]]);
    notEqual(fences[0], fences[1]);
    // Its last renewal was at most a quarter of a lease before it froze.
    ok(starts[1] - frozenAt >= 0.5 * LEASE, `after ${starts[1] - frozenAt} ms`);
  });

  // 33: what was abandoned is older than what is new
  test("that nobody renews is taken over by a worker that always has something new to do", async (stage) => {
    const { docket, freezer } = await mortal(stage);
    const other = await stage.connect();
    let started = false;
    const work = task("work", async ({ worker, signal }): Promise<string> => {
      started = true;
      if (worker.name === "mortal") await aborted(signal);
      return `by ${worker.name}`;
    });
    const busy = task("busy", { perpetual: new Perpetual() }, () => stage.sleep(10));
    other.register([work, busy]);
    const execution = await docket.add(work)();
    stage.start(docket, { name: "mortal", redeliveryTimeout: LEASE });
    await stage.eventually(() => started);
    freezer.freeze();

    for (const key of ["busy", "busier"]) await other.add(busy, { key })();
    stage.start(other, { name: "other", concurrency: 1, redeliveryTimeout: LEASE });

    const watching = await other.execution<typeof work>(execution.key);
    equal(await stage.soon(watching!.result()), "by other");
  });

  // 19, 32: the stale attempt hears of it, and cannot write a result
  test("that was lost aborts the signal, and fences the late result", async (stage) => {
    const { docket, freezer } = await mortal(stage);
    const other = await stage.connect();
    const release = Promise.withResolvers<void>();
    const late = Promise.withResolvers<unknown>();
    let runs = 0;
    const work = task("work", async ({ signal }): Promise<string> => {
      if (++runs > 1) return "from the second";
      await aborted(signal);
      await release.promise;
      late.resolve(signal.reason);
      return "from the first, too late";
    });
    other.register(work);
    const execution = await docket.add(work, { key: "work" })();
    stage.start(docket, { redeliveryTimeout: LEASE });
    await stage.eventually(() => runs === 1);

    freezer.freeze();
    stage.start(other, { redeliveryTimeout: LEASE });
    const handle = await other.execution<typeof work>("work");
    equal(await stage.soon(handle!.result()), "from the second");
    freezer.thaw();
    release.resolve();

    ok(await stage.soon(late.promise) instanceof LeaseLostError);
    await stage.advance(60); // the time in which it tries to settle
    equal(await execution.result(), "from the second");
    equal(runs, 2);
  });

  // 19: also while another attempt is still at it
  test("that was lost keeps the late result from ending what runs elsewhere", async (stage) => {
    for (const ending of ["returns", "throws", "retries"]) {
      const { docket, freezer } = await mortal(stage);
      const other = await stage.connect();
      const late = Promise.withResolvers<void>();
      const release = Promise.withResolvers<void>();
      stage.afterwards(() => release.resolve());
      const workers: string[] = [];
      const work = task(
        `work that ${ending}`,
        { retry: new Retry({ attempts: 9 }) },
        async ({ worker, retry }): Promise<string> => {
          workers.push(worker.name);
          if (worker.name === "fresh") {
            await release.promise;
            return "from the second";
          }
          await late.promise;
          if (ending === "throws") throw new Error("too late");
          if (ending === "retries") throw retry.after(0);
          return "too late";
        },
      );
      other.register(work);
      await docket.add(work, { key: ending })();
      const stale = stage.start(docket, { name: "stale", redeliveryTimeout: LEASE });
      await stage.eventually(() => workers.length === 1);
      freezer.freeze();
      const fresh = stage.start(other, { name: "fresh", redeliveryTimeout: LEASE });
      await stage.eventually(() => workers.length === 2);
      const execution = await other.execution<typeof work>(ending);

      freezer.thaw();
      late.resolve();
      await stage.soon(stale.close()); // it has settled all there was to settle
      await execution!.refresh();
      const { state, worker, attempt } = execution!;
      release.resolve();

      deepEqual([state, worker, attempt], ["running", "fresh", 1]);
      equal(await stage.soon(execution!.result()), "from the second");
      deepEqual(workers, ["stale", "fresh"]);
      await fresh.close();
    }
  });

  // 19, 23: nor a failure, a retry or a release, nor anything of a later task of the key
  test("that was lost lets the stale attempt change nothing of a later task", async (stage) => {
    for (const ending of ["throws", "retries", "returns"]) {
      const { docket, freezer } = await mortal(stage);
      const other = await stage.connect();
      const release = Promise.withResolvers<void>();
      const ended = Promise.withResolvers<void>();
      let runs = 0;
      const work = task(
        `work that ${ending}`,
        { retry: new Retry({ attempts: 9 }) },
        async ({ retry }): Promise<string> => {
          if (++runs > 1) return "from the second";
          await release.promise;
          ended.resolve();
          if (ending === "throws") throw new Error("too late");
          if (ending === "retries") throw retry.after(0);
          return "too late";
        },
      );
      other.register(work);
      await docket.add(work, { key: ending })();
      const stale = stage.start(docket, { redeliveryTimeout: LEASE });
      await stage.eventually(() => runs === 1);
      freezer.freeze();
      const fresh = stage.start(other, { redeliveryTimeout: LEASE });
      const handle = await other.execution<typeof work>(ending);
      equal(await stage.soon(handle!.result()), "from the second");
      const later = await other.add(work, { key: ending, delay: "1h" })();
      const before = await (await stage.open()).load([ending]);

      freezer.thaw();
      release.resolve();
      await stage.soon(ended.promise);
      await stage.soon(stale.close()); // it has settled all there was to settle

      deepEqual(await (await stage.open()).load([ending]), before);
      equal((await later.refresh()).state, "scheduled");
      equal(runs, 2);
      await fresh.close();
    }
  });

  // 32: without a successful renewal for 0.8 of the lease it aborts locally
  test("that cannot be renewed aborts the signal before it is over", async (stage) => {
    const storage = await stage.open();
    const cut = altered(storage, {
      renew: () => Promise.reject(new ConnectionError("Cannot reach it")),
      reclaim: () => Promise.reject(new ConnectionError("Cannot reach it")),
    });
    const docket = await stage.connect({ storage: cut });
    let reason: unknown;
    const wait = task("wait", async ({ signal, attempt }): Promise<number> => {
      if (reason) return attempt;
      await aborted(signal);
      reason = signal.reason;
      throw signal.reason;
    });
    const execution = await docket.add(wait)();
    stage.start(docket, { redeliveryTimeout: LEASE });

    // Given back, and nothing charged: it was still its own (19, 36).
    equal(await stage.soon(execution.result()), 1);
    ok(reason instanceof LeaseLostError);
  });

  // 34: a worker never runs one task twice in one process, also after a stall
  test("that ran out during a stall is the same worker's again", async (stage) => {
    const { docket, freezer } = await mortal(stage);
    const release = Promise.withResolvers<void>();
    let runs = 0;
    async function work(): Promise<string> {
      runs++;
      await release.promise;
      return "done";
    }
    const execution = await docket.add(work)();
    stage.start(docket, { redeliveryTimeout: LEASE });
    await stage.eventually(() => runs === 1);

    freezer.freeze();
    await stage.advance(2 * LEASE);
    freezer.thaw();
    await stage.advance(LEASE);
    release.resolve();

    equal(await stage.soon(execution.result()), "done");
    equal(runs, 1);
    equal(execution.attempt, 1);
  });

  // 33: also behind many long live leases, also by a worker with one free slot
  test("of a dead worker is found behind live ones by a worker with one free slot", async (stage) => {
    const { docket, freezer } = await mortal(stage);
    const other = await stage.connect();
    const release = Promise.withResolvers<void>();
    stage.afterwards(() => release.resolve());
    let held = 0;
    const hold = task("hold", async (): Promise<void> => {
      held++;
      await release.promise;
    });
    const workers: string[] = [];
    const short = task("short", async ({ worker }): Promise<void> => {
      workers.push(worker.name);
      if (workers.length === 1) await release.promise;
    });
    other.register([hold, short]);
    for (let n = 0; n < 20; n++) await other.add(hold)();
    stage.start(other, { name: "busy", concurrency: 21, redeliveryTimeout: KEPT });
    await stage.eventually(() => held === 20);
    await other.add(function fill() {
      return release.promise; // its last place
    })();
    const execution = await docket.add(short)();
    stage.start(docket, { name: "mortal", concurrency: 1, redeliveryTimeout: KEPT });
    await stage.eventually(() => workers.length === 1);

    freezer.freeze();
    await stage.advance(KEPT);
    stage.start(other, { name: "one slot", concurrency: 1, redeliveryTimeout: KEPT });

    await stage.soon((await other.execution(execution.key))!.result());
    deepEqual(workers, ["mortal", "one slot"]);
  });

  // 40: past maxDeliveries it is dead, visible; other tasks are unaffected
  test("lost too often parks the task as dead", async (stage) => {
    const observer = await stage.connect();
    const release = Promise.withResolvers<void>();
    stage.afterwards(() => release.resolve());
    let deaths = 0;
    const poison = task("poison", async ({ execution }): Promise<void> => {
      deaths++;
      equal(execution.deliveries, deaths);
      equal(execution.attempt, 1);
      await release.promise;
    });
    const execution = await observer.add(poison, { key: "poison" })();
    for (let n = 1; n <= 3; n++) {
      const { docket, freezer } = await mortal(stage);
      docket.register(poison);
      stage.start(docket, { name: `victim-${n}`, redeliveryTimeout: LEASE, maxDeliveries: 3 });
      await stage.eventually(() => deaths === n);
      freezer.freeze();
    }
    function good(): string {
      return "alive";
    }

    stage.start(observer, { redeliveryTimeout: LEASE, maxDeliveries: 3 });

    await stage.soon(rejects(execution.result(), { code: "EXECUTION_FAILED" }));
    equal(execution.state, "dead");
    ok((execution.error as Error).message.includes("too often"));
    equal(execution.worker, "victim-3");
    equal(deaths, 3);
    equal((await observer.execution("poison"))?.state, "dead");
    equal(await stage.soon((await observer.add(good)()).result()), "alive");
    // Its key is free, and it is still there to be looked at
    equal((await observer.add(good, { key: "poison" })()).disposition, "scheduled");
    equal((await execution.refresh()).state, "dead");
  });

  // 28: a cancelled running task is not run again after a crash
  test("of a cancelled task is not taken over", async (stage) => {
    const { docket, freezer } = await mortal(stage);
    const other = await stage.connect();
    const release = Promise.withResolvers<void>();
    stage.afterwards(() => release.resolve());
    let runs = 0;
    const work = task("work", async (): Promise<void> => {
      runs++;
      await release.promise;
    });
    other.register(work);
    await docket.add(work, { key: "work" })();
    stage.start(docket, { redeliveryTimeout: LEASE });
    await stage.eventually(() => runs === 1);
    freezer.freeze();

    const answer = await other.cancel("work");
    stage.start(other, { redeliveryTimeout: LEASE });
    const execution = await other.execution("work");

    equal(answer, "requested");
    await stage.soon(rejects(execution!.result(), { reason: "cancelled" }));
    equal(runs, 1);
  });

  // 14: a replacement waits for the run that is taken over, too: old, then new
  test("taken over keeps the replacement waiting", async (stage) => {
    const { docket, freezer } = await mortal(stage);
    const other = await stage.connect();
    const release = Promise.withResolvers<void>();
    stage.afterwards(() => release.resolve());
    const seen: string[] = [];
    const work = task("work", async (_context, text: string): Promise<void> => {
      seen.push(text);
      if (seen.length === 1) await release.promise;
    });
    other.register(work);
    await docket.add(work, { key: "work" })("old");
    stage.start(docket, { redeliveryTimeout: LEASE });
    await stage.eventually(() => seen.length === 1);
    freezer.freeze();

    const replacement = await other.replace(work, { key: "work" })("new");
    stage.start(other, { redeliveryTimeout: LEASE });
    await stage.soon(replacement.result());

    equal(replacement.disposition, "deferred");
    deepEqual(seen, ["old", "old", "new"]);
  });

  // 30, 31: many leases at once
  test("is kept for each of many tasks", async (stage) => {
    const docket = await stage.connect();
    const runs = new Map<string, number>();
    const long = task("long", async ({ key, signal }): Promise<boolean> => {
      runs.set(key, (runs.get(key) ?? 0) + 1);
      await stage.sleep(2 * KEPT);
      return signal.aborted;
    });
    const executions = await Promise.all(Array.from({ length: 100 }, () => docket.add(long)()));

    stage.start(docket, { redeliveryTimeout: KEPT, concurrency: 60 });
    stage.start(docket, { redeliveryTimeout: KEPT, concurrency: 60 });

    const results = await stage.soon(Promise.all(executions.map((each) => each.result())));
    deepEqual(new Set(results), new Set([false]));
    deepEqual(new Set(runs.values()), new Set([1]));
  });

  // 53, 35: what closes after the lease was lost closes all the same
  test("that was lost lets what the task uses close", async (stage) => {
    const { docket, freezer } = await mortal(stage);
    const other = await stage.connect();
    const happened: string[] = [];
    const resource = new Depends(async function* ({ worker }) {
      try {
        yield worker.name;
      } finally {
        happened.push(`closed by ${worker.name}`);
      }
    });
    const work = task("work", { resource }, async ({ worker, signal }): Promise<string> => {
      if (worker.name === "mortal") {
        happened.push("started");
        await aborted(signal);
        signal.throwIfAborted();
      }
      return worker.name;
    });
    other.register(work);
    const { key } = await docket.add(work)();
    stage.start(docket, { name: "mortal", redeliveryTimeout: LEASE });
    await stage.eventually(() => happened.length === 1);

    freezer.freeze();
    stage.start(other, { name: "other", redeliveryTimeout: LEASE });

    const handle = await other.execution<typeof work>(key);
    equal(await stage.soon(handle!.result()), "other");
    await stage.eventually(() => happened.length === 3);
    deepEqual(happened.sort(), ["closed by mortal", "closed by other", "started"]);
  });
});

onMemory("A lease", (test) => {
  // 30: renewed at a quarter of it, or faster
  test("is renewed four times as often as it runs out", async (stage) => {
    const storage = await stage.open();
    const renewals: number[] = [];
    const begin = stage.clock.now();
    const counted = altered(storage, {
      renew(...args) {
        renewals.push(stage.clock.now() - begin);
        return storage.renew(...args);
      },
    });
    const docket = await stage.connect({ storage: counted });
    await docket.add(function long() {
      return stage.sleep(60_000);
    })();
    stage.start(docket, { redeliveryTimeout: "20s" });

    await stage.advance(60_000);

    deepEqual(renewals, Array.from({ length: 11 }, (_, n) => (n + 1) * 5_000));
  });

  // 32: who is told does not wait until it would have to doubt
  test("that somebody else has is given up at the next renewal", async (stage) => {
    const storage = await stage.open();
    const robbed = altered(storage, {
      renew: (_consumer, leases) => Promise.resolve(leases.map(() => "lost")),
    });
    const docket = await stage.connect({ storage: robbed });
    const begin = stage.clock.now();
    const lost: [number, unknown][] = [];
    const wait = task("wait", async ({ signal }): Promise<void> => {
      await aborted(signal);
      lost.push([stage.clock.now() - begin, signal.reason.code]);
    });
    await docket.add(wait)();
    stage.start(docket, { redeliveryTimeout: "20s" });

    await stage.advance(6_000);

    deepEqual(lost, [[5_000, "LEASE_LOST"]]);
  });

  // 32: at 0.8 of the lease, no sooner and hardly later
  test("that cannot be renewed is given up in time", async (stage) => {
    const storage = await stage.open();
    const cut = altered(storage, {
      renew: () => Promise.reject(new ConnectionError("Cannot reach it")),
      reclaim: () => Promise.reject(new ConnectionError("Cannot reach it")),
    });
    const docket = await stage.connect({ storage: cut });
    const begin = stage.clock.now();
    let lostAt = 0;
    const wait = task("wait", async ({ signal }): Promise<void> => {
      await aborted(signal);
      lostAt ||= stage.clock.now() - begin;
    });
    await docket.add(wait)();
    stage.start(docket, { redeliveryTimeout: "20s" });

    await stage.advance(21_000);

    ok(lostAt >= 16_000 && lostAt < 20_000, `after ${lostAt} ms`);
  });
});

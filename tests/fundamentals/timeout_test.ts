/**
 * Timeouts: what runs too long is asked to stop, and fails even if it never does.
 *
 * @module
 */

import {
  deepStrictEqual as deepEqual,
  ok,
  rejects,
  strictEqual as equal,
} from "node:assert/strict";
import { Depends, Retry, task, Timeout, TimeoutError } from "../../mod.ts";
import { aborted, onEveryStorage, onMemory } from "../_harness.ts";

onEveryStorage("Timeout", (test) => {
  // 46: a timeout is a failure
  test("aborts the signal and fails the task", async (stage) => {
    const docket = await stage.connect();
    let reason: unknown;
    const wait = task("wait", { timeout: new Timeout(30) }, async ({ signal }): Promise<void> => {
      await aborted(signal);
      reason = signal.reason;
      signal.throwIfAborted();
    });
    const execution = await docket.add(wait)();

    await stage.finish(docket);

    await rejects(execution.result(), { code: "EXECUTION_FAILED" });
    ok(reason instanceof TimeoutError);
    equal((execution.error as Error).name, "TimeoutError");
    ok(execution.completedAt!.getTime() - execution.startedAt!.getTime() >= 30);
  });

  test("leaves a task alone that is done in time", async (stage) => {
    const docket = await stage.connect();
    let seen: AbortSignal | undefined;
    const quick = task("quick", { timeout: new Timeout(50) }, ({ signal, timeout }): boolean => {
      seen = signal;
      return timeout.remaining() > 0;
    });
    const execution = await docket.add(quick)();

    await stage.finish(docket);
    await stage.advance(60);

    equal(await execution.result(), true);
    equal(seen?.aborted, false);
  });

  // F08, 46: a handler that never settles still frees its slot
  test("fails a task that never settles, and frees its slot", async (stage) => {
    const docket = await stage.connect();
    const hang = task("hang", { timeout: new Timeout(20) }, () => new Promise<void>(() => {}));
    function next(): string {
      return "free";
    }
    const execution = await docket.add(hang)();
    const after = await docket.add(next)();

    await stage.finish(docket, { concurrency: 1 });

    await rejects(execution.result(), { code: "EXECUTION_FAILED" });
    equal((execution.error as Error).name, "TimeoutError");
    equal(await after.result(), "free");
  });

  // 46: its late return changes nothing
  test("is not undone by a late return", async (stage) => {
    const docket = await stage.connect();
    const release = Promise.withResolvers<void>();
    const returned = Promise.withResolvers<void>();
    const slow = task("slow", { timeout: new Timeout(20) }, async (): Promise<string> => {
      await release.promise;
      returned.resolve();
      return "too late";
    });
    const execution = await docket.add(slow, { key: "slow" })();
    stage.start(docket);
    await stage.soon(rejects(execution.result(), { code: "EXECUTION_FAILED" }));
    const again = await docket.add(slow, { key: "slow", delay: "1h" })();

    release.resolve();
    await returned.promise;
    await stage.advance(10);

    equal((await again.refresh()).state, "scheduled");
    equal((await execution.refresh()).state, "failed");
  });

  // 46: also when it returns a value on being aborted: the time is over
  test("fails a task that returns after its time", async (stage) => {
    const docket = await stage.connect();
    const slow = task("slow", { timeout: new Timeout(20) }, async ({ signal }): Promise<string> => {
      await aborted(signal);
      return "too late";
    });
    const execution = await docket.add(slow)();

    await stage.finish(docket);

    await rejects(execution.result(), { code: "EXECUTION_FAILED" });
  });

  // 46: it composes with retry: each attempt has the whole time
  test("gives each attempt the whole time", async (stage) => {
    const docket = await stage.connect();
    const left: number[] = [];
    const wait = task(
      "wait",
      { retry: new Retry({ attempts: 3 }), timeout: new Timeout(40) },
      async ({ signal, timeout, attempt }): Promise<number> => {
        left.push(timeout.remaining());
        if (attempt < 3) await aborted(signal);
        signal.throwIfAborted();
        return attempt;
      },
    );
    const execution = await docket.add(wait)();

    await stage.finish(docket);

    equal(await execution.result(), 3);
    equal(left.length, 3);
    ok(left.every((ms) => ms > 0 && ms <= 40), `${left}`);
  });

  // 46: retries are asked with the TimeoutError
  test("lets retryIf see its TimeoutError", async (stage) => {
    const docket = await stage.connect();
    const asked: unknown[] = [];
    const wait = task(
      "wait",
      {
        retry: new Retry({ attempts: 9, retryIf: (error) => asked.push(error) < 2 }),
        timeout: new Timeout(20),
      },
      async ({ signal }): Promise<void> => {
        await aborted(signal);
        throw new Error("cleaned up");
      },
    );

    await docket.add(wait)();
    await stage.finish(docket);

    equal(asked.length, 2);
    ok(asked.every((error) => error instanceof TimeoutError));
  });

  // 46: extend()
  test("starts anew when it is extended", async (stage) => {
    const docket = await stage.connect();
    const steps = task(
      "steps",
      { timeout: new Timeout(500) },
      async ({ timeout, signal }): Promise<number> => {
        const start = stage.clock.monotonic();
        for (let n = 0; n < 6; n++) {
          await stage.sleep(100, signal);
          signal.throwIfAborted();
          timeout.extend();
          ok(timeout.remaining() > 0);
        }
        return stage.clock.monotonic() - start;
      },
    );
    const execution = await docket.add(steps)();

    await stage.finish(docket);

    ok(await execution.result() > 500);
  });

  test("adds to what is left when it is extended by something", async (stage) => {
    const docket = await stage.connect();
    const extend = task("extend", { timeout: new Timeout(20) }, async ({ timeout, signal }) => {
      timeout.extend("1h");
      const remaining = timeout.remaining();
      await stage.sleep(50, signal);
      signal.throwIfAborted();
      return remaining;
    });
    const execution = await docket.add(extend)();

    await stage.finish(docket);

    const remaining = await execution.result();
    ok(remaining > 3_600_000 && remaining <= 3_600_020, `${remaining}`);
  });

  // 54: a cancel that comes first is a cancel, also when the time is over before the body ends
  test("is told apart from a cancel that came before it", async (stage) => {
    const docket = await stage.connect();
    const started = Promise.withResolvers<void>();
    const policies = { timeout: new Timeout(2_000) }; // time enough for a cancel, also on a slow machine
    const wait = task("wait", policies, async ({ timeout, signal }): Promise<void> => {
      started.resolve();
      await aborted(signal);
      await stage.sleep(timeout.remaining() + 50);
      signal.throwIfAborted();
    });
    const execution = await docket.add(wait, { key: "wait" })();
    stage.start(docket);
    await stage.soon(started.promise);

    await docket.cancel("wait");

    await stage.soon(
      rejects(execution.result(), { code: "EXECUTION_CANCELLED", reason: "cancelled" }),
    );
  });

  // 54: and a cancel that comes when the time is over is too late
  test("is told apart from a cancel that came after it", async (stage) => {
    const docket = await stage.connect();
    const release = Promise.withResolvers<void>();
    const over = Promise.withResolvers<void>();
    const reasons: unknown[] = [];
    const wait = task("wait", { timeout: new Timeout(20) }, async ({ signal }): Promise<void> => {
      await aborted(signal);
      over.resolve();
      await release.promise;
      reasons.push(signal.reason);
      signal.throwIfAborted();
    });
    const execution = await docket.add(wait, { key: "wait" })();
    stage.start(docket);
    await stage.soon(over.promise);

    equal(await docket.cancel("wait"), "requested");
    release.resolve();

    await stage.soon(rejects(execution.result(), { code: "EXECUTION_FAILED" }));
    ok(reasons[0] instanceof TimeoutError);
  });

  // 46: what was opened is closed with the error, before the task is settled
  test("closes what the task uses", async (stage) => {
    const docket = await stage.connect();
    const happened: unknown[] = [];
    const resource = new Depends(async function* () {
      try {
        yield "open";
      } catch (error) {
        happened.push((error as Error).name);
        throw error;
      } finally {
        happened.push("closed");
      }
    });
    const hang = task(
      "hang",
      { resource, timeout: new Timeout(20) },
      () => new Promise<void>(() => {}),
    );
    const execution = await docket.add(hang)();

    await stage.finish(docket);

    await rejects(execution.result(), { code: "EXECUTION_FAILED" });
    deepEqual(happened, ["TimeoutError", "closed"]);
  });

  // 46, 63: a policy governs how the rest is opened, too
  test("fails a task whose dependency never opens", async (stage) => {
    const docket = await stage.connect();
    let runs = 0;
    const stuck = new Depends(() => new Promise<string>(() => {}));
    const wait = task("wait", { stuck, timeout: new Timeout(20) }, (): void => void runs++);
    const execution = await docket.add(wait)();

    await stage.finish(docket);

    await rejects(execution.result(), { code: "EXECUTION_FAILED" });
    equal((execution.error as Error).name, "TimeoutError");
    equal(runs, 0);
  });

  // 46, 36: nor does one that never closes hold the slot
  test("fails a task whose dependency never closes", async (stage) => {
    const docket = await stage.connect();
    const stuck = new Depends(() => ({ [Symbol.asyncDispose]: () => new Promise<void>(() => {}) }));
    const use = task("use", { stuck, timeout: new Timeout(20) }, (): string => "done");
    function next(): string {
      return "free";
    }
    const execution = await docket.add(use)();
    const after = await docket.add(next)();

    await stage.finish(docket, { concurrency: 1 });

    await rejects(execution.result(), { code: "EXECUTION_FAILED" });
    equal((execution.error as Error).name, "TimeoutError");
    equal(await after.result(), "free");
  });

  // 63: nothing leaks: a resource that opens when nobody wants it any more is closed at once
  test("closes a dependency that opens too late", async (stage) => {
    const docket = await stage.connect();
    const open = Promise.withResolvers<void>();
    const happened: string[] = [];
    const slow = new Depends(async () => {
      await open.promise;
      happened.push("opened");
      return { [Symbol.dispose]: () => void happened.push("closed") };
    });
    const wait = task("wait", { slow, timeout: new Timeout(20) }, (): void => {
      happened.push("ran");
    });
    const execution = await docket.add(wait)();
    stage.start(docket);
    await stage.soon(rejects(execution.result(), { code: "EXECUTION_FAILED" }));

    open.resolve();

    await stage.eventually(() => happened.includes("closed"));
    deepEqual(happened, ["opened", "closed"]);
  });
});

onMemory("Timeout", (test) => {
  test("is over at its very instant, and not before", async (stage) => {
    const docket = await stage.connect();
    const begin = stage.clock.now();
    let end = 0;
    const wait = task("wait", { timeout: new Timeout("1m") }, async ({ signal }): Promise<void> => {
      await aborted(signal);
      end = stage.clock.now() - begin;
      signal.throwIfAborted();
    });
    await docket.add(wait)();
    stage.start(docket);

    await stage.advance(59_999);
    equal(end, 0);
    await stage.advance(1);

    equal(end, 60_000);
  });

  // 46: a second to clean up, and then the slot is free
  test("gives a task one second to clean up", async (stage) => {
    const docket = await stage.connect();
    const cleaned: number[] = [];
    const wait = task(
      "wait",
      { timeout: new Timeout("1m") },
      async ({ signal }, cleanUp: number): Promise<void> => {
        await aborted(signal);
        await stage.sleep(cleanUp);
        cleaned.push(cleanUp);
        signal.throwIfAborted();
      },
    );
    const quick = await docket.add(wait)(900);
    const slow = await docket.add(wait)(1_100);
    stage.start(docket);

    await stage.advance(60_901);
    const afterQuick = [(await quick.refresh()).state, (await slow.refresh()).state];
    await stage.advance(100);
    const afterSlow = (await slow.refresh()).state;
    const cleanedBefore = [...cleaned];
    await stage.advance(1_000);

    deepEqual(afterQuick, ["failed", "running"]);
    equal(afterSlow, "failed");
    deepEqual(cleanedBefore, [900]);
    deepEqual(cleaned, [900, 1_100]);
  });

  // 46: after the end, nothing of it is left to go off
  test("cannot be extended after the end", async (stage) => {
    const docket = await stage.connect();
    let late: (() => void) | undefined;
    let signalled: AbortSignal | undefined;
    const leak = task("leak", { timeout: new Timeout("1m") }, ({ timeout, signal }): void => {
      late = () => timeout.extend();
      signalled = signal;
    });
    const execution = await docket.add(leak)();
    await stage.finish(docket);

    late!();
    await stage.advance(120_000);

    equal((await execution.refresh()).state, "completed");
    equal(signalled?.aborted, false);
  });
});

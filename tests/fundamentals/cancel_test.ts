/**
 * Cancelling: what waits never runs, what runs is asked to stop (F53).
 *
 * @module
 */

import {
  deepStrictEqual as deepEqual,
  ok,
  rejects,
  strictEqual as equal,
} from "node:assert/strict";
import { CancelledError, Depends, Retry, task, Timeout } from "../../mod.ts";
import { aborted, altered, onEveryStorage } from "../_harness.ts";

onEveryStorage("Docket.cancel()", (test) => {
  // 28: cancelled before it is claimed, it never runs
  test("keeps a scheduled task from running", async (stage) => {
    const docket = await stage.connect();
    let runs = 0;
    function count(): void {
      runs++;
    }
    const execution = await docket.add(count, { key: "count", delay: 20 })();

    const answer = await docket.cancel("count");
    await stage.advance(30);
    await stage.finish(docket);

    equal(answer, "cancelled");
    equal(runs, 0);
    await rejects(execution.result(), { code: "EXECUTION_CANCELLED", reason: "cancelled" });
  });

  // 28: also when it stands in the queue
  test("keeps a queued task from running", async (stage) => {
    const docket = await stage.connect();
    const seen: string[] = [];
    function note(text: string): void {
      seen.push(text);
    }
    await docket.add(note, { key: "a" })("a");
    await docket.add(note, { key: "b" })("b");

    const answer = await docket.cancel("a");
    await stage.finish(docket);

    equal(answer, "cancelled");
    deepEqual(seen, ["b"]);
  });

  // 28: also when it was moved from scheduled to queued
  test("keeps a task from running that was due a moment ago", async (stage) => {
    const docket = await stage.connect();
    const storage = await stage.open();
    let runs = 0;
    function count(): void {
      runs++;
    }
    await docket.add(count, { key: "count", delay: 1 })();
    await stage.eventually(async () => (await storage.promote(10)).promoted === 1);

    const answer = await docket.cancel("count");
    await stage.finish(docket);

    equal(answer, "cancelled");
    equal(runs, 0);
  });

  // 28, 42: a retry that waits is like any scheduled task
  test("keeps a retry that waits from running", async (stage) => {
    const docket = await stage.connect();
    let runs = 0;
    const flaky = task("flaky", { retry: new Retry({ attempts: 9, delay: "1h" }) }, (): void => {
      runs++;
      throw new Error("whoops");
    });
    const execution = await docket.add(flaky, { key: "flaky" })();
    stage.start(docket);
    await stage.eventually(async () => (await execution.refresh()).attempt === 2);

    const answer = await docket.cancel("flaky");

    equal(answer, "cancelled");
    await rejects(execution.result(), { reason: "cancelled" });
    equal(runs, 1);
  });

  // 4
  test("frees the key at once", async (stage) => {
    const docket = await stage.connect();
    const seen: string[] = [];
    function note(text: string): void {
      seen.push(text);
    }
    for (const delay of [0, 20]) {
      await docket.add(note, { key: "note", delay })("old");

      await docket.cancel("note");
      const again = await docket.add(note, { key: "note", delay })("new");

      equal(again.disposition, "scheduled");
      await stage.finish(docket);
    }
    deepEqual(seen, ["new", "new"]);
  });

  // 53, 54: the reason of the signal tells
  test("aborts the signal of a running task with a CancelledError", async (stage) => {
    const docket = await stage.connect();
    const started = Promise.withResolvers<void>();
    let reason: unknown;
    const wait = task("wait", async ({ signal }): Promise<void> => {
      started.resolve();
      await aborted(signal);
      reason = signal.reason;
      signal.throwIfAborted();
    });
    const execution = await docket.add(wait, { key: "wait" })();
    stage.start(docket);
    await stage.soon(started.promise);

    const answer = await docket.cancel("wait");

    equal(answer, "requested");
    await stage.soon(
      rejects(execution.result(), { code: "EXECUTION_CANCELLED", reason: "cancelled" }),
    );
    ok(reason instanceof CancelledError);
    equal(execution.state, "cancelled");
    equal(execution.reason, "cancelled");
    equal(execution.error, undefined); // a cancel is not a failure (46)
  });

  // 53: by a durable flag that renewals read; being told is only the fast path
  test("reaches a running task whose worker hears nothing", async (stage) => {
    const deaf = altered(await stage.open(), { listen: () => Promise.resolve() });
    const docket = await stage.connect({ storage: deaf });
    const started = Promise.withResolvers<void>();
    const wait = task("wait", async ({ signal }): Promise<void> => {
      started.resolve();
      await aborted(signal);
      signal.throwIfAborted();
    });
    const execution = await docket.add(wait, { key: "wait" })();
    stage.start(docket, { redeliveryTimeout: 200 });
    await stage.soon(started.promise);

    await docket.cancel("wait");

    await stage.soon(rejects(execution.result(), { reason: "cancelled" }));
  });

  // 53: a lease is long, and so is a quarter of it
  test("reaches a running task that was cancelled before its worker could hear of it", async (stage) => {
    const storage = await stage.open();
    const listening = Promise.withResolvers<void>();
    const late = altered(storage, {
      listen: (...args) => listening.promise.then(() => storage.listen(...args)),
    });
    const docket = await stage.connect({ storage: late });
    const started = Promise.withResolvers<void>();
    const wait = task("wait", async ({ signal }): Promise<void> => {
      started.resolve();
      await aborted(signal);
      signal.throwIfAborted();
    });
    const execution = await docket.add(wait, { key: "wait" })();
    stage.start(docket, { redeliveryTimeout: "1h" });
    await stage.soon(started.promise);

    await docket.cancel("wait");
    listening.resolve();

    await stage.soon(rejects(execution.result(), { reason: "cancelled" }));
  });

  test("reaches a task of another process's worker", async (stage) => {
    const producer = await stage.connect();
    const consumer = await stage.connect();
    const started = Promise.withResolvers<void>();
    const wait = task("wait", async ({ signal }): Promise<void> => {
      started.resolve();
      await aborted(signal);
      signal.throwIfAborted();
    });
    consumer.register(wait);
    const execution = await producer.add<typeof wait>("wait", { key: "wait" })();
    stage.start(consumer);
    await stage.soon(started.promise);

    equal(await producer.cancel("wait"), "requested");

    await stage.soon(rejects(execution.result(), { reason: "cancelled" }));
  });

  test("aborts no task but its own", async (stage) => {
    const docket = await stage.connect();
    const release = Promise.withResolvers<void>();
    const started: string[] = [];
    const hold = task("hold", async ({ key, signal }): Promise<boolean> => {
      started.push(key);
      await Promise.race([release.promise, aborted(signal)]);
      return signal.aborted;
    });
    const other = await docket.add(hold, { key: "other" })();
    const target = await docket.add(hold, { key: "target" })();
    stage.start(docket);
    await stage.eventually(() => started.length === 2);

    await docket.cancel("target");
    equal(await stage.soon(target.result()), true);
    release.resolve();

    equal(await stage.soon(other.result()), false);
  });

  // 53: a body that ignores it and returns is completed
  test("changes nothing for a task that ignores it and returns", async (stage) => {
    const docket = await stage.connect();
    const started = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    async function stubborn(): Promise<string> {
      started.resolve();
      await release.promise;
      return "done";
    }
    const execution = await docket.add(stubborn, { key: "stubborn" })();
    stage.start(docket);
    await stage.soon(started.promise);

    await docket.cancel("stubborn");
    await stage.advance(10);
    release.resolve();

    equal(await stage.soon(execution.result()), "done");
    equal(execution.state, "completed");
  });

  // 53: cleanup runs
  test("lets a running task's dependencies close", async (stage) => {
    const docket = await stage.connect();
    const started = Promise.withResolvers<void>();
    const happened: string[] = [];
    const resource = new Depends(async function* () {
      try {
        yield "open";
      } finally {
        happened.push("closed");
      }
    });
    const wait = task("wait", { resource }, async ({ signal }): Promise<void> => {
      started.resolve();
      try {
        await aborted(signal);
        signal.throwIfAborted();
      } finally {
        happened.push("cleaned up");
      }
    });
    const execution = await docket.add(wait, { key: "wait" })();
    stage.start(docket);
    await stage.soon(started.promise);

    await docket.cancel("wait");

    await stage.soon(rejects(execution.result(), { reason: "cancelled" }));
    deepEqual(happened, ["cleaned up", "closed"]);
  });

  // 28: cancel wins over retry
  test("wins over a retry", async (stage) => {
    const docket = await stage.connect();
    const started = Promise.withResolvers<void>();
    let runs = 0;
    const flaky = task(
      "flaky",
      { retry: Retry.forever() },
      async ({ signal }): Promise<void> => {
        runs++;
        started.resolve();
        await aborted(signal);
        throw new Error("whoops");
      },
    );
    const execution = await docket.add(flaky, { key: "flaky" })();
    stage.start(docket);
    await stage.soon(started.promise);

    await docket.cancel("flaky");

    await stage.soon(rejects(execution.result(), { reason: "cancelled" }));
    equal(runs, 1);
    equal((await docket.add(flaky, { key: "flaky", delay: "1h" })()).disposition, "scheduled");
  });

  // 28: also when the task has not heard of it yet, and asks for another attempt
  test("wins over a retry that was decided before it arrived", async (stage) => {
    const deaf = altered(await stage.open(), { listen: () => Promise.resolve() });
    const docket = await stage.connect({ storage: deaf });
    const started = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    let runs = 0;
    const flaky = task("flaky", { retry: Retry.forever() }, async (): Promise<void> => {
      runs++;
      started.resolve();
      await release.promise;
      throw new Error("whoops");
    });
    const execution = await docket.add(flaky, { key: "flaky" })();
    stage.start(docket);
    await stage.soon(started.promise);

    await docket.cancel("flaky");
    release.resolve();

    await stage.soon(rejects(execution.result(), { reason: "cancelled" }));
    equal(runs, 1);
  });

  // 54: with a Timeout present, the reason is still the cancel's
  test("is told apart from a timeout", async (stage) => {
    const docket = await stage.connect();
    const started = Promise.withResolvers<void>();
    let reason: unknown;
    const wait = task("wait", { timeout: new Timeout("1h") }, async ({ signal }): Promise<void> => {
      started.resolve();
      await aborted(signal);
      reason = signal.reason;
      signal.throwIfAborted();
    });
    const execution = await docket.add(wait, { key: "wait" })();
    stage.start(docket);
    await stage.soon(started.promise);

    await docket.cancel("wait");

    await stage.soon(rejects(execution.result(), { reason: "cancelled" }));
    ok(reason instanceof CancelledError);
  });

  // 14, 28
  test("drops the replacement that waits for the running task", async (stage) => {
    const docket = await stage.connect();
    const started = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const seen: string[] = [];
    const wait = task("wait", async ({ signal }, text: string): Promise<void> => {
      seen.push(text);
      started.resolve();
      await aborted(signal);
      await release.promise;
      signal.throwIfAborted();
    });
    const running = await docket.add(wait, { key: "wait" })("old");
    const worker = stage.start(docket);
    await stage.soon(started.promise);
    const replacement = await docket.replace(wait, { key: "wait" })("new");

    const answer = await docket.cancel("wait");

    equal(answer, "requested");
    await rejects(replacement.result(), { code: "EXECUTION_CANCELLED", reason: "cancelled" });
    release.resolve();
    await stage.soon(rejects(running.result(), { reason: "cancelled" }));
    await worker.close();
    await stage.finish(docket);
    deepEqual(seen, ["old"]);
  });

  // 55: a key stays busy until the cancelled body ends
  test("leaves the key busy until the running task has ended", async (stage) => {
    const docket = await stage.connect();
    const started = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const slow = task("slow", async ({ signal }, _text: string): Promise<void> => {
      started.resolve();
      await aborted(signal);
      await release.promise; // cleans up at its leisure
      signal.throwIfAborted();
    });
    const execution = await docket.add(slow, { key: "slow" })("first");
    stage.start(docket);
    await stage.soon(started.promise);

    await docket.cancel("slow");
    const during = await docket.add(slow, { key: "slow" })("second");
    release.resolve();
    await stage.soon(rejects(execution.result(), { reason: "cancelled" }));
    const after = await docket.add(slow, { key: "slow", delay: "1h" })("third");

    equal(during.disposition, "exists");
    equal(during.state, "running");
    equal(after.disposition, "scheduled");
  });

  // 55: late or repeated cancels change nothing
  test("changes nothing when it is repeated or late", async (stage) => {
    const docket = await stage.connect();
    const started = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    async function hold(): Promise<string> {
      started.resolve();
      await release.promise;
      return "done";
    }
    const waiting = await docket.add(hold, { key: "waiting", delay: "1h" })();
    const running = await docket.add(hold, { key: "running" })();
    stage.start(docket);
    await stage.soon(started.promise);

    equal(await docket.cancel("waiting"), "cancelled");
    const before = (await waiting.refresh()).completedAt;
    equal(await docket.cancel("waiting"), "none");
    equal(await docket.cancel("running"), "requested");
    equal(await docket.cancel("running"), "requested");
    release.resolve();
    await stage.soon(running.result());
    equal(await docket.cancel("running"), "none");

    deepEqual((await waiting.refresh()).completedAt, before);
    equal((await running.refresh()).state, "completed");
    equal(await running.result(), "done");
  });

  test("finds nothing under a key that nobody used", async (stage) => {
    const docket = await stage.connect();

    equal(await docket.cancel("nothing"), "none");
    equal(await docket.execution("nothing"), undefined);
  });

  // 64
  test("tells those who wait for the result", async (stage) => {
    const docket = await stage.connect();
    const other = await stage.connect();
    function noop(): void {}
    const execution = await docket.add(noop, { key: "noop", delay: "1h" })();
    const waiting = rejects(execution.result(), { code: "EXECUTION_CANCELLED" });

    await other.cancel("noop");

    await stage.soon(waiting);
  });
});

onEveryStorage("Execution.cancel()", (test) => {
  test("cancels its own generation", async (stage) => {
    const docket = await stage.connect();
    function noop(): void {}
    const execution = await docket.add(noop, { key: "noop", delay: "1h" })();

    equal(await execution.cancel(), "cancelled");
    equal((await execution.refresh()).state, "cancelled");
    equal(await execution.cancel(), "none");
  });

  test("leaves a later task of its key alone", async (stage) => {
    const docket = await stage.connect();
    let runs = 0;
    function count(): void {
      runs++;
    }
    const first = await docket.add(count, { key: "count" })();
    await stage.finish(docket);
    const second = await docket.add(count, { key: "count" })();

    const answer = await first.cancel();
    await stage.finish(docket);

    equal(answer, "none");
    equal(runs, 2);
    equal((await second.refresh()).state, "completed");
  });

  test("drops a replacement that waits, and leaves the running task alone", async (stage) => {
    const docket = await stage.connect();
    const started = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const hold = task("hold", async ({ signal }, text: string): Promise<string> => {
      started.resolve();
      await release.promise;
      return signal.aborted ? "aborted" : text;
    });
    const running = await docket.add(hold, { key: "hold" })("old");
    stage.start(docket);
    await stage.soon(started.promise);
    const replacement = await docket.replace(hold, { key: "hold" })("new");

    const answer = await replacement.cancel();
    release.resolve();

    equal(answer, "cancelled");
    equal(await stage.soon(running.result()), "old");
  });

  test("keeps the replacement when it cancels the running task", async (stage) => {
    const docket = await stage.connect();
    const started = Promise.withResolvers<void>();
    const seen: string[] = [];
    const wait = task("wait", async ({ signal }, text: string): Promise<string> => {
      seen.push(text);
      started.resolve();
      if (text === "old") await aborted(signal);
      signal.throwIfAborted();
      return text;
    });
    const running = await docket.add(wait, { key: "wait" })("old");
    stage.start(docket);
    await stage.soon(started.promise);
    const replacement = await docket.replace(wait, { key: "wait" })("new");

    const answer = await running.cancel();

    equal(answer, "requested");
    equal(await stage.soon(replacement.result()), "new");
    deepEqual(seen, ["old", "new"]);
  });
});

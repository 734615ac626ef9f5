/**
 * Replacing: the last call wins, wherever the one before it is, and two bodies of one key never overlap (F54).
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
import { Retry, task } from "../../mod.ts";
import { onEveryStorage } from "../_harness.ts";

onEveryStorage("Docket.replace()", (test) => {
  // 3
  test("is add() where nothing is live", async (stage) => {
    const docket = await stage.connect();
    function echo(text: string): string {
      return text;
    }

    const execution = await docket.replace(echo, { key: "echo" })("only");
    await stage.finish(docket);

    equal(execution.disposition, "scheduled");
    equal(await execution.result(), "only");
  });

  // 3: also where something was
  test("is add() where the last task has ended", async (stage) => {
    const docket = await stage.connect();
    function echo(text: string): string {
      return text;
    }
    await docket.add(echo, { key: "echo" })("first");
    await stage.finish(docket);

    const execution = await docket.replace(echo, { key: "echo" })("second");
    await stage.finish(docket);

    equal(execution.disposition, "scheduled");
    equal(await execution.result(), "second");
  });

  // 1: the prior task is removed wherever it is
  test("takes the place of a scheduled task", async (stage) => {
    const docket = await stage.connect();
    const seen: string[] = [];
    function note(text: string): void {
      seen.push(text);
    }

    const old = await docket.add(note, { key: "note", delay: 40 })("old");
    const replacement = await docket.replace(note, { key: "note", delay: 20 })("new");
    await stage.finish(docket);
    await stage.advance(40);
    await stage.finish(docket);

    equal(replacement.disposition, "scheduled");
    deepEqual(seen, ["new"]);
    await rejects(old.result(), { code: "EXECUTION_EXPIRED" }); // the new one's record is the key's
  });

  // 1
  test("takes the place of a queued task, also for later", async (stage) => {
    const docket = await stage.connect();
    const seen: string[] = [];
    function note(text: string): void {
      seen.push(text);
    }

    await docket.add(note, { key: "note" })("old");
    const replacement = await docket.replace(note, { key: "note", delay: 20 })("new");
    const { state } = await replacement.refresh();
    await stage.finish(docket);

    equal(state, "scheduled");
    deepEqual(seen, ["new"]);
  });

  // 1
  test("runs a task at once that was far away", async (stage) => {
    const docket = await stage.connect();
    const seen: string[] = [];
    function note(text: string): void {
      seen.push(text);
    }

    await docket.add(note, { key: "note", delay: "1h" })("old");
    await docket.replace(note, { key: "note" })("new");
    await stage.finish(docket);

    deepEqual(seen, ["new"]);
  });

  test("ends the task that it replaces as cancelled, with the reason", async (stage) => {
    const docket = await stage.connect();
    function noop(): void {}

    const old = await docket.add(noop, { key: "noop", delay: "1h" })();
    await docket.replace(noop, { key: "noop", delay: "2h" })();

    await rejects(old.result(), { code: "EXECUTION_CANCELLED", reason: "replaced", key: "noop" });
    equal(old.state, "cancelled");
    equal(old.reason, "replaced");
  });

  test("tells those who wait for the task that it replaces", async (stage) => {
    const docket = await stage.connect();
    const other = await stage.connect();
    function noop(): void {}
    const old = await docket.add(noop, { key: "noop", delay: "1h" })();
    const waiting = rejects(old.result(), { reason: "replaced" });

    await other.replace(noop, { key: "noop", delay: "2h" })();

    await stage.soon(waiting);
  });

  test("changes the task as well as its arguments", async (stage) => {
    const docket = await stage.connect();
    const seen: unknown[] = [];
    function first(...args: unknown[]): void {
      seen.push("first", ...args);
    }
    function second(...args: unknown[]): void {
      seen.push("second", ...args);
    }

    await docket.add(first, { key: "either" })(1);
    const replacement = await docket.replace(second, { key: "either" })(2);
    await stage.finish(docket);

    equal(replacement.task, "second");
    deepEqual(seen, ["second", 2]);
  });

  // 1: N rapid replaces run once, the last
  test("runs only the last of many in quick succession", async (stage) => {
    const docket = await stage.connect();
    const seen: number[] = [];
    function note(n: number): void {
      seen.push(n);
    }
    const delays = [0, 20, 0, 10, 0];

    await Promise.all(
      Array.from(
        { length: 50 },
        (_, n) => docket.replace(note, { key: "note", delay: delays[n % 5] })(n),
      ),
    );
    await stage.finish(docket);

    deepEqual(seen, [49]);
  });

  // 1: while workers take what they can get
  test("never loses the last of many while workers run", async (stage) => {
    const docket = await stage.connect();
    const seen: number[] = [];
    let running = 0;
    async function note(n: number): Promise<void> {
      equal(++running, 1);
      seen.push(n);
      await stage.sleep(1);
      running--;
    }
    stage.start(docket);
    stage.start(docket);

    for (let n = 0; n < 30; n++) await stage.soon(docket.replace(note, { key: "note" })(n));
    await stage.eventually(() => seen.at(-1) === 29);

    deepEqual(seen, [...new Set(seen)].sort((a, b) => a - b)); // each at most once, old before new
  });

  // 14: the bodies never overlap; old, then new
  test("waits for the running task to end, and then runs once", async (stage) => {
    const docket = await stage.connect();
    const started = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const happened: string[] = [];
    async function work(text: string): Promise<string> {
      happened.push(`${text} starts`);
      started.resolve();
      await release.promise;
      happened.push(`${text} ends`);
      return text;
    }
    await docket.add(work, { key: "work" })("old");
    stage.start(docket);
    await stage.soon(started.promise);

    const replacement = await docket.replace(work, { key: "work" })("new");
    const { state } = await replacement.refresh();
    await stage.advance(20);
    const before = [...happened];
    release.resolve();

    equal(replacement.disposition, "deferred");
    equal(state, "waiting");
    deepEqual(before, ["old starts"]);
    equal(await stage.soon(replacement.result()), "new");
    deepEqual(happened, ["old starts", "old ends", "new starts", "new ends"]);
  });

  // 14: what the running task returns is still its own
  test("leaves the result of the running task alone", async (stage) => {
    const docket = await stage.connect();
    const started = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    async function work(text: string): Promise<string> {
      started.resolve();
      await release.promise;
      return text;
    }
    const old = await docket.add(work, { key: "work" })("old");
    const result = old.result();
    stage.start(docket);
    await stage.soon(started.promise);

    await docket.replace(work, { key: "work", delay: "1h" })("new");
    release.resolve();

    equal(await stage.soon(result), "old");
  });

  // 14: the replacement survives that run's retry, which it takes the place of
  test("takes the place of the running task's retry", async (stage) => {
    const docket = await stage.connect();
    const started = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const seen: string[] = [];
    const work = task(
      "work",
      { retry: new Retry({ attempts: 5 }) },
      async (_context, text: string): Promise<void> => {
        seen.push(text);
        started.resolve();
        await release.promise;
        if (text === "old") throw new Error("whoops");
      },
    );
    const old = await docket.add(work, { key: "work" })("old");
    const ended = rejects(old.result(), { code: "EXECUTION_CANCELLED", reason: "replaced" });
    stage.start(docket);
    await stage.soon(started.promise);

    const replacement = await docket.replace(work, { key: "work", delay: 20 })("new");
    release.resolve();

    await stage.soon(ended);
    await stage.soon(replacement.result());
    deepEqual(seen, ["old", "new"]);
  });

  // 14: also while the retry waits, which is like any scheduled task
  test("takes the place of a retry that waits", async (stage) => {
    const docket = await stage.connect();
    const seen: string[] = [];
    const work = task(
      "work",
      { retry: new Retry({ attempts: 5, delay: "1h" }) },
      (_context, text: string): void => {
        seen.push(text);
        if (text === "old") throw new Error("whoops");
      },
    );
    const old = await docket.add(work, { key: "work" })("old");
    stage.start(docket);
    await stage.eventually(async () => (await old.refresh()).state === "scheduled");

    const replacement = await docket.replace(work, { key: "work" })("new");

    equal(replacement.disposition, "scheduled");
    await stage.soon(replacement.result());
    equal(replacement.attempt, 1);
    deepEqual(seen, ["old", "new"]);
  });

  // 14, 1: of several that wait for one run, the last runs
  test("takes the place of a replacement that waits", async (stage) => {
    const docket = await stage.connect();
    const started = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const seen: string[] = [];
    async function work(text: string): Promise<void> {
      seen.push(text);
      started.resolve();
      await release.promise;
    }
    await docket.add(work, { key: "work" })("old");
    stage.start(docket);
    await stage.soon(started.promise);

    const first = await docket.replace(work, { key: "work" })("first");
    const second = await docket.replace(work, { key: "work" })("second");
    await rejects(first.result(), { code: "EXECUTION_CANCELLED", reason: "replaced" });
    release.resolve();
    await stage.soon(second.result());

    equal(second.disposition, "deferred");
    deepEqual(seen, ["old", "second"]);
  });

  // 2, 14: an add finds what runs; the replacement that waits stays
  test("is not disturbed by an add() while it waits", async (stage) => {
    const docket = await stage.connect();
    const started = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const seen: string[] = [];
    async function work(text: string): Promise<void> {
      seen.push(text);
      started.resolve();
      await release.promise;
    }
    await docket.add(work, { key: "work" })("old");
    stage.start(docket);
    await stage.soon(started.promise);

    const replacement = await docket.replace(work, { key: "work" })("new");
    const added = await docket.add(work, { key: "work" })("added");
    release.resolve();
    await stage.soon(replacement.result());

    equal(added.disposition, "exists");
    deepEqual(added.args, ["old"]);
    deepEqual(seen, ["old", "new"]);
  });

  test("keeps its own time when it waits for a running task", async (stage) => {
    const docket = await stage.connect();
    const started = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const starts: number[] = [];
    async function work(): Promise<void> {
      starts.push(stage.clock.now());
      started.resolve();
      await release.promise;
    }
    await docket.add(work, { key: "work" })();
    stage.start(docket);
    await stage.soon(started.promise);

    const when = stage.clock.now() + 60;
    const replacement = await docket.replace(work, { key: "work", when })();
    release.resolve();
    await stage.soon(replacement.result());

    ok(starts[1] >= when, `it started ${when - starts[1]} ms too early`);
  });

  // 14, 26: a running task may replace itself
  test("lets a running task replace itself", async (stage) => {
    const docket = await stage.connect();
    const seen: number[] = [];
    const count = task("count", async ({ docket, key }, n: number): Promise<void> => {
      seen.push(n);
      if (n < 3) await docket.replace(count, { key })(n + 1);
    });

    await docket.add(count, { key: "count" })(1);
    await stage.finish(docket);

    deepEqual(seen, [1, 2, 3]);
  });

  test("refuses to be called without a key", async (stage) => {
    const docket = await stage.connect();
    function noop(): void {}

    throws(
      // @ts-expect-error a missing key
      () => docket.replace(noop, {}),
      { name: "TypeError", message: /"key"/ },
    );
    throws(
      // @ts-expect-error missing options
      () => docket.replace(noop),
      { name: "TypeError", message: /"key"/ },
    );
  });
});

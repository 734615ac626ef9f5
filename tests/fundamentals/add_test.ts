/**
 * Adding: what is scheduled, and what a second task with the same key changes (nothing).
 *
 * @module
 */

import {
  deepStrictEqual as deepEqual,
  notStrictEqual as notEqual,
  ok,
  strictEqual as equal,
  throws,
} from "node:assert/strict";
import { type DurationLike, type InstantLike, task } from "../../mod.ts";
import { onEveryStorage } from "../_harness.ts";

onEveryStorage("Docket.add()", (test) => {
  test("runs a plain function with the arguments that it was called with", async (stage) => {
    const docket = await stage.connect();
    const greeted: string[] = [];
    function greet(name: string, greeting = "Hello"): void {
      greeted.push(`${greeting}, ${name}`);
    }

    await docket.add(greet)("Jane");
    await docket.add(greet)("John", "Howdy");
    await stage.finish(docket);

    deepEqual(greeted.sort(), ["Hello, Jane", "Howdy, John"]);
  });

  test("gives a handle that shows what was scheduled", async (stage) => {
    const docket = await stage.connect();
    function greet(_name: string): void {}
    const when = new Date(stage.clock.now() + 3_600_000);

    const execution = await docket.add(greet, { when, key: "greet-jane" })("Jane");

    equal(execution.key, "greet-jane");
    equal(execution.task, "greet");
    deepEqual(execution.args, ["Jane"]);
    deepEqual(execution.when, when);
    equal(execution.state, "scheduled");
    equal(execution.attempt, 1);
    equal(execution.disposition, "scheduled");
  });

  test("gives each task without a key one of its own", async (stage) => {
    const docket = await stage.connect();
    let runs = 0;
    function count(): void {
      runs++;
    }

    const first = await docket.add(count)();
    const second = await docket.add(count)();
    await stage.finish(docket);

    notEqual(first.key, second.key);
    equal(runs, 2);
  });

  // 7: a duplicate keeps the first call's `when` and arguments. 6: dispositions are true.
  test("keeps the first of two tasks with the same key", async (stage) => {
    const docket = await stage.connect();
    const seen: string[] = [];
    function note(text: string): void {
      seen.push(text);
    }
    const when = stage.clock.now() + 20;

    const first = await docket.add(note, { key: "note", when })("first");
    const second = await docket.add(note, { key: "note" })("second");

    equal(first.disposition, "scheduled");
    equal(second.disposition, "exists");
    deepEqual(second.args, ["first"]);
    deepEqual(second.when, new Date(when));
    await stage.finish(docket);
    deepEqual(seen, ["first"]);
  });

  // 7: also in the queue, also when the duplicate would run later
  test("keeps a queued task when it is added again for later", async (stage) => {
    const docket = await stage.connect();
    const seen: string[] = [];
    function note(text: string): void {
      seen.push(text);
    }

    await docket.add(note, { key: "note" })("first");
    const second = await docket.add(note, { key: "note", delay: "1h" })("second");

    equal(second.disposition, "exists");
    equal(second.state, "queued");
    await stage.finish(docket);
    deepEqual(seen, ["first"]);
  });

  test("gives a duplicate the handle of the live task, and with it its result", async (stage) => {
    const docket = await stage.connect();
    function echo(text: string): string {
      return text;
    }

    await docket.add(echo, { key: "echo" })("first");
    const duplicate = await docket.add(echo, { key: "echo" })("second");
    await stage.finish(docket);

    equal(await duplicate.result(), "first");
  });

  // 6: a no-op writes nothing and tells nobody
  test("writes and tells nothing for a duplicate", async (stage) => {
    const docket = await stage.connect();
    const storage = await stage.open();
    function note(_text: string): void {}
    await docket.add(note, { key: "note", delay: "1h" })("first");
    const before = await storage.load(["note"]);
    const heard: unknown[] = [];
    const listening = new AbortController();
    stage.afterwards(() => listening.abort());
    await storage.watch((change) => heard.push(change), listening);
    await storage.listen((notice) => heard.push(notice), listening);

    await docket.add(note, { key: "note", delay: "1ms" })("second");
    await docket.add(note, { key: "note" })("third");

    deepEqual(await storage.load(["note"]), before);
    equal(await storage.count(), 1);
    // What would have been told comes before this, which is.
    await docket.add(note, { key: "another" })("fourth");
    await stage.eventually(() => heard.length > 0);
    deepEqual(heard.map((told) => (told as { key?: string }).key), ["another"]);
  });

  // 2: a running key dedupes; after it ends, `add` works at once
  test("finds a running task with the same key, and works at once when it has ended", async (stage) => {
    const docket = await stage.connect();
    const started = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const seen: string[] = [];
    async function hold(text: string): Promise<void> {
      seen.push(text);
      started.resolve();
      await release.promise;
    }
    const first = await docket.add(hold, { key: "hold" })("first");
    stage.start(docket);
    await stage.soon(started.promise);

    const during = await docket.add(hold, { key: "hold" })("during");
    release.resolve();
    await stage.soon(first.result());
    const after = await docket.add(hold, { key: "hold" })("after");
    await stage.soon(after.result());

    equal(during.disposition, "exists");
    equal(during.state, "running");
    equal(after.disposition, "scheduled");
    deepEqual(seen, ["first", "after"]);
  });

  // 15: a missing record never means "drop the task"
  test("runs a finished key again when it is due long after its record is gone", async (stage) => {
    const docket = await stage.connect({ executionTtl: 10 });
    let runs = 0;
    function count(): void {
      runs++;
    }
    await docket.add(count, { key: "count" })();
    await stage.finish(docket);

    const again = await docket.add(count, { key: "count", delay: 60 })();
    await stage.finish(docket);

    equal(again.disposition, "scheduled");
    equal(runs, 2);
  });

  // 15: a live key has no time to live, however short that of its record would be
  test("keeps a scheduled task for longer than records stay", async (stage) => {
    const docket = await stage.connect({ executionTtl: 1 });
    let runs = 0;
    function count(): void {
      runs++;
    }

    await docket.add(count, { key: "count", delay: 80 })();
    await stage.advance(40);
    const waiting = await docket.execution("count");
    await stage.finish(docket);

    ok(waiting);
    equal(runs, 1);
  });

  // 9: the name used to schedule is the name stored. 10: whoever adds need not know the task.
  test("schedules by name what only the worker's docket knows", async (stage) => {
    const producer = await stage.connect();
    const consumer = await stage.connect();
    const greeted: string[] = [];
    function greet(name: string): string {
      greeted.push(name);
      return `Hello, ${name}`;
    }
    consumer.register({ sendGreeting: greet });

    const execution = await producer.add<typeof greet>("sendGreeting")("Jane");
    await stage.finish(consumer);

    equal(execution.task, "sendGreeting");
    equal(await execution.result(), "Hello, Jane");
    deepEqual(greeted, ["Jane"]);
    deepEqual(producer.tasks, []);
  });

  // 9
  test("stores a task under its declared name, not under its function's", async (stage) => {
    const docket = await stage.connect();
    const other = await stage.connect();
    const renamed = task("mail.send", function send(): void {});

    await docket.add(renamed, { key: "mail", delay: "1h" })();

    equal((await other.execution("mail"))?.task, "mail.send");
  });

  test("runs a task at once that was due in the past", async (stage) => {
    const docket = await stage.connect();
    function noop(): void {}

    const execution = await docket.add(noop, { when: new Date(0) })();
    await stage.finish(docket);

    equal(execution.state, "queued");
    equal(await execution.result(), undefined);
  });

  test("takes a time in any of its forms", async (stage) => {
    const docket = await stage.connect();
    function noop(): void {}
    const at = stage.clock.now() + 3_600_000;
    const forms: InstantLike[] = [at, new Date(at)];
    if ("Temporal" in globalThis) { // not before Node 26
      const instant = Temporal.Instant.fromEpochMilliseconds(at);
      forms.push(instant, instant.toZonedDateTimeISO("Asia/Tokyo"));
    }

    const executions = await Promise.all(forms.map((when) => docket.add(noop, { when })()));

    for (const execution of executions) {
      equal((await execution.refresh()).when?.getTime(), at);
    }
  });

  test("takes a delay in any of its forms", async (stage) => {
    const docket = await stage.connect();
    function noop(): void {}
    const delays: DurationLike[] = [90_000, "90s", "1m30s", "PT1M30S", { minutes: 1, seconds: 30 }];
    if ("Temporal" in globalThis) delays.push(Temporal.Duration.from({ seconds: 90 }));
    const before = stage.clock.now();

    const executions = await Promise.all(delays.map((delay) => docket.add(noop, { delay })()));

    const after = stage.clock.now();
    for (const execution of executions) {
      const when = (await execution.refresh()).when!.getTime();
      ok(before + 90_000 <= when && when <= after + 90_000, `${when} is not 90 s ahead`);
    }
  });

  test("throws when what it returned is awaited instead of called", async (stage) => {
    const docket = await stage.connect();
    const storage = await stage.open();
    function greet(_name: string): void {}
    const forgotten = docket.add(greet) as unknown as { then(): void };

    throws(() => forgotten.then(), { name: "TypeError", message: /call it with the task's/ });
    equal(await storage.count(), 0);
  });
});

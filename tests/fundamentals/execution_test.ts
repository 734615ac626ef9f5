/**
 * The handle: what it shows, how it waits, and how it tells what became of its generation.
 *
 * @module
 */

import {
  deepStrictEqual as deepEqual,
  ok,
  rejects,
  strictEqual as equal,
} from "node:assert/strict";
import { type Execution, Retry, task } from "../../mod.ts";
import { altered, failureOf, onEveryStorage, onMemory } from "../_harness.ts";

onEveryStorage("Execution.refresh()", (test) => {
  test("stays ended, whatever older answers say that come late", async (stage) => {
    const [read, late] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const storage = await stage.open();
    let loads = 0;
    const slow = altered(storage, {
      async load(...args) {
        const isFirst = ++loads === 1;
        const found = await storage.load(...args);
        if (!isFirst) return found;
        read.resolve();
        await late.promise;
        return found;
      },
    });
    const docket = await stage.connect({ storage: slow });
    const answer = task("answer", (): number => 42);
    const execution = await docket.add(answer)();
    const early = execution.refresh(); // it is queued
    await stage.soon(read.promise);
    await stage.finish(docket);
    equal((await execution.refresh()).state, "completed");

    late.resolve();

    equal((await early).state, "completed");
    equal(await execution.result(), 42);
  });

  test("follows a task through its states", async (stage) => {
    const docket = await stage.connect();
    const started = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    async function work(): Promise<string> {
      started.resolve();
      await release.promise;
      return "done";
    }

    const execution = await docket.add(work, { key: "work", delay: 20 })();
    const states = [execution.state, (await execution.refresh()).state];
    stage.start(docket, { name: "web-1" });
    await stage.soon(started.promise);
    states.push((await execution.refresh()).state);
    const { worker, startedAt, attempt, deliveries, redelivered, fence } = execution;
    release.resolve();
    await stage.soon(execution.result());
    states.push((await execution.refresh()).state);

    deepEqual(states, ["scheduled", "scheduled", "running", "completed"]);
    equal(worker, "web-1");
    equal(attempt, 1);
    equal(deliveries, 1);
    equal(redelivered, false);
    equal(typeof fence, "string");
    ok(startedAt! >= execution.when!);
    deepEqual(execution.startedAt, startedAt);
    ok(execution.completedAt! >= startedAt!);
    equal(execution.worker, "web-1");
    equal(execution.fence, undefined);
  });

  // 26: rescheduling clears worker and startedAt
  test("shows neither worker nor start of a retry that waits", async (stage) => {
    const docket = await stage.connect();
    const flaky = task("flaky", { retry: new Retry({ attempts: 2, delay: "1h" }) }, (): void => {
      throw new Error("whoops");
    });
    const execution = await docket.add(flaky)();
    stage.start(docket);

    await stage.eventually(async () => (await execution.refresh()).attempt === 2);

    equal(execution.state, "scheduled");
    equal(execution.worker, undefined);
    equal(execution.startedAt, undefined);
    equal(execution.fence, undefined);
    equal(execution.deliveries, 0);
  });

  test("rejects when the record is gone", async (stage) => {
    const docket = await stage.connect({ executionTtl: 20 });
    function noop(): void {}
    const execution = await docket.add(noop)();
    await stage.finish(docket);

    await stage.eventually(async () => await docket.execution(execution.key) === undefined);

    await rejects(execution.refresh(), { code: "EXECUTION_EXPIRED", key: execution.key });
  });
});

onEveryStorage("Execution.result()", (test) => {
  test("gives what the task returned, before and after it ended", async (stage) => {
    const docket = await stage.connect();
    function add(a: number, b: number): number {
      return a + b;
    }
    const execution = await docket.add(add)(2, 3);
    const before = execution.result();

    await stage.finish(docket);

    equal(await before, 5);
    equal(await execution.result(), 5);
  });

  test("gives undefined for a task that returned nothing", async (stage) => {
    const docket = await stage.connect();
    function noop(): void {}
    const execution = await docket.add(noop)();

    await stage.finish(docket);

    equal(await execution.result(), undefined);
  });

  // 65: many can wait for one result
  test("gives one result to all who wait", async (stage) => {
    const docket = await stage.connect();
    const others = await Promise.all(Array.from({ length: 3 }, () => stage.connect()));
    function answer(): number {
      return 42;
    }
    await docket.add(answer, { key: "answer", delay: 20 })();
    const handles = await Promise.all(
      [docket, ...others].map((each) => each.execution<typeof answer>("answer")),
    );
    const waiting = handles.flatMap((handle) => [handle!.result(), handle!.result()]);

    await stage.finish(docket);

    deepEqual(await stage.soon(Promise.all(waiting)), Array(8).fill(42));
  });

  test("gives what another process's worker returned", async (stage) => {
    const producer = await stage.connect();
    const consumer = await stage.connect();
    function answer(): number {
      return 42;
    }
    const execution = await producer.add(answer)();
    const result = execution.result();
    consumer.register(answer);

    await stage.finish(consumer);

    equal(await stage.soon(result), 42);
  });

  test("gives up after its timeout, and the task goes on", async (stage) => {
    const docket = await stage.connect();
    function answer(): number {
      return 42;
    }
    const execution = await docket.add(answer, { key: "answer", delay: 60 })();

    await stage.soon(
      rejects(execution.result({ timeout: 10 }), { code: "RESULT_TIMEOUT", key: "answer" }),
    );

    await stage.finish(docket);
    equal(await execution.result({ timeout: 1_000 }), 42);
  });

  test("stops waiting when its signal aborts", async (stage) => {
    const docket = await stage.connect();
    function noop(): void {}
    const execution = await docket.add(noop, { delay: "1h" })();
    const stop = new AbortController();
    const enough = new Error("enough");
    const waiting = rejects(execution.result({ signal: stop.signal }), enough);

    stop.abort(enough);

    await stage.soon(waiting);
    await rejects(execution.result({ signal: stop.signal }), enough);
    equal((await execution.refresh()).state, "scheduled");
  });

  test("stops waiting when its docket closes", async (stage) => {
    const docket = await stage.connect();
    function noop(): void {}
    const execution = await docket.add(noop, { delay: "1h" })();
    const waiting = rejects(execution.result(), { code: "CONNECTION" });

    await docket.close();

    await stage.soon(waiting);
    await rejects(execution.result(), { code: "CONNECTION" });
  });

  // 64: a missing record rejects with "expired"
  test("rejects when the record is gone", async (stage) => {
    const docket = await stage.connect({ executionTtl: { completed: 20 } });
    function answer(): number {
      return 42;
    }
    const execution = await docket.add(answer, { key: "answer" })();
    await stage.finish(docket);

    await stage.eventually(async () => await docket.execution("answer") === undefined);

    await rejects(execution.result(), { code: "EXECUTION_EXPIRED", key: "answer" });
  });

  test("rejects when a later task of the key has overwritten its record", async (stage) => {
    const docket = await stage.connect();
    function echo(n: number): number {
      return n;
    }
    const first = await docket.add(echo, { key: "echo" })(1);
    await stage.finish(docket);
    const second = await docket.add(echo, { key: "echo" })(2);
    await stage.finish(docket);

    await rejects(first.result(), { code: "EXECUTION_EXPIRED" });
    equal(await second.result(), 2);
  });

  // 23: while a later task of the key is only waiting, the record of the last one stays
  test("still gives its result while a later task of the key waits", async (stage) => {
    const docket = await stage.connect();
    function echo(n: number): number {
      return n;
    }
    const first = await docket.add(echo, { key: "echo" })(1);
    await stage.finish(docket);

    await docket.add(echo, { key: "echo", delay: "1h" })(2);

    equal(await first.result(), 1);
  });

  test("rejects with the task's own error as the cause", async (stage) => {
    const docket = await stage.connect();
    function fail(): void {
      throw new RangeError("too far", { cause: new TypeError("wrong kind") });
    }
    const execution = await docket.add(fail, { key: "fail" })();
    await stage.finish(docket);

    const error = await execution.result().catch((error) => error);

    equal(error.code, "EXECUTION_FAILED");
    equal(error.key, "fail");
    ok(error.cause instanceof RangeError);
    equal(error.cause.message, "too far");
    ok(error.cause.stack.includes("execution_test"), "it has the stack of where it was thrown");
    ok(error.cause.cause instanceof TypeError);
    equal(execution.state, "failed");
    ok(execution.error instanceof RangeError);
  });

  test("rejects with an Error that bears the name of the task's own class", async (stage) => {
    const docket = await stage.connect();
    class PaymentError extends Error {
      override readonly name = "PaymentError";
      readonly account = 4711;
    }
    function pay(): void {
      throw new PaymentError("declined");
    }
    const execution = await docket.add(pay)();
    await stage.finish(docket);

    const cause = await failureOf(execution);

    ok(cause instanceof Error);
    equal(cause.name, "PaymentError");
    equal(cause.message, "declined");
  });
});

// 64: without being told, it still finds out
onMemory("Execution.result()", (test) => {
  test("finds the end by itself when no news arrive", async (stage) => {
    const deaf = altered(await stage.open(), { watch: () => Promise.resolve() });
    const docket = await stage.connect({ storage: deaf });
    const worker = await stage.connect();
    function answer(): number {
      return 42;
    }
    const execution = await docket.add(answer)();
    const result = execution.result();
    await stage.advance(1);
    worker.register(answer);
    await stage.finish(worker);

    await stage.advance(2_000);

    equal(await result, 42);
  });

  test("finds the end by itself when listening fails", async (stage) => {
    const deaf = altered(await stage.open(), {
      watch: () => Promise.reject(new Error("no subscriptions")),
    });
    const docket = await stage.connect({ storage: deaf });
    const worker = await stage.connect();
    function answer(): number {
      return 42;
    }
    const execution = await docket.add(answer)();
    const result = execution.result();
    await stage.advance(1);
    worker.register(answer);
    await stage.finish(worker);

    await stage.advance(2_000);

    equal(await result, 42);
  });
});

// 65, 77: nobody listens for nobody
onMemory("Execution.result()", (test) => {
  test("stops listening a while after the last who waited has left", async (stage) => {
    const storage = await stage.open();
    const listening: AbortSignal[] = [];
    const counted = altered(storage, {
      watch(change, options) {
        listening.push(options.signal);
        return storage.watch(change, options);
      },
    });
    const docket = await stage.connect({ storage: counted });
    const worker = await stage.connect();
    function answer(): number {
      return 42;
    }
    worker.register(answer);
    const execution = await docket.add(answer)();
    const results = Promise.all([execution.result(), execution.result(), execution.result()]);
    await stage.finish(worker);
    await results;
    const whileOthersMayFollow = listening.map(({ aborted }) => aborted);

    await stage.advance(10_000);

    deepEqual(whileOthersMayFollow, [false]);
    deepEqual(listening.map(({ aborted }) => aborted), [true]);
    equal(stage.clock.pending, 0);
    equal(await execution.result(), 42);
  });
});

onEveryStorage("Docket.execution()", (test) => {
  // 10: an execution can be loaded by key in any process, registered or not
  test("shows a task that is not registered here", async (stage) => {
    const producer = await stage.connect();
    const observer = await stage.connect();
    function greet(_name: string, _options: { loud: boolean }): void {}
    const when = stage.clock.now() + 3_600_000;
    await producer.add(greet, { key: "greet", when })("Jane", { loud: true });

    const found = await observer.execution("greet");

    equal(found?.key, "greet");
    equal(found?.task, "greet");
    deepEqual(found?.args, ["Jane", { loud: true }]);
    deepEqual(found?.when, new Date(when));
    equal(found?.state, "scheduled");
    equal(found?.disposition, undefined);
    deepEqual(observer.tasks, []);
  });

  test("shows a task that has ended", async (stage) => {
    const docket = await stage.connect();
    const observer = await stage.connect();
    function answer(): number {
      return 42;
    }
    await docket.add(answer, { key: "answer" })();
    await stage.finish(docket, { name: "web-1" });

    const found = await observer.execution<typeof answer>("answer");

    equal(found?.state, "completed");
    equal(found?.task, "answer");
    equal(found?.worker, "web-1");
    equal(await found?.result(), 42);
  });

  test("shows the live task rather than the one that has ended", async (stage) => {
    const docket = await stage.connect();
    function echo(n: number): number {
      return n;
    }
    await docket.add(echo, { key: "echo" })(1);
    await stage.finish(docket);
    await docket.add(echo, { key: "echo", delay: "1h" })(2);

    const found = await docket.execution("echo");

    equal(found?.state, "scheduled");
    deepEqual(found?.args, [2]);
  });

  test("cancels from afar", async (stage) => {
    const docket = await stage.connect();
    const observer = await stage.connect();
    function noop(): void {}
    const execution = await docket.add(noop, { key: "noop", delay: "1h" })();

    const found = await observer.execution("noop");

    equal(await found?.cancel(), "cancelled");
    equal((await execution.refresh()).state, "cancelled");
  });

  // 16: moving a task from scheduled to queued preserves every field
  test("shows the same task after it became due", async (stage) => {
    const docket = await stage.connect();
    const storage = await stage.open();
    function greet(_name: string): void {}
    await docket.add(greet, { key: "greet", delay: 1 })("Jane");
    const show = ({ key, task, args, when, attempt, deliveries }: Execution) => //
    ({ key, task, args, when, attempt, deliveries });
    const before = await docket.execution("greet");

    await stage.eventually(async () => (await storage.promote(10)).promoted === 1);
    const after = await docket.execution("greet");

    equal(before?.state, "scheduled");
    equal(after?.state, "queued");
    deepEqual(show(after), show(before));
  });
});

onEveryStorage("A record", (test) => {
  // 68: TTL 0 leaves at most a stub; tasks still run and dedupe
  test("that nobody wants is a stub, and its task ran once all the same", async (stage) => {
    const docket = await stage.connect({ executionTtl: 0 });
    const storage = await stage.open();
    let runs = 0;
    function count(): string {
      runs++;
      return "a long story";
    }
    const first = await docket.add(count, { key: "count" })();
    const second = await docket.add(count, { key: "count" })();

    await stage.finish(docket);

    equal(second.disposition, "exists");
    equal(runs, 1);
    equal((await first.refresh()).state, "completed");
    const [{ ended }] = await storage.load(["count"]);
    equal(ended?.text.includes("story"), false);
  });

  // 68: and a failure's stub says that it failed
  test("that nobody wants still tells a failure from a success", async (stage) => {
    const docket = await stage.connect({ executionTtl: 0 });
    function fail(): void {
      throw new Error("whoops");
    }
    const execution = await docket.add(fail)();

    await stage.finish(docket);

    await rejects(execution.result(), { code: "EXECUTION_FAILED", message: /not kept/ });
  });

  // 68: sub-second times to live are not rounded to zero
  test("stays for as long as was asked, fractions included", async (stage) => {
    for (const executionTtl of [500, 0.5, "1.5ms"]) {
      const docket = await stage.connect({ executionTtl });
      const storage = await stage.open();
      const answer = task("answer", (): number => 42);
      const execution = await docket.add(answer)();

      await stage.finish(docket);

      if (executionTtl === 500) equal(await execution.result(), 42);
      equal(await storage.count(), 0);
    }
  });
});

onMemory("A record", (test) => {
  // 15: a terminal record always has a time to live
  test("is there for its time to live, and no longer", async (stage) => {
    const docket = await stage.connect({
      executionTtl: { completed: "1m", failed: "2m", cancelled: "3m" },
    });
    function end(how: string): void {
      if (how === "failed") throw new Error("whoops");
    }
    for (const how of ["completed", "failed"]) await docket.add(end, { key: how })(how);
    await docket.add(end, { key: "cancelled", delay: "1h" })("cancelled");
    await docket.cancel("cancelled");
    await stage.finish(docket);
    const left = async () => {
      const found = await Promise.all(
        ["completed", "failed", "cancelled"].map((key) => docket.execution(key)),
      );
      return found.map((execution) => execution?.state);
    };

    deepEqual(await left(), ["completed", "failed", "cancelled"]);
    await stage.advance(61_000);
    deepEqual(await left(), [undefined, "failed", "cancelled"]);
    await stage.advance(60_000);
    deepEqual(await left(), [undefined, undefined, "cancelled"]);
    await stage.advance(60_000);
    deepEqual(await left(), [undefined, undefined, undefined]);
  });

  // 68: a stub stays for ten seconds
  test("that nobody wants is gone after ten seconds", async (stage) => {
    const docket = await stage.connect({ executionTtl: 0 });
    function noop(): void {}
    await docket.add(noop, { key: "noop" })();
    await stage.finish(docket);

    await stage.advance(9_000);
    equal((await docket.execution("noop"))?.state, "completed");
    await stage.advance(1_001);
    equal(await docket.execution("noop"), undefined);
  });

  test("stays for fifteen minutes, or seven days after a failure", async (stage) => {
    const docket = await stage.connect();
    function end(how: string): void {
      if (how === "failed") throw new Error("whoops");
    }
    for (const how of ["completed", "failed"]) await docket.add(end, { key: how })(how);
    await stage.finish(docket);

    await stage.advance(14 * 60_000);
    ok(await docket.execution("completed"));
    await stage.advance(60_000);
    equal(await docket.execution("completed"), undefined);
    await stage.advance(7 * 86_400_000 - 16 * 60_000);
    ok(await docket.execution("failed"));
    await stage.advance(2 * 60_000);
    equal(await docket.execution("failed"), undefined);
  });
});

onEveryStorage("What a task throws", (test) => {
  const circular: Record<string, unknown> = {};
  circular.self = circular;
  const throwing = new (class extends Error {
    override get message(): string {
      throw new Error("not even this");
    }
  })();
  const hostile = {
    toString() {
      throw new Error("not even this");
    },
  };
  /** F11: what was thrown, and what the cause then says. */
  const thrown: readonly (readonly [string, unknown, RegExp])[] = [
    ["an error", new Error("whoops"), /^Error: whoops$/],
    ["a string", "whoops", /^whoops$/],
    ["null", null, /^null$/],
    ["undefined", undefined, /^undefined$/],
    ["a number", 42, /^42$/],
    ["a symbol", Symbol("whoops"), /Symbol\(whoops\)/],
    ["a function", () => 42, /42/],
    ["a frozen error", Object.freeze(new Error("frozen")), /^Error: frozen$/],
    ["a cyclic object", circular, /object/],
    ["a getter that throws", throwing, /cannot be shown/],
    ["something that cannot be text", hostile, /cannot be shown/],
    ["a secret", new Error("No answer from db://jane:canary@host"), /db:\/\/\*\*\*@host/],
    ["a secret in a cause", new Error("x", { cause: new Error("db://j:canary@host") }), /x/],
    ["a secret in a string", "db://jane:canary@host", /db:\/\/\*\*\*@host/],
    ["a huge message", new Error("x".repeat(1_000_000)), /^Error: x{100}/],
  ];

  test("fails that task only, whatever it is", async (stage) => {
    const docket = await stage.connect();
    const storage = await stage.open();
    function toss(index: number): void {
      throw thrown[index][1];
    }
    function after(): string {
      return "alive";
    }
    const executions = await Promise.all(thrown.map((_, index) => docket.add(toss)(index)));
    const last = await docket.add(after)();

    await stage.finish(docket, { concurrency: 1 });

    for (const [index, [name, , expected]] of thrown.entries()) {
      const execution = executions[index];
      await rejects(execution.result(), { code: "EXECUTION_FAILED" }, name);
      equal(execution.state, "failed", name);
      const { error } = execution;
      const text = typeof error === "object" && error !== null && !(error instanceof Error)
        ? "object"
        : String(error);
      ok(expected.test(text), `${name}: ${text.slice(0, 200)}`);
      const [{ ended }] = await storage.load([execution.key]);
      ok(!ended!.text.includes("canary"), name);
      ok(ended!.text.length < 5_000, `${name} takes ${ended!.text.length} characters`);
    }
    equal(await last.result(), "alive");
  });
});

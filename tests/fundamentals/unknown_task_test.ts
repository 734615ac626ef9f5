/**
 * Tasks that nobody knows yet: held, charged for nothing, and run once somebody does (invariant 38).
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
import { type Execution, task, Worker } from "../../mod.ts";
import { failureOf, type MemoryStage, onEveryStorage, onMemory } from "../_harness.ts";
import { captureLogs } from "../_logs.ts";

const logged = captureLogs();

onEveryStorage("An unknown task", (test) => {
  test("is held, and runs once its worker knows it", async (stage) => {
    const producer = await stage.connect();
    const consumer = await stage.connect();
    const seen: [text: string, attempt: number, deliveries: number][] = [];
    const late = task("late", ({ execution: { attempt, deliveries } }, text: string): string => {
      seen.push([text, attempt, deliveries]);
      return text;
    });
    const execution = await producer.add<typeof late>("late")("hello");
    stage.start(consumer, { maxDeliveries: 1 });
    await stage.eventually(async () => (await execution.refresh()).state === "scheduled");
    const { attempt, deliveries, worker } = execution;

    consumer.register(late);

    equal(await stage.soon(execution.result()), "hello");
    deepEqual([attempt, deliveries, worker], [1, 0, undefined]); // charged for nothing
    deepEqual(seen, [["hello", 1, 1]]);
  });

  // F39: a rolling deploy
  test("goes to another worker that knows it", async (stage) => {
    const old = await stage.connect();
    const current = await stage.connect();
    const fresh = task("fresh", ({ worker }): string => worker.name);
    const execution = await old.add<typeof fresh>("fresh")();
    const worker = stage.start(old, { name: "old" });
    await stage.eventually(async () => (await execution.refresh()).state === "scheduled");

    current.register(fresh);
    stage.start(current, { name: "current" });
    await worker.close();

    equal(await stage.soon(execution.result()), "current");
    equal(execution.attempt, 1);
  });

  test("does not keep others from running", async (stage) => {
    const docket = await stage.connect();
    function known(): string {
      return "known";
    }
    for (let n = 0; n < 20; n++) await docket.add(`unknown ${n}`)();
    const execution = await docket.add(known)();

    stage.start(docket, { concurrency: 2 });

    equal(await stage.soon(execution.result()), "known");
  });

  test("can be cancelled and replaced", async (stage) => {
    const docket = await stage.connect();
    function known(): string {
      return "known";
    }
    const one = await docket.add("unknown", { key: "one" })();
    const two = await docket.add("unknown", { key: "two" })();
    stage.start(docket);
    await stage.eventually(async () =>
      (await one.refresh()).state === "scheduled" && (await two.refresh()).state === "scheduled"
    );

    equal(await docket.cancel("one"), "cancelled");
    const replacement = await docket.replace(known, { key: "two" })();

    equal(await stage.soon(replacement.result()), "known");
  });

  test("is warned about once per name", async (stage) => {
    const docket = await stage.connect();
    const executions: Execution[] = [];
    for (let n = 0; n < 6; n++) executions.push(await docket.add(`unknown ${n % 2}`)());

    stage.start(docket);
    await stage.eventually(async () => {
      await Promise.all(executions.map((execution) => execution.refresh()));
      return executions.every(({ state }) => state === "scheduled");
    });

    const warned = logged.map(({ level, properties }) => `${level} ${properties.task}`);
    deepEqual(warned.sort(), ["warning unknown 0", "warning unknown 1"]);
  });

  test("is not waited for by runs until all is done", async (stage) => {
    const docket = await stage.connect();
    const execution = await docket.add("unknown")();
    const known = await docket.add(function known(): string {
      return "known";
    })();

    await stage.finish(docket);

    equal(await known.result(), "known");
    equal((await execution.refresh()).state, "scheduled");
    const { counts, scheduled } = await docket.snapshot();
    deepEqual([counts.scheduled, scheduled[0].task], [1, "unknown"]);
  });

  // 38: it counts from when nobody knew it first, whoever looks
  test("is remembered since when nobody knows it, from worker to worker", async (stage) => {
    const docket = await stage.connect();
    const storage = await stage.open();
    const execution = await docket.add("unknown")();
    await stage.finish(docket, { name: "first" });
    const [{ live: before }] = await storage.load([execution.key]);

    const second = stage.start(docket, { name: "second" });
    let after = before;
    await stage.eventually(async () => {
      [{ live: after }] = await storage.load([execution.key]);
      return after?.state === "scheduled" && after.due !== before?.due;
    });
    await second.close();

    ok(before?.heldSince !== undefined);
    equal(after?.heldSince, before.heldSince);
    deepEqual([after.attempt, after.deliveries], [1, 0]);
  });

  test("is dead once nobody has known it for too long", async (stage) => {
    const docket = await stage.connect();
    const execution = await docket.add("sendLetter", { key: "key" })("hello");

    stage.start(docket, { name: "web", unknownTaskTtl: 500, maxDeliveries: 1 });

    assertUnknown(await stage.soon(failureOf(execution)), "sendLetter");
    deepEqual([execution.state, execution.worker], ["dead", "web"]);
    equal((await docket.add("sendLetter", { key: "key", delay: "1h" })()).disposition, "scheduled");
    const [dead] = await docket.dead();
    deepEqual([dead.key, dead.task, dead.args, dead.attempt], ["key", "sendLetter", ["hello"], 1]);
    assertUnknown(dead.error, "sendLetter");
  });

  test("that is dead runs when it is tried again, once somebody knows it", async (stage) => {
    const operator = await stage.connect();
    const seen: [text: string, attempt: number, deliveries: number][] = [];
    const late = task("late", ({ execution: { attempt, deliveries } }, text: string): string => {
      seen.push([text, attempt, deliveries]);
      return text;
    });
    const execution = await operator.add<typeof late>("late")("hello");
    const worker = stage.start(operator, { unknownTaskTtl: 0 }); // no patience at all
    await stage.soon(failureOf(execution));
    await worker.close();

    const again = await execution.retry();
    await stage.finish(await stage.connect({ tasks: [late] }));

    equal(await again.result(), "hello");
    deepEqual(seen, [["hello", 1, 1]]);
    deepEqual(await operator.dead(), []);
  });
});

/** What is recorded of a task that died unknown. */
function assertUnknown(error: unknown, name: string): void {
  ok(error instanceof Error);
  equal(error.name, "UnknownTaskError");
  ok(error.message.startsWith(`Cannot run "${name}": `), error.message);
}

onEveryStorage("A worker's fallback", (test) => {
  test("takes what the worker does not know, and nothing else", async (stage) => {
    const docket = await stage.connect();
    const seen: unknown[] = [];
    const known = task("known", (): string => "known");
    const executions = [
      await docket.add("one", { key: "a" })("hello", 5),
      await docket.add("two", { key: "b", delay: 5 })(),
      await docket.add(known)(),
    ];

    await stage.finish(docket, {
      name: "web",
      fallback: async (execution) => {
        const { key, task, args, state, attempt, worker } = execution;
        seen.push([key, task, args, state, attempt, worker]);
        await stage.sleep(1);
        return `instead of ${task}`;
      },
    });

    deepEqual(seen, [
      ["a", "one", ["hello", 5], "running", 1, "web"],
      ["b", "two", [], "running", 1, "web"],
    ]);
    const results = await Promise.all(executions.map((execution) => execution.result()));
    deepEqual(results, ["instead of one", "instead of two", "known"]);
    deepEqual(logged, []);
  });

  test("fails the execution with what it throws", async (stage) => {
    const docket = await stage.connect();
    const execution = await docket.add("unknown")();

    await stage.finish(docket, {
      fallback() {
        throw new RangeError("not mine either");
      },
    });

    const error = await failureOf(execution);
    deepEqual([error.name, error.message], ["RangeError", "not mine either"]);
    equal(execution.state, "failed");
  });

  test("takes what other workers held", async (stage) => {
    const docket = await stage.connect();
    const execution = await docket.add("unknown")();
    await stage.finish(docket);
    equal((await execution.refresh()).state, "scheduled");

    stage.start(docket, { fallback: ({ task }) => task });

    equal(await stage.soon(execution.result()), "unknown");
  });

  test("is not given what is struck", async (stage) => {
    const docket = await stage.connect();
    const execution = await docket.add("unknown")();
    await docket.strike({ task: "unknown" });
    let calls = 0;

    await stage.finish(docket, { fallback: () => calls++ });

    await rejects(execution.result(), { reason: "struck" });
    equal(calls, 0);
  });

  test("must be a function", async (stage) => {
    const docket = await stage.connect();

    for (const fallback of ["other", null, {}]) {
      throws(() => new Worker(docket, { fallback: fallback as never }), TypeError);
    }
  });
});

onMemory("An unknown task", (test) => {
  test("is tried again after a second, then after longer and longer, up to a minute", async (stage) => {
    const storage = await stage.open();
    const docket = await stage.connect();
    const begin = stage.clock.now();
    const execution = await docket.add("unknown")();
    stage.start(docket);
    await stage.advance(1);
    const tries: number[] = [];

    for (let last = 0; tries.length < 9;) {
      const [{ live }] = await storage.load([execution.key]);
      const due = live!.due! - begin;
      if (due !== last) tries.push(due - last);
      last = due;
      await stage.advance(1_000);
    }

    deepEqual(tries, [1, 2, 4, 8, 16, 32, 60, 60, 60].map((seconds) => seconds * 1_000));
    deepEqual(logged.length, 1);
  });
});

onMemory("An unknown task", (test) => {
  /** How long a worker holds it before it is dead. */
  async function patienceOf(
    stage: MemoryStage,
    options: { readonly unknownTaskTtl?: string },
  ): Promise<number> {
    const docket = await stage.connect({ heartbeatInterval: "1h" }); // else time goes by slowly
    const begin = stage.clock.now();
    const execution = await docket.add("unknown")();
    const worker = stage.start(docket, { redeliveryTimeout: "1h", ...options });
    while ((await execution.refresh()).state !== "dead") await stage.advance(60_000);
    await stage.soon(worker.close());
    return execution.completedAt!.getTime() - begin;
  }

  test("is dead after a day, or at the first look after it", async (stage) => {
    const patience = await patienceOf(stage, {});

    const day = 86_400_000;
    ok(patience >= day && patience <= day + 60_000, `${patience} ms`);
  });

  test("is dead after as long as the worker was told", async (stage) => {
    const patience = await patienceOf(stage, { unknownTaskTtl: "10m" });

    ok(patience >= 600_000 && patience <= 660_000, `${patience} ms`);
  });

  // Whoever took it knew it: then nobody was waiting for one who does
  test("begins anew to be held when somebody knew it in between", async (stage) => {
    const docket = await stage.connect();
    const storage = await stage.open();
    const execution = await docket.add("unknown")();
    await stage.finish(docket);
    const [{ live: held }] = await storage.load([execution.key]);
    let runs = 0;
    const fallback = () => {
      runs++;
      return new Promise(() => {});
    };
    const worker = stage.start(docket, { fallback, gracePeriod: 0 });
    await stage.eventually(() => runs === 1);

    await stage.soon(worker.close()); // gives it back
    const [{ live: released }] = await storage.load([execution.key]);
    await stage.finish(docket);
    const [{ live: again }] = await storage.load([execution.key]);

    equal(released?.heldSince, undefined);
    ok(again!.heldSince! > held!.heldSince!);
    deepEqual([again?.attempt, again?.deliveries], [1, 0]);
  });
});

onMemory("A burst of unknown tasks", (test) => {
  // 38: the delay grows from try to try, and not from one execution to the next
  test("is held for one second, all of it", async (stage) => {
    const docket = await stage.connect();
    const executions = await Promise.all(
      Array.from({ length: 10 }, () => docket.add("nobody knows")()),
    );
    const start = stage.clock!.now();
    stage.start(docket);
    await stage.advance(1);

    for (const execution of executions) await execution.refresh();

    deepEqual(
      new Set(executions.map(({ when }) => Math.round((when!.getTime() - start) / 1_000))),
      new Set([1]),
    );
  });
});

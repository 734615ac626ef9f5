/**
 * Spans: one for each thing that a producer does and for each run, linked whatever lies between (invariants 82, 83).
 *
 * @module
 */

import {
  deepStrictEqual as deepEqual,
  ok,
  rejects,
  strictEqual as equal,
} from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import type { ReadableSpan } from "@opentelemetry/sdk-trace-base";
import {
  ConcurrencyLimit,
  ConnectionError,
  Depends,
  type Docket,
  Perpetual,
  Retry,
  task,
} from "../../mod.ts";
import { aborted, altered, onEveryStorage, onMemory, type Stage } from "../_harness.ts";
import { captureSpans } from "../_telemetry.ts";

const spans = captureSpans();

onEveryStorage("A trace", (test) => {
  test("has a span of each add and of each run, and the one is linked to the other", async (stage) => {
    const docket = await stage.connect();
    function greet(_name: string): void {}

    await docket.add(greet, { key: "k" })("Jane");
    await trace.getTracer("test").startActiveSpan("program", async (span) => {
      await stage.finish(docket, { name: "web-1" });
      span.end();
    });

    const [add, run] = spans();
    deepEqual([add.name, add.kind], ["docket.add", SpanKind.PRODUCER]);
    deepEqual(add.attributes, {
      "messaging.system": "docket",
      "messaging.destination.name": docket.name,
      "messaging.operation.name": "add",
      "messaging.operation.type": "send",
      "messaging.message.id": "k",
      "docket.name": docket.name,
      "docket.task": "greet",
      "docket.key": "k",
    });
    deepEqual([run.name, run.kind], ["greet", SpanKind.CONSUMER]);
    const { "docket.punctuality": punctuality, ...attributes } = run.attributes;
    ok(typeof punctuality === "number" && punctuality >= 0);
    deepEqual(attributes, {
      "messaging.system": "docket",
      "messaging.destination.name": docket.name,
      "messaging.operation.name": "process",
      "messaging.operation.type": "process",
      "messaging.message.id": "k",
      "docket.name": docket.name,
      "docket.task": "greet",
      "docket.key": "k",
      "docket.worker": "web-1",
      "docket.attempt": 1,
      "docket.redelivered": false,
      "docket.outcome": "completed",
    });
    equal(run.status.code, SpanStatusCode.UNSET);
    assertLinked(run, add);
    equal(run.parentSpanContext, undefined); // it may come days later, and a worker's span would not end before it
    equal(spans().length, 3); // none of polling, claiming and renewing
  });

  test("links a run also where it was scheduled for later, by whatever is traced", async (stage) => {
    const docket = await stage.connect();
    function greet(): void {}
    const tracer = trace.getTracer("test");

    await tracer.startActiveSpan("request", async (span) => {
      await docket.add(greet, { delay: 20 })();
      span.end();
    });
    await stage.finish(docket);

    const [add, request, run] = spans();
    equal(add.parentSpanContext?.spanId, request.spanContext().spanId);
    assertLinked(run, add);
  });

  test("has one span of many adds, to which all of their runs are linked", async (stage) => {
    const docket = await stage.connect();
    function greet(_name: string): void {}

    await docket.addAll(["a", "b", "c"].map((name) => docket.call(greet)(name)));
    await docket.addAll([]);
    await stage.finish(docket);

    const [add, ...runs] = spans();
    equal(add.attributes["messaging.batch.message_count"], 3);
    equal(runs.length, 3);
    for (const run of runs) assertLinked(run, add);
  });

  test("tells a replace and a cancel", async (stage) => {
    const docket = await stage.connect();
    function greet(): void {}

    const execution = await docket.replace(greet, { key: "k", delay: "1h" })();
    await execution.cancel();
    await docket.cancel("k");

    deepEqual(spans().map(({ name }) => name), [
      "docket.replace",
      "docket.cancel",
      "docket.cancel",
    ]);
    const [, { attributes, status }] = spans();
    equal(attributes["docket.key"], "k");
    equal(status.code, SpanStatusCode.UNSET);
  });

  test("has every attempt linked to the add, and those that throw in error", async (stage) => {
    const docket = await stage.connect();
    const flaky = task("flaky", { retry: new Retry({ attempts: 2, delay: 5 }) }, (): void => {
      throw new TypeError("not yet");
    });

    await docket.add(flaky)();
    await stage.finish(docket);

    const [add, ...runs] = spans();
    deepEqual(runs.map(({ attributes }) => attributes["docket.attempt"]), [1, 2]);
    deepEqual(runs.map(({ attributes }) => attributes["docket.outcome"]), ["retried", "failed"]);
    for (const run of runs) {
      assertLinked(run, add);
      deepEqual(run.status, { code: SpanStatusCode.ERROR, message: "not yet" });
      const [{ name, attributes }] = run.events;
      equal(name, "exception");
      equal(attributes!["exception.type"], "TypeError");
      equal(attributes!["exception.message"], "not yet");
      ok(String(attributes!["exception.stacktrace"]).includes("TypeError: not yet"));
    }
  });

  test("keeps little of what is thrown, however large it is, and whatever it is", async (stage) => {
    const docket = await stage.connect();
    function large(): void {
      throw new Error("x".repeat(1_000_000));
    }
    function odd(): void {
      throw { toString: () => "odd" };
    }
    await docket.add(large)();
    await docket.add(odd)();

    await stage.finish(docket);

    const runs = spans().filter(({ kind }) => kind === SpanKind.CONSUMER);
    deepEqual(runs.map(({ status }) => status.code), [SpanStatusCode.ERROR, SpanStatusCode.ERROR]);
    ok(runs.every(({ events, status }) => JSON.stringify([events, status]).length < 10_000));
    ok(runs.some(({ status }) => status.message === "odd"));
  });

  test("links the runs of a chain to what began it, whatever arguments they are given", async (stage) => {
    const docket = await stage.connect();
    const count = task("count", { perpetual: new Perpetual() }, ({ perpetual }, n: number) => {
      if (n < 3) perpetual.perpetuate(n + 1);
      else perpetual.cancel();
    });

    await docket.add(count)(1);
    await stage.finish(docket);

    const [add, ...runs] = spans();
    equal(runs.length, 3);
    for (const run of runs) assertLinked(run, add);
  });

  test("tells what was redelivered, and links it to the add", async (stage) => {
    const docket = await stage.connect();
    function greet(): void {}
    await docket.add(greet)();
    const storage = await stage.open();
    const step = { consumer: "dead~1", lane: 0, call: 1, token: "t".repeat(22), commits: [] };
    await storage.step({ ...step, want: 1, from: ">", maxDeliveries: 5 });

    await stage.finish(docket, { redeliveryTimeout: 100 });
    await storage.retire("dead~1");

    const [add, run] = spans();
    equal(run.attributes["docket.redelivered"], true);
    assertLinked(run, add);
  });

  test("does not call an error what was cancelled", async (stage) => {
    const docket = await stage.connect();
    const started = Promise.withResolvers<void>();
    const wait = task("wait", async ({ signal }): Promise<void> => {
      started.resolve();
      await aborted(signal);
      throw signal.reason;
    });
    const execution = await docket.add(wait)();
    const worker = stage.start(docket);
    await stage.soon(started.promise);
    await execution.cancel();
    await rejects(stage.soon(execution.result()));
    await stage.soon(worker.close());

    const run = spans().find(({ name }) => name === "wait")!;
    equal(run.attributes["docket.outcome"], "cancelled");
    equal(run.status.code, SpanStatusCode.UNSET);
    equal(run.events.length, 0);
  });

  test("does not call an error what a shutdown gave back, and ends the span of it", async (stage) => {
    const docket = await stage.connect();
    const never = Promise.withResolvers<void>();
    stage.afterwards(never.resolve);
    let begun = 0;
    const heeds = task("heeds", async ({ signal }): Promise<void> => {
      begun++;
      await aborted(signal);
      throw signal.reason;
    });
    const ignores = task("ignores", async (): Promise<void> => {
      begun++;
      await never.promise;
    });
    await docket.addAll([docket.call(heeds)(), docket.call(ignores)()]);
    const worker = stage.start(docket, { gracePeriod: 1 });
    await stage.eventually(() => begun === 2);

    await stage.soon(worker.close());

    const runs = spans().filter(({ kind }) => kind === SpanKind.CONSUMER);
    deepEqual(runs.map(({ name }) => name).sort(), ["heeds", "ignores"]);
    for (const { attributes, status, events } of runs) {
      equal(attributes["docket.outcome"], "released");
      equal(status.code, SpanStatusCode.UNSET);
      equal(events.length, 0);
    }
  });

  test("has no span of what does not begin", async (stage) => {
    const docket = await stage.connect();
    await waiting(stage, docket);

    deepEqual(spans().map(({ name }) => name).sort(), [
      ...Array(3).fill("docket.add"),
      ...Array(3).fill("once"),
    ]);
  });

  test("has what handlers and dependencies trace below the span of their run", async (stage) => {
    const docket = await stage.connect();
    const tracer = trace.getTracer("test");
    const connection = new Depends(async () => {
      tracer.startSpan("open").end();
      await pause(1);
    });
    const work = task("work", { connection }, async (): Promise<void> => {
      await pause(1);
      tracer.startSpan("query").end();
    });

    await docket.add(work)();
    await stage.finish(docket);

    const run = spans().find(({ name }) => name === "work")!;
    for (const name of ["open", "query"]) {
      const inner = spans().find((span) => span.name === name)!;
      equal(inner.parentSpanContext?.spanId, run.spanContext().spanId, name);
    }
  });

  test("has the span of an add that fails in error, and lets through why", async (stage) => {
    const failing = altered(await stage.open(), {
      schedule: () => Promise.reject(new ConnectionError("Cannot schedule tasks: gone")),
    });
    const docket = await stage.connect({ storage: failing });
    function greet(): void {}

    await rejects(docket.add(greet)(), { message: "Cannot schedule tasks: gone" });

    const [{ name, status }] = spans();
    equal(name, "docket.add");
    deepEqual(status, { code: SpanStatusCode.ERROR, message: "Cannot schedule tasks: gone" });
  });

  test("has no span of an add that is refused before anything is sent", async (stage) => {
    const docket = await stage.connect();
    await rejects(docket.add("greet")(() => {}), { name: "SerializationError" });
    equal(spans().length, 0);
  });
});

onMemory("A trace", (test) => {
  test("shows nothing of the arguments", async (stage) => {
    const docket = await stage.connect();
    function pay(_card: string): void {
      throw new Error("declined");
    }

    await docket.add(pay)("canary-4111");
    await stage.finish(docket);

    const told = spans().map(({ attributes, links, status }) => [attributes, links, status]);
    ok(!JSON.stringify(told).includes("canary"));
  });
});

/** Three runs that meet before a limit of one: two of them are claimed twice. */
async function waiting(stage: Stage, docket: Docket): Promise<void> {
  const once = task(
    "once",
    { one: new ConcurrencyLimit({ max: 1 }) },
    () => stage.sleep(5),
  );
  for (let i = 0; i < 3; i++) await docket.add(once)();
  await stage.finish(docket);
}

function assertLinked(run: ReadableSpan, add: ReadableSpan): void {
  const { traceId, spanId } = add.spanContext();
  deepEqual(run.links.map(({ context }) => [context.traceId, context.spanId]), [[traceId, spanId]]);
}

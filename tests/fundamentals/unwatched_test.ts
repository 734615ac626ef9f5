/**
 * What is told to nobody is not made: no span, no label, no line in the log, for no task.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, ok } from "node:assert/strict";
import { configure, getLogger, reset } from "@logtape/logtape";
import { metrics, ProxyTracer, trace } from "@opentelemetry/api";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { meters } from "../../src/instrumentation/meters.ts";
import { Observer } from "../../src/worker/observer.ts";
import { onEveryStorage, type Stage } from "../_harness.ts";

const TASKS = 500;

onEveryStorage("A run that nobody watches", (test) => {
  test("makes no span, no label and no line", async (stage) => {
    using spy = new Spy();

    await drain(stage);

    deepEqual(spy.made, { spans: 0, lines: 0, observations: 0 });
    deepEqual(talliesOf(stage), []);
  });

  test("is one that nobody watches: where somebody does, all that is made", async (stage) => {
    using spy = new Spy();
    trace.getTracer("unwatched").startSpan("nothing"); // also what goes to nobody is counted
    const exporter = new InMemorySpanExporter();
    const spanProcessors = [new SimpleSpanProcessor(exporter)];
    trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors }));
    metrics.setGlobalMeterProvider(new MeterProvider());
    await configure({
      sinks: { none: () => {} },
      loggers: [{ category: "docket", sinks: ["none"] }, { category: ["logtape", "meta"] }],
    });
    try {
      await drain(stage);
    } finally {
      trace.disable();
      metrics.disable();
      await reset();
    }

    const { spans, lines, observations } = spy.made;
    deepEqual({ spans, observations }, { spans: 1, observations: TASKS });
    ok(lines >= 2 * TASKS);
    ok(talliesOf(stage).some(({ counters }) => counters.docket_tasks_started === TASKS));
    deepEqual(exporter.getFinishedSpans().length, TASKS + 2);
  });
});

/** One by itself, the others together. */
async function drain(stage: Stage): Promise<void> {
  const docket = await stage.connect({ name: stage.name });
  function nothing(): void {}
  await docket.addAll(Array.from({ length: TASKS - 1 }, () => docket.call(nothing)()));
  await docket.add(nothing)();
  await stage.finish(docket, { concurrency: 100 });
}

function talliesOf(stage: Stage) {
  return [...meters.tallies].filter(({ labels }) => labels.docket === stage.name);
}

/** Counts what is made, until it is disposed. */
class Spy implements Disposable {
  readonly made = { spans: 0, lines: 0, observations: 0 };
  readonly #undo: (() => void)[] = [];

  constructor() {
    const logger: object = Object.getPrototypeOf(getLogger(["docket", "worker"]));
    for (const level of ["trace", "debug", "info", "warn", "warning", "error", "fatal"]) {
      this.#count(logger, level, "lines");
    }
    this.#count(ProxyTracer.prototype, "startSpan", "spans");
    this.#count(ProxyTracer.prototype, "startActiveSpan", "spans");
    this.#count(Observer.prototype, "begin", "observations");
  }

  [Symbol.dispose](): void {
    for (const undo of this.#undo) undo();
  }

  #count(prototype: object, method: string, what: keyof Spy["made"]): void {
    const own: unknown = Reflect.get(prototype, method);
    if (typeof own !== "function") throw new TypeError(`There is no ${method}() to count`);
    const { made } = this;
    Reflect.set(prototype, method, function (this: unknown, ...args: unknown[]): unknown {
      made[what]++;
      return own.apply(this, args);
    });
    this.#undo.push(() => Reflect.set(prototype, method, own));
  }
}

/**
 * An SDK of OpenTelemetry that throws: tasks run as if there were none.
 *
 * @module
 */

import { strictEqual as equal } from "node:assert/strict";
import {
  createNoopMeter,
  INVALID_SPAN_CONTEXT,
  type MeterProvider,
  metrics,
  trace,
  type TracerProvider,
} from "@opentelemetry/api";
import { Retry, task } from "../../mod.ts";
import { onEveryStorage } from "../_harness.ts";

/** Has every method that is asked for, and each throws, but those that are given. */
function broken<Whole extends object>(whole: object = {}): Whole {
  const method = () => {
    throw new Error("It is broken");
  };
  return new Proxy(whole, { get: (_, name) => Reflect.get(whole, name) ?? method }) as Whole;
}

const instrument = () => broken<never>();

const SDKS: Readonly<Record<string, readonly [TracerProvider?, MeterProvider?]>> = {
  "that makes no tracer and no meter": [broken(), broken()],
  "that begins no span and no instrument": [
    { getTracer: () => broken() },
    { getMeter: () => broken() },
  ],
  "whose spans and instruments throw": [
    { getTracer: () => broken({ startSpan: () => broken() }) },
    {
      getMeter: () =>
        Object.assign(Object.create(createNoopMeter()), {
          createCounter: instrument,
          createHistogram: instrument,
        }),
    },
  ],
  "whose spans end badly": [
    {
      getTracer: () =>
        broken({
          startSpan: () => broken({ spanContext: () => INVALID_SPAN_CONTEXT }),
        }),
    },
  ],
};

onEveryStorage("With an SDK", (test) => {
  for (const [such, [tracers, meters]] of Object.entries(SDKS)) {
    test(`${such}, tasks are added, run, tried again and cancelled`, async (stage) => {
      if (tracers) trace.setGlobalTracerProvider(tracers);
      if (meters) metrics.setGlobalMeterProvider(meters);
      stage.afterwards(() => {
        trace.disable();
        metrics.disable();
      });
      const docket = await stage.connect({ heartbeatInterval: 20 });
      const double = task("double", (_context, n: number) => 2 * n);
      const flaky = task("flaky", { retry: new Retry({ attempts: 2 }) }, ({ attempt }): number => {
        if (attempt === 1) throw new Error("not yet");
        return attempt;
      });
      function later(): void {}

      const first = await docket.add(double)(1);
      const second = await docket.replace(flaky, { key: "k" })();
      const [third] = await docket.addAll([docket.call(double)(3)]);
      const fourth = await docket.add(later, { delay: "1h" })();
      equal(await docket.cancel(fourth.key), "cancelled");
      const worker = stage.start(docket);

      equal(await stage.soon(first.result()), 2);
      equal(await stage.soon(second.result()), 2);
      equal(await stage.soon(third.result()), 6);
      await stage.soon(worker.close());
    });
  }
});

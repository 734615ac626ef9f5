/**
 * An SDK that is registered, or taken away, while tasks run.
 *
 * @module
 */

import { strictEqual as equal } from "node:assert/strict";
import { metrics } from "@opentelemetry/api";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { task } from "../../mod.ts";
import { onMemory } from "../_harness.ts";

onMemory("An SDK that comes late", (test) => {
  test("is told what runs already, and what runs no longer", async (stage) => {
    const docket = await stage.connect();
    const ends = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const hold = task("hold", (_context, n: number) => ends[n].promise);
    stage.afterwards(() => metrics.disable());
    const first = sdk();
    const second = sdk();
    metrics.setGlobalMeterProvider(first.provider);
    stage.start(docket);
    const [one, two] = [await docket.add(hold)(0), await docket.add(hold)(1)];
    await stage.eventually(async () => await first.running(docket.name) === 2);

    metrics.disable();
    metrics.setGlobalMeterProvider(second.provider);
    await docket.add(hold, { delay: "1h" })(0); // it is noticed when something happens
    ends[0].resolve();
    await stage.soon(one.result());
    equal(await second.running(docket.name), 1);

    metrics.disable();
    metrics.setGlobalMeterProvider(first.provider);
    await docket.clear();
    ends[1].resolve();
    await stage.soon(two.result());
    equal(await first.running(docket.name), 0);
  });
});

/** Tells how many runs of a docket are under way. */
function sdk() {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const running = async (docket: string): Promise<number | undefined> => {
    exporter.reset();
    await reader.forceFlush();
    const found = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics)
      .flatMap(({ metrics }) => metrics)
      .find(({ descriptor }) => descriptor.name === "docket_tasks_running");
    const point = found?.dataPoints.find(({ attributes }) => attributes.docket === docket);
    return point && Number(point.value);
  };
  return { provider: new MeterProvider({ readers: [reader] }), running };
}

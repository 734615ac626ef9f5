/**
 * An OpenTelemetry SDK that keeps what it is given, for the tests of a file.
 *
 * @module
 */

import { after, before, beforeEach } from "node:test";
import { context, metrics, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import {
  AggregationTemporality,
  type DataPoint,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";

/** The spans that ended since the present test began. */
export function captureSpans(): () => ReadableSpan[] {
  const exporter = new InMemorySpanExporter();
  before(() => {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    const spanProcessors = [new SimpleSpanProcessor(exporter)];
    trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors }));
  });
  beforeEach(() => exporter.reset());
  after(() => {
    trace.disable();
    context.disable();
  });
  return () => exporter.getFinishedSpans();
}

/** What was measured: by name, then by labels. */
export type Measured = ReadonlyMap<string, readonly DataPoint<unknown>[]>;

/** Reads all metrics as they are now. */
export function captureMetrics(): () => Promise<Measured> {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const provider = new MeterProvider({ readers: [reader] });
  before(() => void metrics.setGlobalMeterProvider(provider));
  after(async () => {
    metrics.disable();
    await provider.shutdown();
  });
  return async () => {
    exporter.reset();
    await reader.forceFlush();
    const found = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics);
    const named = found.flatMap(({ metrics }) => metrics);
    return new Map(named.map(({ descriptor, dataPoints }) => [descriptor.name, dataPoints]));
  };
}

/**
 * What is counted, as Prometheus reads it. The numbers are those of the tallies, looked at when somebody asks: as long as
 * nobody does, counting costs what adding plain numbers costs.
 *
 * @module
 */

import type { DataPoint, MetricData, ResourceMetrics } from "@opentelemetry/sdk-metrics";
import {
  AGES,
  BOUNDS,
  type Counter,
  COUNTERS,
  entries,
  HISTOGRAMS,
  LEVELS,
} from "../instrumentation/instruments.ts";
import { meters, SCOPE } from "../instrumentation/meters.ts";
import type { Tally } from "../instrumentation/tally.ts";
import type { Docket } from "../docket/docket.ts";
import type { Worker } from "../worker/worker.ts";
import { CommandError } from "./errors.ts";
import type { Answer } from "./http.ts";

/** Version 0.0.4 is what every Prometheus reads. */
const TEXT = "text/plain; version=0.0.4; charset=utf-8";

/** `ValueType.DOUBLE` of the API. */
const DOUBLE = 1;

/** What there is a count of for every task that a worker may run. */
const OF_RUNS: ReadonlySet<Counter> = new Set<Counter>([
  "docket_tasks_started",
  "docket_tasks_redelivered",
  "docket_tasks_completed",
  "docket_tasks_succeeded",
  "docket_tasks_failed",
  "docket_tasks_retried",
  "docket_tasks_dead",
]);

/**
 * Begins to count, and gives the page that shows the counts. What makes the text of them is loaded now, and by nobody
 * else.
 *
 * @throws {CommandError} When it is not installed.
 */
export async function metricsPage(): Promise<() => Answer> {
  const [{ PrometheusSerializer }, sdk] = await loadExporter();
  const startTime = instant();
  // Nothing of a scope and nothing of a target: labels are those of the tallies, and no version is told.
  const serializer = new PrometheusSerializer("", false, undefined, true, true);
  const resource = { attributes: {} } as ResourceMetrics["resource"];
  meters.read();
  return () => {
    const metrics = toMetrics([...meters.tallies], sdk, startTime, instant());
    const text = serializer.serialize({
      resource,
      scopeMetrics: [{ scope: { name: SCOPE }, metrics }],
    });
    return { status: 200, type: TEXT, text: `${text.trimEnd()}\n` };
  };
}

/** Shows counts of what a worker knows, before it runs any of it. */
export function expectRuns({ name: docket, tasks }: Docket, { name: worker }: Worker): void {
  for (const task of tasks) meters.tallies.of({ docket, worker, task });
}

type Sdk = Pick<
  typeof import("@opentelemetry/sdk-metrics"),
  "AggregationTemporality" | "DataPointType"
>;

async function loadExporter(): Promise<
  readonly [typeof import("@opentelemetry/exporter-prometheus"), Sdk]
> {
  try {
    return await Promise.all([
      import("@opentelemetry/exporter-prometheus"),
      import("@opentelemetry/sdk-metrics"),
    ]);
  } catch (error) {
    throw new CommandError(
      "Cannot serve metrics: @opentelemetry/exporter-prometheus and @opentelemetry/sdk-metrics, " +
        "optional dependencies of docket, are not installed",
      { cause: error },
    );
  }
}

/** The instruments of the table that have any numbers. */
function toMetrics(
  tallies: readonly Tally[],
  { AggregationTemporality: { CUMULATIVE }, DataPointType }: Sdk,
  startTime: Instant,
  endTime: Instant,
): MetricData[] {
  const aggregationTemporality = CUMULATIVE;
  const points = <Value>(read: (tally: Tally) => Value | undefined): DataPoint<Value>[] =>
    tallies.flatMap((tally) => {
      const value = read(tally);
      return value === undefined ? [] : [{ startTime, endTime, attributes: tally.labels, value }];
    });
  const counters = entries(COUNTERS).map(([name, description]): MetricData => ({
    descriptor: describe(name, description),
    aggregationTemporality,
    dataPointType: DataPointType.SUM,
    isMonotonic: true,
    dataPoints: points((tally) => shown(tally, name)),
  }));
  const levels = [...entries(LEVELS), ...entries(AGES)].map(([name, description]): MetricData => ({
    descriptor: describe(name, description, name in AGES ? "s" : ""),
    aggregationTemporality,
    dataPointType: DataPointType.GAUGE,
    dataPoints: points(({ levels }) => levels[name]),
  }));
  const histograms = entries(HISTOGRAMS).map(([name, description]): MetricData => ({
    descriptor: describe(name, description, "s"),
    aggregationTemporality,
    dataPointType: DataPointType.HISTOGRAM,
    dataPoints: points(({ histograms }) => {
      const { buckets: counts, count, sum } = histograms[name];
      return count === 0
        ? undefined
        : { buckets: { boundaries: [...BOUNDS], counts: [...counts] }, count, sum };
    }),
  }));
  return [...counters, ...levels, ...histograms].filter(({ dataPoints }) => dataPoints.length > 0);
}

function shown({ labels, counters }: Tally, name: Counter): number | undefined {
  return counters[name] > 0 || isExpected(labels, name) ? counters[name] : undefined;
}

/** Shown as 0, too: a counter that appears with its first failure looks to `increase()` as if there had been none. */
function isExpected({ worker, task }: Tally["labels"], name: Counter): boolean {
  if (task !== undefined) return worker !== undefined && OF_RUNS.has(name);
  return name === (worker === undefined ? "docket_redis_disruptions" : "docket_fenced");
}

function describe(name: string, description: string, unit = ""): MetricData["descriptor"] {
  return { name, description, unit, valueType: DOUBLE };
}

type Instant = DataPoint<number>["startTime"];

function instant(): Instant {
  const now = Date.now();
  return [Math.floor(now / 1_000), now % 1_000 * 1_000_000];
}

/**
 * Metrics for whoever reads them: any SDK that is registered with `@opentelemetry/api`, and readers of our own.
 *
 * @module
 */

import type {
  BatchObservableResult,
  Counter as ApiCounter,
  Histogram as ApiHistogram,
  Meter,
  MeterProvider,
  Observable,
} from "@opentelemetry/api";
import { type Api, otel } from "./api.ts";
import {
  AGES,
  BOUNDS,
  type Counter,
  COUNTERS,
  each,
  entries,
  type HistogramName,
  HISTOGRAMS,
  type Level,
  LEVELS,
} from "./instruments.ts";
import { safely } from "./safely.ts";
import { type Labels, Tallies, type Tally } from "./tally.ts";

/** What meters, tracers and exporters call this library. */
export const SCOPE = "docket";

/** Counts for whoever reads; nothing is kept while nobody does. */
export class Meters {
  readonly tallies: Tallies = new Tallies();
  #isRead = false;
  #provider?: MeterProvider;
  #bound?: Bound;

  /** Whether anybody reads: an SDK may be registered at any time. */
  look(): boolean {
    const api = otel();
    if (api) this.#follow(api);
    return this.#isRead || this.#bound !== undefined;
  }

  /** Somebody reads {@linkcode tallies} from now on. */
  read(): void {
    this.#isRead = true;
  }

  /** Counts one more, or several. */
  count(counter: Counter, labels: Labels, times = 1): void {
    this.add(counter, this.tallies.of(labels), times);
  }

  /** Counts one more, or several, for whoever has looked up whose numbers they are. */
  add(counter: Counter, tally: Tally, times = 1): void {
    tally.counters[counter] += times;
    const bound = this.#bound;
    if (bound) safely(() => bound.counters[counter].add(times, tally.labels));
  }

  /** One run more is under way, or one less. */
  run(change: 1 | -1, tally: Tally): void {
    tally.levels.docket_tasks_running = (tally.levels.docket_tasks_running ?? 0) + change;
  }

  /** Tells how much there is now, or that nobody knows any more. */
  set(level: Level, value: number | undefined, labels: Labels): void {
    this.tallies.of(labels).levels[level] = value;
  }

  /** Counts a value, in seconds. */
  record(histogram: HistogramName, value: number, tally: Tally): void {
    tally.histograms[histogram].record(value);
    const bound = this.#bound;
    if (bound) safely(() => bound.histograms[histogram].record(value, tally.labels));
  }

  #follow(api: Api): void {
    const provider = api.metrics.getMeterProvider();
    if (provider === this.#provider) return;
    this.#provider = provider;
    safely(() => this.#bound?.release());
    this.#bound = safely(() => {
      const meter = provider.getMeter(SCOPE);
      return meter === api.createNoopMeter() ? undefined : bind(meter, this.tallies);
    });
  }
}

/** What a meter was asked for. */
interface Bound {
  readonly counters: Readonly<Record<Counter, ApiCounter>>;
  readonly histograms: Readonly<Record<HistogramName, ApiHistogram>>;
  release(): void;
}

/**
 * Instruments of the table. What is counted is told at once: a program that ends soon has told it, too. What there is, is
 * told when it is read, also to an SDK that came while tasks ran; of the docket each worker tells the same.
 */
function bind(meter: Meter, tallies: Tallies): Bound {
  const { docket_tasks_running: description, ...depths } = LEVELS;
  const running = meter.createObservableUpDownCounter("docket_tasks_running", { description });
  const levels: readonly (readonly [Level, Observable])[] = [
    ["docket_tasks_running", running],
    ...entries(depths).map(([name, description]) =>
      [name, meter.createObservableGauge(name, { description })] as const
    ),
    ...entries(AGES).map(([name, description]) =>
      [name, meter.createObservableGauge(name, { description, unit: "s" })] as const
    ),
  ];
  const observe = (result: BatchObservableResult) => {
    for (const { labels, levels: found } of tallies) {
      for (const [name, level] of levels) {
        if (found[name] !== undefined) result.observe(level, found[name], labels);
      }
    }
  };
  const observed = levels.map(([, level]) => level);
  meter.addBatchObservableCallback(observe, observed);
  const advice = { explicitBucketBoundaries: [...BOUNDS] };
  return {
    counters: each(COUNTERS, (name, description) => meter.createCounter(name, { description })),
    histograms: each(HISTOGRAMS, (name, description) => {
      return meter.createHistogram(name, { description, unit: "s", advice });
    }),
    release: () => meter.removeBatchObservableCallback(observe, observed),
  };
}

/** Those of this process. */
export const meters: Meters = new Meters();

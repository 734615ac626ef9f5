/**
 * Metrics for whoever reads them: any SDK that is registered with `@opentelemetry/api`, and readers of our own.
 *
 * @module
 */

import {
  type BatchObservableResult,
  createNoopMeter,
  type Histogram as ApiHistogram,
  type Meter,
  type MeterProvider,
  metrics,
  type Observable,
} from "@opentelemetry/api";
import {
  AGES,
  BOUNDS,
  type Counter,
  COUNTERS,
  type HistogramName,
  HISTOGRAMS,
  type Level,
  LEVELS,
} from "./instruments.ts";
import { type Labels, Tallies, type Tally } from "./tally.ts";

/** What meters, tracers and exporters call this library. */
export const SCOPE = "docket";

/** Counts for whoever reads; nothing is kept while nobody does. */
export class Meters {
  readonly tallies: Tallies = new Tallies();
  #readers = 0;
  #provider?: MeterProvider;
  #ours?: MeterProvider;
  #bound?: Bound;

  /** Whether anybody reads: an SDK may be registered at any time. */
  look(): boolean {
    const provider = metrics.getMeterProvider();
    if (provider !== this.#provider) this.#bind(provider);
    return this.#readers > 0 || this.#bound !== undefined;
  }

  /** Somebody reads {@linkcode tallies} from now on. What `ours` exports has them already, and gets them no other way. */
  read(ours?: MeterProvider): void {
    this.#readers++;
    this.#ours = ours;
    this.#provider = undefined;
  }

  /** Counts one more, or several. */
  count(counter: Counter, labels: Labels, times = 1): void {
    this.tallies.of(labels).counters[counter] += times;
  }

  /** Tells how much there is now, or that nobody knows any more. */
  set(level: Level, value: number | undefined, labels: Labels): void {
    this.tallies.of(labels).levels[level] = value;
  }

  /** Counts a value, in seconds. */
  record(histogram: HistogramName, value: number, tally: Tally): void {
    tally.histograms[histogram].record(value);
    this.#bound?.histograms[histogram].record(value, tally.labels);
  }

  #bind(provider: MeterProvider): void {
    this.#provider = provider;
    this.#bound?.release();
    const meter = provider === this.#ours ? undefined : provider.getMeter(SCOPE);
    this.#bound = meter && meter !== createNoopMeter() ? bind(meter, this.tallies) : undefined;
  }
}

/** What a meter was asked for. */
interface Bound {
  readonly histograms: Readonly<Record<HistogramName, ApiHistogram>>;
  release(): void;
}

/** Instruments of the table. Only histograms need each value; all else is read when it is exported. */
function bind(meter: Meter, tallies: Tallies): Bound {
  const counters = entries(COUNTERS).map(([name, description]) =>
    [name, meter.createObservableCounter(name, { description })] as const
  );
  const levels = [
    ...entries(LEVELS).map(([name, description]) => {
      // What runs adds up over workers; of the rest each of them tells the same.
      const isSum = name === "docket_tasks_running";
      const options = { description };
      const instrument = isSum
        ? meter.createObservableUpDownCounter(name, options)
        : meter.createObservableGauge(name, options);
      return [name, instrument] as const;
    }),
    ...entries(AGES).map(([name, description]) =>
      [name, meter.createObservableGauge(name, { description, unit: "s" })] as const
    ),
  ];
  const observe = (result: BatchObservableResult) => {
    for (const { labels, counters: counts, levels: there } of tallies) {
      for (const [name, instrument] of counters) {
        if (counts[name] > 0) result.observe(instrument, counts[name], labels);
      }
      for (const [name, instrument] of levels) {
        if (there[name] !== undefined) result.observe(instrument, there[name], labels);
      }
    }
  };
  const all: Observable[] = [...counters, ...levels].map(([, instrument]) => instrument);
  meter.addBatchObservableCallback(observe, all);
  const advice = { explicitBucketBoundaries: [...BOUNDS] };
  const histograms = Object.fromEntries(
    entries(HISTOGRAMS).map(([name, description]) => {
      return [name, meter.createHistogram(name, { description, unit: "s", advice })];
    }),
  ) as Record<HistogramName, ApiHistogram>;
  return { histograms, release: () => meter.removeBatchObservableCallback(observe, all) };
}

function entries<Key extends string>(table: Readonly<Record<Key, string>>): [Key, string][] {
  return Object.entries(table) as [Key, string][];
}

/** Those of this process. */
export const meters: Meters = new Meters();

/**
 * Counts as plain numbers, which cost next to nothing; whoever exports reads them.
 *
 * @module
 */

import {
  BOUNDS,
  type Counter,
  COUNTERS,
  each,
  type HistogramName,
  HISTOGRAMS,
  type Level,
} from "./instruments.ts";

/** Whose numbers they are: never a key, never an argument (invariant 81). */
export interface Labels {
  /** The docket. */
  readonly docket: string;
  /** The worker, for what workers do. */
  readonly worker?: string;
  /** The task, where it is known. */
  readonly task?: string;
}

/** How often values came that are no larger than each bound, the rest at the end. */
export class Histogram {
  /** One more than there are bounds. */
  readonly buckets: number[] = new Array(BOUNDS.length + 1).fill(0);
  /** How many values there were. */
  count = 0;
  /** All of them together. */
  sum = 0;

  /** Counts a value. */
  record(value: number): void {
    let i = 0;
    while (i < BOUNDS.length && value > BOUNDS[i]) i++;
    this.buckets[i]++;
    this.count++;
    this.sum += value;
  }
}

/** All numbers under one set of labels. */
export class Tally {
  /** As exporters take them. */
  readonly labels: Readonly<Record<string, string>>;
  readonly counters: Record<Counter, number>;
  readonly histograms: Record<HistogramName, Histogram>;
  readonly levels: Partial<Record<Level, number>> = {};

  constructor({ docket, worker, task }: Labels) {
    this.labels = {
      docket,
      ...(worker === undefined ? {} : { worker }),
      ...(task === undefined ? {} : { task }),
    };
    this.counters = each(COUNTERS, () => 0);
    this.histograms = each(HISTOGRAMS, () => new Histogram());
  }
}

/** So many tasks of a docket are told apart. Names may come from anywhere: callers choose those of unregistered tasks. */
export const MOST_TASKS = 1_000;

/** Where the rest is counted. */
const OTHER = "(other)";

/** All numbers of this process. They stay when dockets close: what was counted last is exported after that. */
export class Tallies implements Iterable<Tally> {
  readonly #tallies = new Map<string, Tally>();
  readonly #tasks = new Map<string, number>();

  /** The numbers under some labels. */
  of({ docket, worker, task }: Labels): Tally {
    return this.#find(docket, worker, task) ?? this.#add(docket, worker, task);
  }

  [Symbol.iterator](): Iterator<Tally> {
    return this.#tallies.values();
  }

  #find(docket: string, worker?: string, task?: string): Tally | undefined {
    return this.#tallies.get(keyOf(docket, worker, task));
  }

  #add(docket: string, worker?: string, task?: string): Tally {
    const whose = keyOf(docket, worker);
    const tasks = this.#tasks.get(whose) ?? 0;
    if (task !== undefined && tasks >= MOST_TASKS) {
      const other = this.#find(docket, worker, OTHER);
      if (other) return other;
      task = OTHER;
    }
    if (task !== undefined) this.#tasks.set(whose, tasks + 1);
    const tally = new Tally({ docket, worker, task });
    this.#tallies.set(keyOf(docket, worker, task), tally);
    return tally;
  }
}

function keyOf(docket: string, worker = "", task = ""): string {
  return `${docket.length} ${worker.length} ${docket}${worker}${task}`;
}

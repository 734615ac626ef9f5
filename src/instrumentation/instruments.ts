/**
 * What is measured: one table, for whoever counts, whoever exports and whoever draws.
 *
 * @module
 */

/** How a number behaves. */
export interface Instrument {
  /** `"counter"` only rises; `"level"` is what is there now. */
  readonly kind: "counter" | "level" | "histogram";
  /** As UCUM writes it: seconds are `s`. */
  readonly unit?: string;
  /** What it means. */
  readonly description: string;
}

/** Counted as they happen, by task where it is known. */
export const COUNTERS = {
  docket_tasks_added: "Tasks that were added",
  docket_tasks_replaced: "Tasks that were scheduled with replace",
  docket_tasks_scheduled: "Tasks that were added, or scheduled with replace",
  docket_tasks_superseded:
    "Replacements that were scheduled before the run that they replace had ended",
  docket_tasks_cancelled: "Tasks that were cancelled, or asked to stop",
  docket_tasks_stricken: "Runs and calls that were skipped because of a strike",
  docket_tasks_started: "Runs that began",
  docket_tasks_redelivered: "Runs that began after another worker had lost them",
  docket_tasks_completed: "Runs that came to an end, well or badly",
  docket_tasks_succeeded: "Runs that ended well",
  docket_tasks_failed: "Runs that threw, also those that are tried again",
  docket_tasks_retried: "Runs that threw and are tried again",
  docket_tasks_perpetuated: "Runs that scheduled the next of their chain",
  docket_tasks_dead: "Tasks that were parked for a person to look at",
  docket_fenced: "Ends that did not count, because another worker had the task by then",
  docket_redis_disruptions:
    "Times that the storage could not be used: its connection was lost, or it was full",
} as const;

/** What there is now. */
export const LEVELS = {
  docket_tasks_running: "Runs under way",
  docket_queue_depth: "Tasks that are due and not claimed",
  docket_schedule_depth: "Tasks that are due later",
  docket_tasks_waiting: "Tasks in line before a limit, and replacements that wait for a run to end",
  docket_strikes_in_effect: "Strikes",
} as const;

/** What there is now, in seconds. */
export const AGES = {
  docket_oldest_due_age: "How long the task that is claimed next has been due",
  docket_event_loop_lag:
    "How late timers of the worker's process were at worst, in the last half minute at least",
} as const;

/** How often which values came, in seconds. */
export const HISTOGRAMS = {
  docket_task_duration: "How long runs took",
  docket_task_punctuality: "How long after they were due runs began",
} as const;

/** The name of a counter. */
export type Counter = keyof typeof COUNTERS;
/** The name of a level. */
export type Level = keyof typeof LEVELS | keyof typeof AGES;
/** The name of a histogram. */
export type HistogramName = keyof typeof HISTOGRAMS;

/** Upper bounds of the buckets of all histograms, in seconds: from a task that does nothing to one of an hour. */
export const BOUNDS: readonly number[] = [
  0.001,
  0.0025,
  0.005,
  0.01,
  0.025,
  0.05,
  0.1,
  0.25,
  0.5,
  1,
  2.5,
  5,
  10,
  30,
  60,
  300,
  900,
  3600,
];

/** The rows of a table, with the names that it has. */
export function entries<Key extends string>(table: Readonly<Record<Key, string>>): [Key, string][] {
  return Object.entries(table) as [Key, string][];
}

/** Something for each row of a table. */
export function each<Key extends string, Made>(
  table: Readonly<Record<Key, string>>,
  make: (name: Key, description: string) => Made,
): Record<Key, Made> {
  return Object.fromEntries(
    entries(table).map(([name, description]) => [name, make(name, description)]),
  ) as Record<Key, Made>;
}

/**
 * A live generation as the memory storage keeps it, and what of it is shown outside.
 *
 * @module
 */

import type { Millis } from "../../base/clock.ts";
import type { Claim, DeferredTask, LiveTask } from "../contract.ts";
import type { Timed } from "./heap.ts";
import type { Linked } from "./line.ts";

/** Who claims: one worker. */
export interface Consumer {
  readonly name: string;
  /** How many running tasks it holds. */
  held: number;
  /** Its sequences of calls, by number. */
  readonly lanes: Map<number, Lane>;
}

/** The last step of a lane: the one memory that a lost reply needs (invariant 27). */
export interface Lane {
  readonly call: number;
  readonly token: string;
  readonly committed: readonly boolean[] | undefined;
  readonly claimed: readonly Task[];
}

/** What a running task runs under. */
export interface Run {
  readonly consumer: Consumer;
  readonly token: string;
  readonly startedAt: Millis;
  /** The last renewal, on the clock that never jumps. */
  renewedAt: Millis;
}

/** One live generation. It stands in exactly one place: what is due, what is queued, or what runs. */
export class Task implements Timed, Linked<Task> {
  readonly key: string;
  readonly generation: string;
  readonly body: string;
  state: LiveTask["state"] = "queued";
  attempt = 1;
  deliveries = 0;
  cancelled = false;
  due: Millis | undefined;
  /** Present while, and only while, it runs. */
  run: Run | undefined = undefined;
  /** What takes its place when the run ends (invariant 14). */
  deferred: DeferredTask | undefined = undefined;

  at: Millis = 0;
  slot = 0;
  order = 0;
  ahead: Task | undefined = undefined;
  behind: Task | undefined = undefined;

  /** A fresh generation, not yet placed anywhere. */
  constructor(key: string, generation: string, due: Millis | undefined, body: string) {
    this.key = key;
    this.generation = generation;
    this.due = due;
    this.body = body;
  }
}

/** What callers may see: a copy, since the task goes on changing. */
export function view(task: Task): LiveTask {
  const { key, generation, state, attempt, deliveries, due, run, cancelled, body } = task;
  const seen = { key, generation, state, attempt, deliveries, cancelled, body };
  if (!run) return due === undefined ? seen : { ...seen, due };
  const { startedAt, consumer, token } = run;
  return { ...seen, due, startedAt, consumer: consumer.name, token };
}

/** What the consumer of a running task is handed. */
export function claimOf(task: Task, run: Run): Claim {
  return {
    key: task.key,
    generation: task.generation,
    state: "running",
    attempt: task.attempt,
    deliveries: task.deliveries,
    due: task.due,
    startedAt: run.startedAt,
    consumer: run.consumer.name,
    token: run.token,
    cancelled: task.cancelled,
    body: task.body,
  };
}

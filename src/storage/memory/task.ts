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
  /** The tasks it runs, from the oldest claim on. */
  readonly held: Set<Task>;
  /** Its sequences of steps, by number. */
  readonly lanes: Map<number, Lane>;
  /** What it took over last. */
  reclaimed?: Takeover;
}

/** The last step of a lane, in case its reply gets lost (invariant 27). */
export interface Lane {
  readonly call: number;
  readonly committed: readonly boolean[] | undefined;
  readonly brought: readonly Run[];
  readonly more: boolean;
  readonly cursor: string;
}

/** The last call of `reclaim`, in case its reply gets lost. */
export interface Takeover {
  readonly token: string;
  readonly from: string;
  readonly brought: readonly Run[];
  readonly cursor: string;
}

/** What a running task runs under. It is held while it is still the run of its task. */
export interface Run {
  readonly task: Task;
  readonly consumer: Consumer;
  readonly token: string;
  readonly startedAt: Millis;
  /** Grows from claim to claim. */
  readonly number: number;
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

/** What a consumer is handed: of all that a call brought, what it still holds. */
export function claimsOf(brought: readonly Run[]): readonly Claim[] {
  const claims: Claim[] = [];
  for (const run of brought) if (run.task.run === run) claims.push(claimOf(run));
  return claims;
}

function claimOf(run: Run): Claim {
  const { task } = run;
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

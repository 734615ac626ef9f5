/**
 * A live generation as the memory storage keeps it, and what of it is shown outside.
 *
 * @module
 */

import type { Millis } from "../../base/clock.ts";
import type { Claim, DeferredTask, Held, LiveTask, Progress } from "../contract.ts";
import type { Consumer } from "./consumers.ts";
import type { Timed } from "./heap.ts";
import type { Linked } from "./line.ts";

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
  /** Whether it has passed its gates, and may have begun. */
  passed?: boolean;
  /** What it has reported; gone with the run (invariant 25). */
  progress?: Progress;
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
  queuedAt: Millis = 0;
  /** Whether nobody waits for it while it is scheduled. */
  background = false;
  /** Since when nobody knew what it is. */
  heldSince: Millis | undefined = undefined;
  /** Present while, and only while, it runs. */
  run: Run | undefined = undefined;
  /** The gates it holds, or that are kept for it. */
  held: Held[] | undefined = undefined;
  /** Grows with each time that anything is queued: who was queued first is first in line. */
  arrival = 0;
  /** The gate before which it is in line. */
  line: string | undefined = undefined;
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
  const { background, heldSince, queuedAt } = task;
  return {
    key,
    generation,
    state,
    attempt,
    deliveries,
    cancelled,
    body,
    ...(due === undefined && !run ? undefined : { due }),
    ...(state === "queued" || run ? { queuedAt } : undefined),
    ...(background ? { background } : undefined),
    ...(heldSince === undefined ? undefined : { heldSince }),
    ...(run ? viewOf(run) : undefined),
  };
}

/** What callers may see, with what its run has reported. */
export function viewWithProgress(task: Task): LiveTask {
  const seen = view(task);
  return task.run?.progress ? { ...seen, progress: task.run.progress } : seen;
}

function viewOf({ startedAt, consumer, token }: Run): Partial<LiveTask> {
  return { startedAt, consumer: consumer.name, token };
}

/** What a consumer is handed: of all that a call brought, what it still holds. */
export function claimsOf(brought: readonly Run[]): readonly Claim[] {
  const claims: Claim[] = [];
  for (const run of brought) if (run.task.run === run) claims.push(claimOf(run));
  return claims;
}

function claimOf(run: Run): Claim {
  const { task } = run;
  const claim: Claim = {
    key: task.key,
    generation: task.generation,
    state: "running",
    attempt: task.attempt,
    deliveries: task.deliveries,
    due: task.due,
    queuedAt: task.queuedAt,
    startedAt: run.startedAt,
    consumer: run.consumer.name,
    token: run.token,
    cancelled: task.cancelled,
    body: task.body,
  };
  return task.heldSince === undefined ? claim : { ...claim, heldSince: task.heldSince };
}

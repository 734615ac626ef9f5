/**
 * What the model keeps of a task.
 *
 * @module
 */

import type { Due, EndedTask, Found, Held, Progress } from "../../src/storage/contract.ts";
import { type Expected, Moment, type Span, type Told } from "./match.ts";

/** One accepted schedule. */
export interface Generation {
  readonly generation: string;
  readonly body: string;
  readonly due?: Moment;
  /** When it is due, on the clock of the spans; absent when that is now. */
  readonly dueIn?: Span;
}

/** What a task runs under. */
export interface Run {
  readonly token: string;
  readonly consumer: string;
  readonly startedAt: Moment;
  progress?: Progress;
  /** It may have begun. */
  passed?: boolean;
}

/** A live task. Running: it has a run. */
export interface Task extends Generation {
  state: "scheduled" | "queued" | "running" | "waiting";
  attempt: number;
  deliveries: number;
  cancelled: boolean;
  /** Nobody waits for it while it is scheduled. */
  background: boolean;
  heldSince?: Moment;
  due?: Moment;
  dueIn?: Span;
  /** Of two queued tasks, the one with the smaller place goes first; so too in line before a gate, as it was queued last. */
  place: number;
  /** The limits that it holds, or at which a place is kept for it. */
  readonly holds: Set<string>;
  /** Its run was lost, and nobody has taken it since. */
  lost: boolean;
  /** The limit before which it is in line, while it waits. */
  line?: Held;
  run?: Run;
  /** Who has it: who runs it or, queued, who had it set aside. Somebody else when it strayed. */
  holder?: string;
  /** Whoever reads next is shown it once more. */
  astray: boolean;
  /** When it was claimed, renewed, or set aside last. */
  touched: Span;
  deferred?: Generation;
}

/** What is left of a generation. */
export type Ended = Omit<EndedTask, "endedAt" | "text"> & { endedAt: Moment; text: string | Told };

/** What was there right after a verb. */
export type Seen = (key: string) => Found;

/** What everybody can see of it. */
export function view(key: string, task: Task): Expected {
  const { generation, body, state, attempt, deliveries, cancelled, due, heldSince, run } = task;
  const background = task.background || undefined;
  const seen = { key, generation, body, state, attempt, deliveries, cancelled, due, background };
  const queuedAt = state === "queued" || run ? new Moment() : undefined;
  return { ...seen, queuedAt, heldSince, ...run, ...(run && { passed: undefined }) };
}

/** What is told of a task where progress is not. */
export function viewWithoutProgress(key: string, task: Task): Expected {
  return { ...view(key, task), progress: undefined };
}

/** Whether the task ended while a verb worked. */
export function gone(found: Found, task: Task): boolean {
  return found.live?.generation !== task.generation;
}

/** When it is due; the tests know only instants that are far or past. */
export function instant(due: Due, now: Span): { due?: Moment; dueIn?: Span } {
  if (!due) return { due: undefined, dueIn: undefined };
  if ("after" in due) {
    return { due: new Moment(), dueIn: { from: now.from + due.after, to: now.to + due.after } };
  }
  const sure = due.at > 1e12 ? Infinity : -Infinity;
  return { due: new Moment(due.at), dueIn: { from: sure, to: sure } };
}

/** Whether it begins with a delay from now. */
export function isAfter(due: Due): boolean {
  return due !== undefined && "after" in due && due.after > 0;
}

/** Whether its time has come; `undefined` when that cannot be known. */
export function isPast({ dueIn }: Generation, now: Span): boolean | undefined {
  if (!dueIn || dueIn.to <= now.from) return true;
  if (dueIn.from > now.to) return false;
}

/** When it is due, as the storage told it. */
export function dueAt({ due }: Generation): number {
  return due?.shown ?? 0;
}

/**
 * The live tasks, and where each of them stands: among what is due later, in the queue, or among what runs.
 *
 * @module
 */

import type { Millis } from "../../base/clock.ts";
import type { Due, Held } from "../contract.ts";
import { Gates } from "./gates.ts";
import { Heap } from "./heap.ts";
import type { Hints } from "./hints.ts";
import { Line } from "./line.ts";
import { type Run, Task } from "./task.ts";

/** The tasks that stand in one place. */
export interface Place extends Iterable<Task> {
  /** Whose turn comes first. */
  readonly first: Task | undefined;
}

/** Every live task. Each stands in exactly one place, as its `state` says (invariant 17). */
export class Places {
  readonly #hints: Hints;
  readonly #tasks = new Map<string, Task>();
  readonly #due = new Heap<Task>();
  readonly #queue = new Line<Task>();
  readonly #running = new Line<Task>();
  readonly #waiting = new Set<Task>();
  /** Who holds which gate. */
  readonly gates: Gates = new Gates();
  #arrivals = 0;
  #background = 0;

  constructor(hints: Hints) {
    this.#hints = hints;
  }

  /** What is due later. */
  get due(): Place {
    return this.#due;
  }

  /** What can be claimed. */
  get queue(): Place {
    return this.#queue;
  }

  /** What runs: the longest without a renewal stands first. */
  get running(): Place {
    return this.#running;
  }

  /** What is in line before gates: the longest waiting goes first. */
  get waiting(): ReadonlySet<Task> {
    return this.#waiting;
  }

  /** How many tasks are live. */
  get size(): number {
    return this.#tasks.size;
  }

  /** How many of them are in the background: scheduled, and not waited for. */
  get background(): number {
    return this.#background;
  }

  /** The live task of a key. */
  get(key: string): Task | undefined {
    return this.#tasks.get(key);
  }

  /** All live tasks, in no order. */
  [Symbol.iterator](): Iterator<Task> {
    return this.#tasks.values();
  }

  /** Makes a fresh generation the live one of its key. */
  admit(
    key: string,
    generation: string,
    due: Due,
    body: string,
    now: Millis,
    background = false,
  ): void {
    const task = new Task(key, generation, instant(due, now), body);
    this.#tasks.set(key, task);
    this.wait(task, now, background);
  }

  /** Gives a task its place to wait. */
  wait(task: Task, now: Millis, background: boolean): void {
    if (task.due === undefined || task.due <= now) return this.enqueue(task, now);
    task.state = "scheduled";
    task.at = task.due;
    task.background = background;
    if (background) this.#background++;
    this.#due.push(task);
    if (this.#due.first === task) this.#hints.due(task.at);
    this.#hints.state(task, "scheduled", now);
  }

  /** Puts a task at the end of the queue. */
  enqueue(task: Task, now: Millis): void {
    task.state = "queued";
    task.arrival = ++this.#arrivals;
    task.queuedAt = now;
    this.#queue.push(task);
    this.#hints.arrival();
    this.#hints.state(task, "queued", now);
  }

  /** Has a task run. */
  start(task: Task, run: Run): void {
    task.state = "running";
    task.run = run;
    run.consumer.held.add(task);
    this.#running.push(task);
    this.#hints.state(task, "running", run.startedAt, run.consumer.name);
  }

  /** Puts what runs behind all others that run: its lease was renewed. */
  stay(task: Task): void {
    this.#running.remove(task);
    this.#running.push(task);
  }

  /** Puts a task in line before a gate. */
  line(task: Task, now: Millis, gate: Held): void {
    task.state = "waiting";
    this.gates.wait(task, gate);
    this.#waiting.add(task);
    this.#hints.state(task, "waiting", now);
  }

  /** Takes a task from wherever it stands. It is to be given another place, or to be removed. */
  leave(task: Task): void {
    if (task.run) {
      this.#running.remove(task);
      task.run.consumer.held.delete(task);
      task.run = undefined; // the token is void from here on (invariant 20); worker and start are cleared (invariant 26)
    } else if (task.state === "queued") this.#queue.remove(task);
    else if (task.state === "waiting") {
      this.#waiting.delete(task);
      this.gates.leaveLine(task);
    } else {
      this.#due.remove(task);
      if (task.background) this.#background--;
      task.background = false;
    }
  }

  /** What a task holds it holds no longer; who is woken is queued. */
  giveBack(task: Task, now: Millis): void {
    if (task.held) this.#wake(this.gates.release(task), now);
  }

  /** Lets in who may come in. */
  admitWaiting(gate: Held, now: Millis): void {
    this.#wake(this.gates.admit(gate), now);
  }

  #wake(tasks: readonly Task[], now: Millis): void {
    for (const task of tasks) {
      this.#waiting.delete(task);
      this.enqueue(task, now);
    }
  }

  /** Nothing is live under the key any more. */
  remove(key: string): void {
    this.#tasks.delete(key);
  }
}

/** A delay begins on the storage's clock (invariant 79). */
export function instant(due: Due, now: Millis): Millis | undefined {
  if (due === undefined) return undefined;
  return "at" in due ? due.at : now + due.after;
}

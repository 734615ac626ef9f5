/**
 * The reference implementation of the {@linkcode Storage} contract: read this one first. Every verb is one synchronous
 * function on maps, so that nothing can come between its steps; `handle.ts` wraps them in promises.
 *
 * It lives as long as the process, is shared by all who open the same URL and docket, and sets no timer of its own.
 *
 * @module
 */

import type { Clock, Millis } from "../../base/clock.ts";
import { type CancelReason, ProtocolError } from "../../base/errors.ts";
import { encodeEnding } from "../../base/message.ts";
import {
  type Call,
  type Commit,
  DEAD_RECORD_TTL,
  type Due,
  type EndedTask,
  type Found,
  type Lease,
  NEW,
  type Promotion,
  type Reclaim,
  type ReclaimReply,
  type Renewal,
  type Step,
  type StepReply,
  type Storage,
  type Target,
  type Verdict,
} from "../contract.ts";
import type { StorageOptions } from "../open.ts";
import { type Ending, endingOf, type Successor, successorOf } from "./ending.ts";
import { MemoryStorage } from "./handle.ts";
import { Heap } from "./heap.ts";
import { Hints } from "./hints.ts";
import { Line } from "./line.ts";
import { Records } from "./records.ts";
import { claimsOf, type Consumer, type Lane, type Run, Task, view } from "./task.ts";

/** What {@linkcode openMemory} needs to know. */
export type MemoryOptions = Pick<StorageOptions, "docket" | "clock" | "recordTtl">;

/** By place and docket. A map, and JSON for the pair: `a` and `a.b` share nothing (invariant 8). */
const memories = new Map<string, Memory>();

/**
 * Opens the memory of a URL such as `memory://name` for one docket.
 *
 * @throws {TypeError} When it is open already with another clock: the storage has one time for everybody (invariant 79).
 */
export function openMemory(url: URL, { docket, clock, recordTtl }: MemoryOptions): Storage {
  const place = JSON.stringify([url.host, url.pathname, docket]);
  const memory = memories.get(place) ?? new Memory(clock);
  if (memory.clock !== clock) {
    throw new TypeError(
      `Cannot open "memory://${url.host}${url.pathname}" for docket "${docket}": it is open with another clock`,
    );
  }
  memories.set(place, memory);
  return new MemoryStorage(url, memory, recordTtl);
}

/** What a step brought its consumer, and where to go on. */
type Brought = Pick<Lane, "brought" | "more" | "cursor">;

/** All of one docket's state. `ttl` is always that of records which the storage writes by itself. */
export class Memory {
  readonly clock: Clock;
  /** Who is told what changed. */
  readonly hints: Hints = new Hints();
  /** The live tasks. Each also stands in exactly one of the next three, as its `state` says (invariant 17). */
  readonly #tasks = new Map<string, Task>();
  readonly #due = new Heap<Task>();
  readonly #queue = new Line<Task>();
  /** The longest without a renewal stands first. */
  readonly #running = new Line<Task>();
  readonly #records = new Records();
  readonly #consumers = new Map<string, Consumer>();
  #claims = 0;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  // ── The verbs ───────────────────────────────────────────────────────────────────────────────────────────────────────

  schedule(calls: readonly Call[], ttl: Millis): readonly Verdict[] {
    const now = this.clock.now();
    const done = this.#done(calls, now);
    const verdicts = calls.map((call, i): Verdict => {
      const later = done(call.key);
      return i < later ? this.#answer(call, calls[later], now) : this.#accept(call, now, ttl);
    });
    this.hints.tell(now);
    return verdicts;
  }

  cancel(
    targets: readonly Target[],
    ttl: Millis,
  ): readonly ("cancelled" | "requested" | "none")[] {
    const now = this.clock.now();
    const replies = targets.map(({ key, generation }) => {
      const task = this.#tasks.get(key);
      if (!task) return "none";
      if (generation !== undefined && generation !== task.generation) {
        if (generation !== task.deferred?.generation) return "none";
        this.#drop(task, "cancelled", now, ttl);
        return "cancelled";
      }
      if (task.run) {
        if (generation === undefined) this.#drop(task, "cancelled", now, ttl);
        if (!task.cancelled) {
          task.cancelled = true; // the key stays busy until the body ends (invariant 55)
          this.hints.cancel(key, task.generation);
          this.hints.change(key, task.generation, "cancelling");
        }
        return "requested";
      }
      this.#leave(task);
      this.#tasks.delete(key);
      this.#end(task, { state: "cancelled", text: "", reason: "cancelled", ttl }, now);
      return "cancelled";
    });
    this.hints.tell(now);
    return replies;
  }

  load(keys: readonly string[]): readonly Found[] {
    const now = this.clock.now();
    return keys.map((key) => {
      const task = this.#tasks.get(key);
      return {
        live: task && view(task),
        deferred: task?.deferred,
        ended: this.#records.find(key, now),
        dead: this.#records.grave(key),
      };
    });
  }

  count(): number {
    return this.#tasks.size;
  }

  step(step: Step, ttl: Millis): StepReply {
    const now = this.clock.now();
    const consumer = this.#consumer(step.consumer);
    const last = consumer.lanes.get(step.lane);
    if (last && step.call <= last.call) return repeat(step, last);

    const committed = step.commits.map((commit) => this.#settle(commit, now, ttl));
    const found = step.from === NEW
      ? this.#claim(consumer, step, now, ttl)
      : own(consumer, Number(step.from), step.want);
    const lane = {
      call: step.call,
      committed: committed.includes(false) ? committed : undefined,
      ...found,
    };
    consumer.lanes.set(step.lane, lane);
    this.hints.tell(now);
    return reply(lane);
  }

  /** Whether a step would bring something. */
  get ready(): boolean {
    return this.#queue.first !== undefined;
  }

  reclaim(reclaim: Reclaim, ttl: Millis): ReclaimReply {
    const consumer = this.#consumer(reclaim.consumer);
    const last = consumer.reclaimed;
    if (last?.token === reclaim.token && last.from === reclaim.cursor) {
      return { claims: claimsOf(last.brought), cursor: last.cursor };
    }
    const now = this.clock.now();
    const expired = this.clock.monotonic() - reclaim.lease;
    const brought: Run[] = [];
    // Oldest first: live leases stand behind the dead ones and cannot hide them (invariant 33).
    for (let looked = 0; looked < reclaim.want; looked++) {
      const task = this.#running.first;
      if (!task?.run || task.run.renewedAt > expired) break;
      if (task.run.consumer === consumer) this.#renew(task.run); // under its old token, uncounted (invariant 34)
      else this.#take(task, consumer, reclaim, now, ttl);
      if (task.run) brought.push(task.run);
    }
    const first = this.#running.first?.run;
    // Pages are numbered: the same page under the same token is a call that was sent again.
    const cursor = first && first.renewedAt <= expired ? `${Number(reclaim.cursor) + 1}` : "";
    consumer.reclaimed = { token: reclaim.token, from: reclaim.cursor, brought, cursor };
    this.hints.tell(now);
    return { claims: claimsOf(brought), cursor };
  }

  renew(consumer: string, leases: readonly Lease[]): readonly Renewal[] {
    return leases.map(({ key, token }) => {
      const task = this.#tasks.get(key);
      // Owner and token, so that nothing is ever stolen back (invariant 31).
      if (task?.run?.token !== token || task.run.consumer.name !== consumer) return "lost";
      this.#renew(task.run);
      return task.cancelled ? "cancel" : "kept";
    });
  }

  promote(limit: number): Promotion {
    const now = this.clock.now();
    let promoted = 0;
    for (; promoted < limit; promoted++) {
      const task = this.#due.first;
      if (!task || task.at > now) break;
      this.#due.remove(task);
      this.#enqueue(task); // the very same task, so every field is kept (invariant 16)
    }
    this.#records.sweep(now, limit); // also where nothing ends any more, records leave in time
    this.hints.tell(now);
    const first = this.#due.first;
    return { promoted, next: first && Math.max(0, first.at - now) };
  }

  retire(name: string): boolean {
    const consumer = this.#consumers.get(name);
    if (consumer && consumer.held.size > 0) return false;
    this.#consumers.delete(name);
    return true;
  }

  // ── Scheduling ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Of several calls for one key, the last leaves the trace. Where it has, the whole request was sent again, and those
   * before it did their work too (invariant 27).
   */
  #done(calls: readonly Call[], now: Millis): (key: string) => number {
    const last = new Map<string, number>();
    for (let i = calls.length - 1; i > 0; i--) {
      if (!last.has(calls[i].key) && this.#recognise(calls[i], now)) last.set(calls[i].key, i);
    }
    return last.size === 0 ? () => 0 : (key) => last.get(key) ?? 0;
  }

  /** The request's own id tells one that was sent again; it changes nothing. */
  #recognise({ key, generation }: Call, now: Millis): Verdict | undefined {
    const task = this.#tasks.get(key);
    if (task?.generation === generation) return { kind: "scheduled" };
    if (task?.deferred?.generation === generation) return { kind: "deferred" };
    return this.#records.has(key, generation, now) ? { kind: "scheduled" } : undefined;
  }

  /** What a call was answered that is done, as far as the later one tells that has covered its trace. */
  #answer(call: Call, later: Call, now: Millis): Verdict {
    const task = this.#tasks.get(call.key);
    const before = this.#recognise(call, now);
    if (before || !task || task.deferred?.generation !== later.generation) {
      return before ?? { kind: "scheduled" };
    }
    // The later one still waits for the run to end: then what runs now ran then, too.
    return call.mode === "add" ? { kind: "exists", live: view(task) } : { kind: "deferred" };
  }

  #accept(call: Call, now: Millis, ttl: Millis): Verdict {
    const before = this.#recognise(call, now);
    if (before) return before;
    const { key, generation, mode, due, body } = call;
    const task = this.#tasks.get(key);
    if (task && mode === "add") return { kind: "exists", live: view(task) };
    if (task?.run) {
      // Deferred, so that the two bodies never overlap (invariant 14).
      this.#drop(task, "replaced", now, ttl);
      const at = instant(due, now);
      task.deferred = { generation, due: at === undefined ? undefined : { at }, body };
      return { kind: "deferred" };
    }
    if (task) {
      this.#leave(task); // what waited goes in the same step, wherever it waited (invariant 1)
      this.#end(task, { state: "cancelled", text: "", reason: "replaced", ttl }, now);
    }
    this.#admit(key, generation, due, body, now);
    return { kind: "scheduled" };
  }

  /** Makes a fresh generation the live one of its key. */
  #admit(key: string, generation: string, due: Due, body: string, now: Millis): void {
    const task = new Task(key, generation, instant(due, now), body);
    this.#tasks.set(key, task);
    this.#place(task, now);
  }

  /** Gives a task its place to wait. */
  #place(task: Task, now: Millis): void {
    if (task.due === undefined || task.due <= now) return this.#enqueue(task);
    task.state = "scheduled";
    task.at = task.due;
    this.#due.push(task);
    if (this.#due.first === task) this.hints.due(task.at);
  }

  #enqueue(task: Task): void {
    task.state = "queued";
    this.#queue.push(task);
    this.hints.arrival();
    this.hints.change(task.key, task.generation, "queued");
  }

  /** Takes a task from wherever it stands. */
  #leave(task: Task): void {
    if (task.run) {
      this.#running.remove(task);
      task.run.consumer.held.delete(task);
      task.run = undefined; // the token is void from here on (invariant 20); worker and start are cleared (invariant 26)
    } else if (task.state === "queued") this.#queue.remove(task);
    else this.#due.remove(task);
  }

  /** Ends a replacement whose turn never came. */
  #drop(task: Task, reason: CancelReason, now: Millis, ttl: Millis): void {
    const { key, deferred } = task;
    task.deferred = undefined;
    if (!deferred) return;
    const { generation } = deferred;
    this.#end({ key, generation }, { state: "cancelled", text: "", reason, ttl }, now);
  }

  // ── Claiming ────────────────────────────────────────────────────────────────────────────────────────────────────────

  #claim(consumer: Consumer, step: Step, now: Millis, ttl: Millis): Brought {
    const brought: Run[] = [];
    for (let looked = 0; looked < step.want; looked++) {
      const task = this.#queue.first;
      if (!task) break;
      this.#take(task, consumer, step, now, ttl);
      if (task.run) brought.push(task.run);
    }
    return { brought, more: step.want > 0 && this.ready, cursor: NEW };
  }

  /** Gives a queued or abandoned task to a consumer, unless it must not run any more. */
  #take(
    task: Task,
    consumer: Consumer,
    { token, maxDeliveries }: { readonly token: string; readonly maxDeliveries: number },
    now: Millis,
    ttl: Millis,
  ): void {
    const previous = task.run?.consumer.name;
    this.#leave(task);
    if (task.cancelled) { // never runs again, also after a crash (invariant 28)
      return this.#finish(task, { state: "cancelled", text: "", reason: "cancelled", ttl }, now);
    }
    if (task.deliveries >= maxDeliveries) { // what kills its worker each time must not go on for ever (invariant 40)
      const text = encodeEnding({ attempt: task.attempt, worker: previous, value: "" });
      return this.#finish(task, { state: "dead", text, ttl: DEAD_RECORD_TTL }, now);
    }
    task.deliveries++; // before the body is handed over, so that dying while reading it counts too
    task.state = "running";
    const number = ++this.#claims;
    const renewedAt = this.clock.monotonic();
    task.run = { task, consumer, token, startedAt: now, number, renewedAt };
    consumer.held.add(task);
    this.#running.push(task);
  }

  #renew(run: Run): void {
    run.renewedAt = this.clock.monotonic();
    this.#running.remove(run.task);
    this.#running.push(run.task);
  }

  #consumer(name: string): Consumer {
    let consumer = this.#consumers.get(name);
    if (!consumer) {
      this.#consumers.set(name, consumer = { name, held: new Set(), lanes: new Map() });
    }
    return consumer;
  }

  // ── Settling ────────────────────────────────────────────────────────────────────────────────────────────────────────

  #settle({ key, token, settlement }: Commit, now: Millis, ttl: Millis): boolean {
    const task = this.#tasks.get(key);
    // By equality (invariant 19). What ended or waits again bears no token, so each commits once (invariant 20).
    if (task?.run?.token !== token) return false;
    const { cancelled } = task;
    const ending = endingOf(task, settlement, ttl);
    this.#leave(task);
    if (ending) {
      this.#finish(task, ending, now, cancelled ? undefined : successorOf(settlement));
    } else if (settlement.kind === "retried") {
      task.attempt++;
      task.deliveries = 0;
      this.hints.change(key, task.generation, "retried");
      this.#again(task, settlement.due, now);
    } else if (settlement.kind === "released") {
      task.deliveries--; // takes its own delivery back
      this.#again(task, settlement.due, now);
    }
    return true;
  }

  #again(task: Task, due: Due, now: Millis): void {
    task.due = instant(due, now);
    this.#place(task, now);
  }

  /** Ends a run; then comes what replaced it meanwhile, else the next of its chain (invariants 14, 48). */
  #finish(task: Task, ending: Ending, now: Millis, successor?: Successor): void {
    this.#tasks.delete(task.key);
    this.#end(task, ending, now);
    const next = task.deferred ?? successor;
    if (next) this.#admit(task.key, next.generation, next.due, next.body, now);
  }

  /** Record and event change in one step (invariant 64). */
  #end(
    { key, generation }: { readonly key: string; readonly generation: string },
    { state, text, reason, ttl }: Ending,
    now: Millis,
  ): void {
    const ended: EndedTask = { generation, state, endedAt: now, text, reason };
    this.#records.keep(key, ended, ttl);
    if (state === "dead") this.#records.bury(key, ended);
    this.hints.change(key, generation, state);
  }
}

/** The first answer again: its reply was lost (invariant 27). Only what is still held under that claim. */
function repeat({ call }: Step, last: Lane): StepReply {
  if (call === last.call) return reply(last);
  throw new ProtocolError(
    `Cannot take step ${call}: its lane has already taken step ${last.call}`,
  );
}

function reply({ committed, brought, more, cursor }: Lane): StepReply {
  return { committed, claims: claimsOf(brought), more, cursor };
}

/** What the consumer holds already, after the claim that the cursor names; `OWN` is the number before the first. */
function own(consumer: Consumer, cursor: number, want: number): Brought {
  const brought: Run[] = [];
  let more = false;
  for (const task of consumer.held) {
    const run = task.run!;
    if (run.number <= cursor) continue;
    more = brought.length >= want;
    if (more) break;
    brought.push(run);
  }
  return { brought, more, cursor: `${brought.at(-1)?.number ?? cursor}` };
}

/** A delay begins on the storage's clock (invariant 79). */
function instant(due: Due, now: Millis): Millis | undefined {
  if (due === undefined) return undefined;
  return "at" in due ? due.at : now + due.after;
}

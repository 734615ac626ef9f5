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
  type Presence,
  type Promotion,
  type Reclaim,
  type ReclaimReply,
  type Renewal,
  type Report,
  type Requeue,
  type Requeued,
  type Seed,
  type Seeding,
  type Step,
  type StepReply,
  type Storage,
  type Survey,
  type Sweep,
  type Swept,
  type Target,
  type Verdict,
} from "../contract.ts";
import type { StorageOptions } from "../open.ts";
import { cancelledAt, type Ending, endingOf, type Successor, successorOf } from "./ending.ts";
import { MemoryStorage } from "./handle.ts";
import { Heap } from "./heap.ts";
import { Hints } from "./hints.ts";
import { Line } from "./line.ts";
import { Presences } from "./presences.ts";
import { Records } from "./records.ts";
import {
  claimsOf,
  type Consumer,
  type Lane,
  type Run,
  Task,
  view,
  viewWithProgress,
} from "./task.ts";

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
  readonly #presences = new Presences();
  /** Keys of chains that are to be there always, and whether they are: not those that were stopped on purpose. */
  readonly #automatic = new Map<string, boolean>();
  readonly #rules = new Set<string>();
  #version = "";
  #background = 0;
  #cleared = { request: "", count: 0 };
  #sweptAt: Millis = -Infinity;
  #claims = 0;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  // ── The verbs ───────────────────────────────────────────────────────────────────────────────────────────────────────

  schedule(calls: readonly Call[], ttl: Millis, strikes?: string): readonly Verdict[] {
    const now = this.clock.now();
    // Nothing is scheduled in ignorance of what is struck (invariant 56).
    if (strikes !== undefined && strikes !== this.#version) {
      return calls.map(() => ({ kind: "outdated" }));
    }
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
      // The chain ends with it (invariant 48), also where it is just about to be seeded again.
      const whole = generation === undefined || generation === task?.generation;
      if (whole && this.#automatic.has(key)) this.#automatic.set(key, false);
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
          this.hints.cancel(task);
        }
        return "requested";
      }
      this.#leave(task);
      this.#tasks.delete(key);
      this.#end(task, cancelledAt(task.attempt, "cancelled", ttl), now);
      return "cancelled";
    });
    this.hints.tell(now);
    return replies;
  }

  seed(seeds: readonly Seed[]): readonly Seeding[] {
    const now = this.clock.now();
    const seedings = seeds.map(({ key, generation, due, body }): Seeding => {
      const task = this.#tasks.get(key);
      const sent = task?.generation === generation || this.#records.has(key, generation, now);
      if (sent) return "seeded";
      if (task) {
        // Somebody scheduled it since. Not so where a cancel has stopped the chain and is yet to end its run.
        if (!task.cancelled || !this.#automatic.has(key)) this.#automatic.set(key, true);
        return "live";
      }
      if (this.#records.grave(key)) return "parked";
      if (this.#automatic.get(key) === false) return "stopped";
      this.#automatic.set(key, true);
      this.#admit(key, generation, due, body, now);
      return "seeded";
    });
    this.hints.tell(now);
    return seedings;
  }

  requeue(requests: readonly Requeue[]): readonly Requeued[] {
    const now = this.clock.now();
    const answers = requests.map(({ key, generation, as }): Requeued => {
      const task = this.#tasks.get(key);
      if (task?.generation === as || this.#records.has(key, as, now)) return { kind: "scheduled" };
      if (task) return { kind: "exists", live: view(task) };
      const body = this.#records.bodyOf(key, generation, now);
      if (body === undefined) return { kind: "gone" };
      this.#records.unearth(key, generation);
      this.#admit(key, as, undefined, body, now);
      return { kind: "scheduled" };
    });
    this.hints.tell(now);
    return answers;
  }

  clear(request: string, ttl: Millis): { readonly cleared: number; readonly cursor: string } {
    if (this.#cleared.request === request) return { cleared: this.#cleared.count, cursor: "" };
    const now = this.clock.now();
    let count = 0;
    for (const task of [...this.#tasks.values()]) {
      if (task.run) {
        if (task.deferred) count++;
        this.#drop(task, "cleared", now, ttl);
        continue;
      }
      this.#leave(task);
      this.#tasks.delete(task.key);
      this.#end(task, cancelledAt(task.attempt, "cleared", ttl), now);
      count++;
    }
    this.#cleared = { request, count };
    this.hints.tell(now);
    return { cleared: count, cursor: "" };
  }

  load(keys: readonly string[], mark?: string): readonly Found[] {
    const now = this.clock.now();
    if (mark !== undefined) {
      this.hints.mark(mark);
      this.hints.tell(now);
    }
    return keys.map((key) => {
      const task = this.#tasks.get(key);
      return {
        live: task && viewWithProgress(task),
        deferred: task?.deferred,
        ended: this.#records.find(key, now),
        dead: this.#records.grave(key),
      };
    });
  }

  count(): number {
    return this.#tasks.size;
  }

  remaining(): number {
    return this.#tasks.size - this.#background;
  }

  survey(limit: number): Survey {
    const scheduled = [...this.#due].sort((a, b) => a.at - b.at || a.order - b.order);
    const running = [...this.#running].sort((a, b) => a.run!.number - b.run!.number);
    const waiting = running.flatMap(({ key, deferred }) => deferred ? { key, ...deferred } : []);
    const counts = {
      scheduled: scheduled.length,
      queued: this.#tasks.size - scheduled.length - running.length,
      running: running.length,
      waiting: waiting.length,
      dead: this.#records.graves,
    };
    return {
      at: this.clock.now(),
      counts,
      scheduled: scheduled.slice(0, limit).map(view),
      queued: [...first(this.#queue, limit)].map(view),
      running: running.slice(0, limit).map(viewWithProgress),
      waiting: waiting.slice(0, limit),
    };
  }

  parked(
    which: "failed" | "dead",
    limit: number,
  ): readonly (EndedTask & { readonly key: string })[] {
    return which === "failed"
      ? this.#records.failed(limit, this.clock.now())
      : this.#records.dead(limit);
  }

  step(step: Step, ttl: Millis): StepReply {
    const now = this.clock.now();
    const consumer = this.#consumer(step.consumer);
    const last = consumer.lanes.get(step.lane);
    if (last && step.call <= last.call) return repeat(step, last, this.#version);

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
    return reply(lane, this.#version);
  }

  /** Whether a step would bring something. */
  get ready(): boolean {
    return this.#queue.first !== undefined;
  }

  reclaim(reclaim: Reclaim, ttl: Millis): ReclaimReply {
    const consumer = this.#consumer(reclaim.consumer);
    const last = consumer.reclaimed;
    if (last?.token === reclaim.token && last.from === reclaim.cursor) {
      return { claims: claimsOf(last.brought), cursor: last.cursor, strikes: this.#version };
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
    return { claims: claimsOf(brought), cursor, strikes: this.#version };
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
      this.#leave(task);
      this.#enqueue(task, now); // the very same task, so every field is kept (invariant 16)
    }
    this.#records.sweep(now, limit); // also where nothing ends any more, records leave in time
    this.hints.tell(now);
    const first = this.#due.first;
    return { promoted, next: first && Math.max(0, first.at - now) };
  }

  report(reports: readonly Report[]): void {
    const now = this.clock.now();
    for (const { key, token, progress } of reports) {
      const task = this.#tasks.get(key);
      if (task?.run?.token !== token) continue; // a stale one tells nothing (invariant 19)
      task.run.progress = progress;
      this.hints.progress(task, now, progress);
    }
    this.hints.tell(now);
  }

  advertise(consumer: string, span: Millis, text: string | undefined): boolean {
    return this.#presences.advertise(consumer, span, text, this.clock.now());
  }

  withdraw(consumer: string): void {
    this.#presences.withdraw(consumer);
  }

  workers(): readonly Presence[] {
    return this.#presences.list(this.clock.now());
  }

  strike(rule: string, struck: boolean, request: string): boolean {
    if (this.#version === request) return true; // sent again
    if (this.#rules.has(rule) === struck) return false;
    if (struck) this.#rules.add(rule);
    else this.#rules.delete(rule);
    this.#version = request;
    return true;
  }

  strikes(): { readonly version: string; readonly rules: readonly string[] } {
    return { version: this.#version, rules: [...this.#rules] };
  }

  /** Nothing can get lost here; what remains to be done is to forget the consumers of the dead. */
  sweep({ pause, silence }: Sweep): Swept {
    const now = this.clock.now();
    const monotonic = this.clock.monotonic();
    const early = this.#sweptAt + pause - monotonic;
    if (early > 0) return { repaired: 0, retired: 0, next: early };
    this.#sweptAt = monotonic;
    let retired = 0;
    for (const [name, { held, seenAt }] of this.#consumers) {
      const silent = monotonic - seenAt > silence && !this.#presences.has(name, now);
      if (!silent || held.size > 0) continue;
      this.#consumers.delete(name);
      retired++;
    }
    return { repaired: 0, retired, next: pause };
  }

  retire(name: string): boolean {
    const consumer = this.#consumers.get(name);
    if (consumer && consumer.held.size > 0) return false;
    this.#consumers.delete(name);
    this.#presences.withdraw(name);
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
      this.hints.state({ key, generation, attempt: 1 }, "waiting", now);
      return { kind: "deferred" };
    }
    if (task) {
      this.#leave(task); // what waited goes in the same step, wherever it waited (invariant 1)
      this.#end(task, cancelledAt(task.attempt, "replaced", ttl), now);
    }
    this.#admit(key, generation, due, body, now);
    return { kind: "scheduled" };
  }

  /** Makes a fresh generation the live one of its key. */
  #admit(
    key: string,
    generation: string,
    due: Due,
    body: string,
    now: Millis,
    background = false,
  ): void {
    const task = new Task(key, generation, instant(due, now), body);
    this.#tasks.set(key, task);
    this.#place(task, now, background);
  }

  /** Gives a task its place to wait. */
  #place(task: Task, now: Millis, background: boolean): void {
    if (task.due === undefined || task.due <= now) return this.#enqueue(task, now);
    task.state = "scheduled";
    task.at = task.due;
    task.background = background;
    if (background) this.#background++;
    this.#due.push(task);
    if (this.#due.first === task) this.hints.due(task.at);
    this.hints.state(task, "scheduled", now);
  }

  #enqueue(task: Task, now: Millis): void {
    task.state = "queued";
    this.#queue.push(task);
    this.hints.arrival();
    this.hints.state(task, "queued", now);
  }

  /** Takes a task from wherever it stands. */
  #leave(task: Task): void {
    if (task.run) {
      this.#running.remove(task);
      task.run.consumer.held.delete(task);
      task.run = undefined; // the token is void from here on (invariant 20); worker and start are cleared (invariant 26)
    } else if (task.state === "queued") this.#queue.remove(task);
    else {
      this.#due.remove(task);
      if (task.background) this.#background--;
      task.background = false;
    }
  }

  /** Ends a replacement whose turn never came. */
  #drop(task: Task, reason: CancelReason, now: Millis, ttl: Millis): void {
    const { key, deferred } = task;
    task.deferred = undefined;
    if (!deferred) return;
    const { generation, body } = deferred;
    const dropped = { key, generation, attempt: 1, body };
    this.#end(dropped, cancelledAt(1, reason, ttl), now);
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
      return this.#finish(task, cancelledAt(task.attempt, "cancelled", ttl), now, previous);
    }
    if (task.deliveries >= maxDeliveries) { // what kills its worker each time must not go on for ever (invariant 40)
      const text = encodeEnding({ attempt: task.attempt, worker: previous, value: "" });
      return this.#finish(task, { state: "dead", text, ttl: DEAD_RECORD_TTL }, now, previous);
    }
    task.deliveries++; // before the body is handed over, so that dying while reading it counts too
    task.state = "running";
    const number = ++this.#claims;
    const renewedAt = this.clock.monotonic();
    task.run = { task, consumer, token, startedAt: now, number, renewedAt };
    consumer.held.add(task);
    this.#running.push(task);
    this.hints.state(task, "running", now, consumer.name);
  }

  #renew(run: Run): void {
    run.renewedAt = this.clock.monotonic();
    this.#running.remove(run.task);
    this.#running.push(run.task);
  }

  #consumer(name: string): Consumer {
    const seenAt = this.clock.monotonic();
    let consumer = this.#consumers.get(name);
    if (!consumer) {
      this.#consumers.set(name, consumer = { name, held: new Set(), lanes: new Map(), seenAt });
    }
    consumer.seenAt = seenAt;
    return consumer;
  }

  // ── Settling ────────────────────────────────────────────────────────────────────────────────────────────────────────

  #settle({ key, token, settlement }: Commit, now: Millis, ttl: Millis): boolean {
    const task = this.#tasks.get(key);
    // By equality (invariant 19). What ended or waits again bears no token, so each commits once (invariant 20).
    if (task?.run?.token !== token) return false;
    const { cancelled, run: { consumer } } = task;
    const ending = endingOf(task, settlement, ttl);
    this.#leave(task);
    if (ending) {
      const successor = cancelled ? undefined : successorOf(settlement);
      this.#finish(task, ending, now, consumer.name, successor);
    } else if (settlement.kind === "retried") {
      task.attempt++;
      task.deliveries = 0;
      this.#again(task, settlement.due, now);
    } else if (settlement.kind === "released") {
      task.deliveries--; // takes its own delivery back
      this.#again(task, settlement.due, now, settlement.held);
    }
    return true;
  }

  #again(task: Task, due: Due, now: Millis, held = false): void {
    task.due = instant(due, now);
    task.heldSince = held ? task.heldSince ?? now : undefined;
    this.#place(task, now, held);
  }

  /** Ends a run; then comes what replaced it meanwhile, else the next of its chain (invariants 14, 48). */
  #finish(
    task: Task,
    ending: Ending,
    now: Millis,
    consumer: string | undefined,
    successor?: Successor,
  ): void {
    const { key, deferred } = task;
    this.#tasks.delete(key);
    if (ending.stops && this.#automatic.has(key)) this.#automatic.set(key, false);
    this.#end(task, ending, now, consumer);
    if (deferred) this.#admit(key, deferred.generation, deferred.due, deferred.body, now);
    else if (successor) {
      this.#admit(key, successor.generation, successor.due, successor.body, now, true);
    }
  }

  /** Record and event change in one step (invariant 64). What failed or is parked keeps what it takes to run it again. */
  #end(
    task: Pick<Task, "key" | "generation" | "attempt" | "body">,
    { state, text, reason, ttl }: Ending,
    now: Millis,
    consumer?: string,
  ): void {
    const { key, generation, body } = task;
    const ended: EndedTask = { generation, state, endedAt: now, text, reason };
    this.#records.keep(key, state === "failed" ? { ...ended, body } : ended, ttl);
    if (state === "dead") this.#records.bury(key, { ...ended, body });
    this.hints.state(task, state, now, consumer, reason);
  }
}

/** The first answer again: its reply was lost (invariant 27). Only what is still held under that claim. */
function repeat({ call }: Step, last: Lane, strikes: string): StepReply {
  if (call === last.call) return reply(last, strikes);
  throw new ProtocolError(
    `Cannot take step ${call}: its lane has already taken step ${last.call}`,
  );
}

function reply({ committed, brought, more, cursor }: Lane, strikes: string): StepReply {
  return { committed, claims: claimsOf(brought), more, cursor, strikes };
}

function* first<T>(items: Iterable<T>, limit: number): Iterable<T> {
  if (limit <= 0) return;
  for (const item of items) {
    yield item;
    if (--limit <= 0) return;
  }
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

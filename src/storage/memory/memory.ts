/**
 * The reference implementation of the {@linkcode Storage} contract: read this one first. Every verb is one synchronous
 * function on maps, so that nothing can come between its steps; `handle.ts` wraps them in promises.
 *
 * It lives as long as the process, is shared by all who open the same URL and docket, and sets no timer of its own.
 *
 * @module
 */

import type { Clock, Millis } from "../../base/clock.ts";
import type { CancelReason } from "../../base/errors.ts";
import { encodeEnding } from "../../base/message.ts";
import {
  type Call,
  type Commit,
  DEAD_RECORD_TTL,
  type Discard,
  type Due,
  type EndedTask,
  type Entry,
  type Found,
  type Lease,
  NEW,
  type ParkedTask,
  type Passage,
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
  type Survey,
  type Sweep,
  type Swept,
  type Target,
  type Verdict,
} from "../contract.ts";
import { Chains } from "./chains.ts";
import { type Consumer, Consumers } from "./consumers.ts";
import { cancelledAt, type Ending, endingOf, type Successor, successorOf } from "./ending.ts";
import { Hints } from "./hints.ts";
import { type Brought, own, repeat, reply } from "./lane.ts";
import { instant, Places } from "./places.ts";
import { Presences } from "./presences.ts";
import { Records } from "./records.ts";
import { Rules } from "./rules.ts";
import { survey } from "./survey.ts";
import { claimsOf, type Run, type Task, view, viewWithProgress } from "./task.ts";

/**
 * All of one docket's state, and the verbs that concern its tasks; presences and rules have their own. `ttl` is always that
 * of records which the storage writes by itself.
 */
export class Memory {
  readonly clock: Clock;
  /** Who is told what changed. */
  readonly hints: Hints = new Hints();
  /** Who is there. */
  readonly presences: Presences = new Presences();
  /** What is struck. */
  readonly rules: Rules = new Rules();
  /** The live tasks, each where it stands. */
  readonly #tasks = new Places(this.hints);
  readonly #records = new Records();
  readonly #consumers = new Consumers();
  readonly #chains = new Chains();
  #cleared = { request: "", count: 0 };
  #claims = 0;
  /** Parked by the present call where they were to be claimed. */
  readonly #parked: ParkedTask[] = [];

  constructor(clock: Clock) {
    this.clock = clock;
  }

  // ── The verbs ───────────────────────────────────────────────────────────────────────────────────────────────────────

  schedule(calls: readonly Call[], ttl: Millis, strikes?: string): readonly Verdict[] {
    const now = this.clock.now();
    // Nothing is scheduled in ignorance of what is struck (invariant 56).
    if (strikes !== undefined && strikes !== this.rules.version) {
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
      if (whole) this.#chains.stop(key);
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
      this.#cancel(task, "cancelled", now, ttl);
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
        this.#chains.find(task);
        return "live";
      }
      if (this.#records.grave(key)) return "parked";
      if (this.#chains.isStopped(key)) return "stopped";
      this.#chains.start(key);
      this.#tasks.admit(key, generation, due, body, now, true);
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
      this.#tasks.admit(key, as, undefined, body, now);
      return { kind: "scheduled" };
    });
    this.hints.tell(now);
    return answers;
  }

  discard(discards: readonly Discard[]): readonly boolean[] {
    const now = this.clock.now();
    return discards.map(({ key, generation }) => this.#records.discard(key, generation, now));
  }

  clear(request: string, ttl: Millis): { readonly cleared: number; readonly cursor: string } {
    if (this.#cleared.request === request) return { cleared: this.#cleared.count, cursor: "" };
    const now = this.clock.now();
    let count = 0;
    for (const task of [...this.#tasks]) {
      if (task.run) {
        if (task.deferred) count++;
        this.#drop(task, "cleared", now, ttl);
        continue;
      }
      this.#cancel(task, "cleared", now, ttl);
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
    return this.#tasks.size - this.#tasks.background;
  }

  survey(limit: number): Survey {
    return survey(this.#tasks, this.#records.graves, limit, this.clock.now());
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
    const consumer = this.#consumers.hear(step.consumer, this.clock.monotonic());
    const last = consumer.lanes.get(step.lane);
    if (last && step.call <= last.call) return repeat(step, last, this.rules.version);

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
    return { ...reply(lane, this.rules.version), ...this.#tellParked() };
  }

  /** Whether a step would bring something. */
  get ready(): boolean {
    return this.#tasks.queue.first !== undefined;
  }

  reclaim(reclaim: Reclaim, ttl: Millis): ReclaimReply {
    const consumer = this.#consumers.hear(reclaim.consumer, this.clock.monotonic());
    const last = consumer.reclaimed;
    if (last?.token === reclaim.token && last.from === reclaim.cursor) {
      return { claims: claimsOf(last.brought), cursor: last.cursor, strikes: this.rules.version };
    }
    const now = this.clock.now();
    const expired = this.clock.monotonic() - reclaim.lease;
    const brought: Run[] = [];
    // Oldest first: live leases stand behind the dead ones and cannot hide them (invariant 33).
    for (let looked = 0; looked < reclaim.want; looked++) {
      const task = this.#tasks.running.first;
      if (!task?.run || task.run.renewedAt > expired) break;
      if (task.run.consumer === consumer) this.#renew(task.run); // under its old token, uncounted (invariant 34)
      else this.#take(task, consumer, reclaim, now, ttl);
      if (task.run) brought.push(task.run);
    }
    const first = this.#tasks.running.first?.run;
    // Pages are numbered: the same page under the same token is a call that was sent again.
    const cursor = first && first.renewedAt <= expired ? `${Number(reclaim.cursor) + 1}` : "";
    consumer.reclaimed = { token: reclaim.token, from: reclaim.cursor, brought, cursor };
    this.hints.tell(now);
    const { version: strikes } = this.rules;
    return { claims: claimsOf(brought), cursor, strikes, ...this.#tellParked() };
  }

  /** Those that the present call has parked, if any. */
  #tellParked(): { readonly parked: readonly ParkedTask[] } | undefined {
    return this.#parked.length > 0 ? { parked: this.#parked.splice(0) } : undefined;
  }

  enter(entries: readonly Entry[], ttl: Millis): readonly Passage[] {
    const now = this.clock.now();
    const passages = entries.map((entry): Passage => {
      const task = this.#tasks.get(entry.key);
      if (task?.run?.token !== entry.token) return "fenced";
      if (task.cancelled || task.deferred) {
        // It has not begun, and never will (invariants 14, 28).
        const reason = task.cancelled ? "cancelled" : "replaced";
        return this.#turnAway(task, cancelledAt(task.attempt, reason, entry.ttl), now);
      }
      const verdict = this.#tasks.gates.judge(entry, task, now, (older, passed) => {
        if (this.#tasks.get(older.key) !== older) return false;
        if (passed || older.run) return true;
        this.#cancel(older, "dropped", now, ttl); // whatever it waits for
        return false;
      });
      switch (verdict.kind) {
        case "pass":
          return "passed";
        case "drop":
          return this.#turnAway(task, cancelledAt(task.attempt, "dropped", entry.ttl), now);
        case "later":
          this.#putOff(task, now);
          task.due = verdict.at;
          this.#tasks.wait(task, now, false);
          return "parked";
        case "line":
          this.#putOff(task, now);
          this.#tasks.line(task, now, verdict.gate);
          this.#tasks.admitWaiting(verdict.gate, now);
          return "parked";
      }
    });
    this.hints.tell(now);
    return passages;
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
      const task = this.#tasks.due.first;
      if (!task || task.at > now) break;
      this.#tasks.leave(task);
      this.#tasks.enqueue(task, now); // the very same task, so every field is kept (invariant 16)
    }
    this.#records.sweep(now, limit); // also where nothing ends any more, records leave in time
    this.hints.tell(now);
    const first = this.#tasks.due.first;
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

  /** Nothing can get lost here; what remains to be done is to forget the consumers of the dead. */
  sweep(sweep: Sweep): Swept {
    const now = this.clock.now();
    const isAdvertised = (name: string) => this.presences.has(name, now);
    return this.#consumers.sweep(sweep, this.clock.monotonic(), isAdvertised);
  }

  retire(name: string): boolean {
    if (!this.#consumers.retire(name)) return false;
    this.presences.withdraw(name);
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
      this.#tasks.leave(task); // what waited goes in the same step, wherever it waited (invariant 1)
      this.#tasks.giveBack(task, now);
      this.#end(task, cancelledAt(task.attempt, "replaced", ttl), now);
    }
    this.#tasks.admit(key, generation, due, body, now);
    return { kind: "scheduled" };
  }

  /** Ends what waits. */
  #cancel(task: Task, reason: CancelReason, now: Millis, ttl: Millis): void {
    this.#tasks.leave(task);
    this.#tasks.remove(task.key);
    this.#tasks.giveBack(task, now);
    this.#end(task, cancelledAt(task.attempt, reason, ttl), now);
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
      const task = this.#tasks.queue.first;
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
    this.#tasks.leave(task);
    if (task.cancelled) { // never runs again, also after a crash (invariant 28)
      return this.#finish(task, cancelledAt(task.attempt, "cancelled", ttl), now, previous);
    }
    if (task.deliveries >= maxDeliveries) { // what kills its worker each time must not go on for ever (invariant 40)
      const text = encodeEnding({ attempt: task.attempt, worker: previous, value: "" });
      this.#parked.push({ key: task.key, body: task.body, reason: "deliveries" });
      return this.#finish(task, { state: "dead", text, ttl: DEAD_RECORD_TTL }, now, previous);
    }
    task.deliveries++; // before the body is handed over, so that dying while reading it counts too
    const number = ++this.#claims;
    const renewedAt = this.clock.monotonic();
    this.#tasks.start(task, { task, consumer, token, startedAt: now, number, renewedAt });
  }

  #renew(run: Run): void {
    run.renewedAt = this.clock.monotonic();
    this.#tasks.stay(run.task);
  }

  // ── Gates ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Ends a run before it has begun. */
  #turnAway(task: Task, ending: Ending, now: Millis): Passage {
    const consumer = task.run?.consumer.name;
    this.#tasks.leave(task);
    this.#finish(task, ending, now, consumer);
    return "dropped";
  }

  /** Takes a run back before it has begun: it takes its own delivery back, and whatever was kept for it. */
  #putOff(task: Task, now: Millis): void {
    this.#tasks.leave(task);
    task.deliveries--;
    task.heldSince = undefined; // who had it enter knows it
    this.#tasks.giveBack(task, now);
  }

  // ── Settling ────────────────────────────────────────────────────────────────────────────────────────────────────────

  #settle({ key, token, settlement }: Commit, now: Millis, ttl: Millis): boolean {
    const task = this.#tasks.get(key);
    // By equality (invariant 19). What ended or waits again bears no token, so each commits once (invariant 20).
    if (task?.run?.token !== token) return false;
    const { cancelled, run: { consumer } } = task;
    const ending = endingOf(task, settlement, ttl);
    this.#tasks.leave(task);
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
    this.#tasks.giveBack(task, now);
    task.due = instant(due, now);
    task.heldSince = held ? task.heldSince ?? now : undefined;
    this.#tasks.wait(task, now, held);
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
    this.#tasks.remove(key);
    this.#tasks.giveBack(task, now);
    if (ending.stops) this.#chains.stop(key);
    this.#end(task, ending, now, consumer);
    if (deferred) this.#tasks.admit(key, deferred.generation, deferred.due, deferred.body, now);
    else if (successor) {
      this.#tasks.admit(key, successor.generation, successor.due, successor.body, now, true);
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

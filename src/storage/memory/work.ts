/**
 * The verbs of workers: claims, leases, gates, settlements.
 *
 * @module
 */

import type { Clock, Millis } from "../../base/clock.ts";
import { encodeEnding } from "../../base/message.ts";
import {
  type Commit,
  DEAD_RECORD_TTL,
  type Due,
  type Entry,
  type Lease,
  NEW,
  type ParkedTask,
  type Passage,
  type Promotion,
  type Reclaim,
  type ReclaimReply,
  type Renewal,
  type Report,
  type Step,
  type StepReply,
} from "../contract.ts";
import type { Consumer } from "./consumers.ts";
import { cancelledAt, type Ending, endingOf, successorOf } from "./ending.ts";
import { type Brought, own, repeat, reply } from "./lane.ts";
import { instant, type Places } from "./places.ts";
import type { Site } from "./site.ts";
import { claimsOf, type Run, type Task } from "./task.ts";

/** What workers call. `ttl` is that of the records that the storage writes by itself. */
export class Work {
  readonly #site: Site;
  readonly #tasks: Places;
  readonly #clock: Clock;
  #claims = 0;
  /** Parked by the present call where they were to be claimed. */
  readonly #parked: ParkedTask[] = [];

  constructor(site: Site) {
    this.#site = site;
    this.#tasks = site.tasks;
    this.#clock = site.clock;
  }

  step(step: Step, ttl: Millis): StepReply {
    const { consumers, rules, hints } = this.#site;
    const now = this.#clock.now();
    const consumer = consumers.hear(step.consumer, this.#clock.monotonic());
    const last = consumer.lanes.get(step.lane);
    if (last && step.call <= last.call) return repeat(step, last, rules.version);

    const committed = step.commits.map((commit) => this.#settle(commit, now, ttl));
    const found = step.from === NEW
      ? this.#claim(consumer, step, now, ttl)
      : own(consumer, Number(step.from), step.want);
    // Whoever is told of a claim that is older than the question takes it for as young as that (invariant 32).
    if (step.from !== NEW) { for (const run of found.brought) this.#renew(run); }
    const lane = {
      call: step.call,
      committed: committed.includes(false) ? committed : undefined,
      ...found,
    };
    consumer.lanes.set(step.lane, lane);
    hints.tell(now);
    return { ...reply(lane, rules.version), ...this.#tellParked() };
  }

  /** Whether a step would bring something. */
  get ready(): boolean {
    return this.#tasks.queue.first !== undefined;
  }

  reclaim(reclaim: Reclaim, ttl: Millis): ReclaimReply {
    const { consumers, rules, hints } = this.#site;
    const consumer = consumers.hear(reclaim.consumer, this.#clock.monotonic());
    const last = consumer.reclaimed;
    if (last?.token === reclaim.token && last.from === reclaim.cursor) {
      return { claims: claimsOf(last.brought), cursor: last.cursor, strikes: rules.version };
    }
    const now = this.#clock.now();
    const expired = this.#clock.monotonic() - reclaim.lease;
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
    hints.tell(now);
    return { claims: claimsOf(brought), cursor, strikes: rules.version, ...this.#tellParked() };
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

  enter(entries: readonly Entry[], ttl: Millis): readonly Passage[] {
    const now = this.#clock.now();
    const passages = entries.map((entry): Passage => {
      const task = this.#tasks.get(entry.key);
      if (task?.run?.token !== entry.token) return "fenced";
      if (task.run.passed) return "passed"; // asked again: it may have begun (invariants 27, 59)
      if (task.cancelled || task.deferred) {
        // It has not begun, and never will (invariants 14, 28).
        const reason = task.cancelled ? "cancelled" : "replaced";
        return this.#turnAway(task, cancelledAt(task.attempt, reason, entry.ttl), now);
      }
      const verdict = this.#tasks.gates.judge(entry, task, now, (older, passed) => {
        if (this.#tasks.get(older.key) !== older) return false;
        if (passed || older.run) return true;
        this.#site.cancel(older, "dropped", now, ttl); // whatever it waits for
        return false;
      });
      switch (verdict.kind) {
        case "pass":
          task.run.passed = true;
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
    this.#site.hints.tell(now);
    return passages;
  }

  promote(limit: number): Promotion {
    const { records, hints } = this.#site;
    const now = this.#clock.now();
    let promoted = 0;
    for (; promoted < limit; promoted++) {
      const task = this.#tasks.due.first;
      if (!task || task.at > now) break;
      this.#tasks.leave(task);
      this.#tasks.enqueue(task, now); // the very same task, so every field is kept (invariant 16)
    }
    records.sweep(now, limit); // also where nothing ends any more, records leave in time
    hints.tell(now);
    const first = this.#tasks.due.first;
    return { promoted, next: first && Math.max(0, first.at - now) };
  }

  report(reports: readonly Report[]): void {
    const { hints } = this.#site;
    const now = this.#clock.now();
    for (const { key, token, progress } of reports) {
      const task = this.#tasks.get(key);
      if (task?.run?.token !== token) continue; // a stale one tells nothing (invariant 19)
      task.run.progress = progress;
      hints.progress(task, now, progress);
    }
    hints.tell(now);
  }

  retire(name: string): boolean {
    const { consumers, presences } = this.#site;
    if (!consumers.retire(name)) return false;
    presences.withdraw(name);
    return true;
  }

  #settle({ key, token, settlement }: Commit, now: Millis, ttl: Millis): boolean {
    const task = this.#tasks.get(key);
    // By equality (invariant 19). What ended or waits again bears no token, so each commits once (invariant 20).
    if (task?.run?.token !== token) return false;
    const { cancelled, run: { consumer } } = task;
    const ending = endingOf(task, settlement, ttl);
    this.#tasks.leave(task);
    if (ending) {
      const successor = cancelled ? undefined : successorOf(settlement);
      this.#site.finish(task, ending, now, consumer.name, successor);
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
      return this.#site.finish(task, cancelledAt(task.attempt, "cancelled", ttl), now, previous);
    }
    if (task.deliveries >= maxDeliveries) { // what kills its worker each time must not go on for ever (invariant 40)
      const text = encodeEnding({ attempt: task.attempt, worker: previous, value: "" });
      this.#parked.push({ key: task.key, body: task.body, reason: "deliveries" });
      return this.#site.finish(task, { state: "dead", text, ttl: DEAD_RECORD_TTL }, now, previous);
    }
    task.deliveries++; // before the body is handed over, so that dying while reading it counts too
    const number = ++this.#claims;
    const renewedAt = this.#clock.monotonic();
    this.#tasks.start(task, { task, consumer, token, startedAt: now, number, renewedAt });
  }

  /** Those that the present call has parked, if any. */
  #tellParked(): { readonly parked: readonly ParkedTask[] } | undefined {
    return this.#parked.length > 0 ? { parked: this.#parked.splice(0) } : undefined;
  }

  #renew(run: Run): void {
    run.renewedAt = this.#clock.monotonic();
    this.#tasks.stay(run.task);
  }

  /** Ends a run before it has begun. */
  #turnAway(task: Task, ending: Ending, now: Millis): Passage {
    const consumer = task.run?.consumer.name;
    this.#tasks.leave(task);
    this.#site.finish(task, ending, now, consumer);
    return "dropped";
  }

  /** Takes a run back before it has begun: it takes its own delivery back, and whatever was kept for it. */
  #putOff(task: Task, now: Millis): void {
    this.#tasks.leave(task);
    task.deliveries--;
    task.heldSince = undefined; // who had it enter knows it
    this.#tasks.giveBack(task, now);
  }
}

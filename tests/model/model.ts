/**
 * What a storage must do, written from the words of its contract: tasks under keys, one list of them, no indexes, no
 * speed. Every verb tells the reply that is right and changes the model as the storage must have changed.
 *
 * Time passes by itself, so the model knows only between which two readings of the clock a verb worked. Where that leaves
 * open whether something was due or a lease had run out, and only there, it goes by what the storage shows afterwards.
 *
 * @module
 */

import type {
  Call,
  Commit,
  Counts,
  Discard,
  Entry,
  Lease,
  Passage,
  Reclaim,
  Renewal,
  Report,
  Requeue,
  Seed,
  Step,
  Target,
} from "../../src/storage/contract.ts";
import { type Fate, Gates } from "./gates.ts";
import { Disagreement, type Expected, Moment, type Span, Told } from "./match.ts";
import {
  dueAt,
  type Ended,
  type Generation,
  gone,
  instant,
  isAfter,
  isPast,
  type Seen,
  type Task,
  view,
  viewWithoutProgress,
} from "./task.ts";

/** All that a docket is. */
export class Model {
  readonly #tasks = new Map<string, Task>();
  readonly #ended = new Map<string, Ended>();
  readonly #dead = new Map<string, Ended>();
  readonly #failed = new Set<string>();
  readonly #automatic = new Map<string, boolean>();
  readonly #rules = new Set<string>();
  readonly #gates = new Gates(this.#tasks);
  #version = "";
  #places = 0;
  #woken = 0;
  /** What was there after the verb that is under way: which of those with one place was woken is not said. */
  #seen: Seen = () => ({});

  // ── What can be seen ────────────────────────────────────────────────────────────────────────────────────────────────

  found(key: string): Expected {
    const task = this.#tasks.get(key);
    const { generation, body, due } = task?.deferred ?? {};
    return {
      live: task && view(key, task),
      deferred: generation && { generation, body, due: due && { at: due } },
      ended: this.#ended.get(key),
      dead: this.#dead.get(key),
    };
  }

  get count(): number {
    return this.#tasks.size;
  }

  get remaining(): number {
    return [...this.#tasks.values()].filter(({ background }) => !background).length;
  }

  get counts(): Counts {
    const tasks = [...this.#tasks.values()];
    const inState = (state: Task["state"]) => tasks.filter((task) => task.state === state).length;
    return {
      scheduled: inState("scheduled"),
      queued: inState("queued"),
      running: inState("running"),
      waiting: tasks.filter(({ deferred }) => deferred).length + inState("waiting"),
      dead: this.#dead.size,
    };
  }

  /** The keys of what failed, or is parked. */
  parked(which: "failed" | "dead"): string[] {
    return which === "failed" ? [...this.#failed] : [...this.#dead.keys()];
  }

  /** Whether these are those in line, in an order in which they may be. */
  areInLine(keys: readonly string[]): boolean {
    const waiting = [...this.#tasks.values()].filter(({ state }) => state === "waiting");
    const places = keys.map((key) => this.#tasks.get(key)).map((task) => {
      return task?.state === "waiting" ? task.place : NaN;
    });
    return waiting.length === keys.length &&
      places.every((place, i) => i === 0 ? place > 0 : place >= places[i - 1]);
  }

  /** The limits that a task holds. */
  holds(key: string): string[] {
    return [...this.#tasks.get(key)?.holds ?? []];
  }

  /** Whether anything is queued whose run was lost, and holds a limit. */
  get hasLostHolders(): boolean {
    return [...this.#tasks.values()].some(({ lost, holds }) => lost && holds.size > 0);
  }

  get version(): string {
    return this.#version;
  }

  get rules(): string[] {
    return [...this.#rules];
  }

  /** Which generation of a key failed, or is parked. */
  lost(key: string, which: "failed" | "dead"): string | undefined {
    if (which === "dead") return this.#dead.get(key)?.generation;
    return this.#failed.has(key) ? this.#ended.get(key)?.generation : undefined;
  }

  token(key: string): string | undefined {
    return this.#tasks.get(key)?.run?.token;
  }

  runner(key: string): string | undefined {
    return this.#tasks.get(key)?.run?.consumer;
  }

  generation(key: string, which: "live" | "deferred"): string | undefined {
    const task = this.#tasks.get(key);
    return which === "live" ? task?.generation : task?.deferred?.generation;
  }

  // ── The verbs ───────────────────────────────────────────────────────────────────────────────────────────────────────

  schedule(calls: readonly Call[], strikes: string | undefined, now: Span, seen: Seen): Expected[] {
    this.#seen = seen;
    if (strikes !== undefined && strikes !== this.#version) {
      return calls.map(() => ({ kind: "outdated" }));
    }
    // Of several calls for one key only the last leaves a trace. Where it is recognised, all were sent before.
    const sent = calls.map((call) => this.#recognise(call));
    const before = this.#places, woken = this.#woken;
    const verdicts = calls.map((call, i) => {
      const later = sent.findLast((verdict, j) => verdict && calls[j].key === call.key);
      if (!later || sent.lastIndexOf(later) <= i) return this.#accept(call, now, seen);
      if (sent[i] || later.kind !== "deferred") return { kind: "scheduled" };
      // A replacement that still waits: what runs now ran then, too.
      if (call.mode === "replace") return { kind: "deferred" };
      return { kind: "exists", live: viewWithoutProgress(call.key, this.#tasks.get(call.key)!) };
    });
    if (this.#woken > woken) this.#level(before); // before or after what is queued anew: that is not said
    return verdicts;
  }

  cancel(targets: readonly Target[], seen: Seen): string[] {
    this.#seen = seen;
    return targets.map(({ key, generation }) => {
      const task = this.#tasks.get(key);
      const any = generation === undefined;
      const whole = any || task?.generation === generation;
      if (whole && this.#automatic.has(key)) this.#automatic.set(key, false);
      if (task && whole) {
        if (!task.run) {
          this.#end(key, task, "cancelled", "", "cancelled");
          return "cancelled";
        }
        if (any) this.#drop(key, task, "cancelled");
        task.cancelled = true;
        return "requested";
      }
      if (!task?.deferred || task.deferred.generation !== generation) return "none";
      this.#drop(key, task, "cancelled");
      return "cancelled";
    });
  }

  seed(seeds: readonly Seed[], now: Span, seen: Seen): string[] {
    return seeds.map(({ key, generation, body, due }) => {
      const task = this.#tasks.get(key);
      if (this.#recognise({ key, generation })) return "seeded";
      if (task && !task.cancelled) this.#automatic.set(key, true);
      else if (task && !this.#automatic.has(key)) this.#automatic.set(key, false);
      if (task) return "live";
      if (this.#dead.has(key)) return "parked";
      if (this.#automatic.get(key) === false) return "stopped";
      this.#automatic.set(key, true);
      this.#admit(key, { generation, body, ...instant(due, now) }, now, seen, isAfter(due), true);
      return "seeded";
    });
  }

  requeue(requests: readonly Requeue[], now: Span, seen: Seen): Expected[] {
    return requests.map(({ key, generation, as }) => {
      const task = this.#tasks.get(key);
      if (this.#recognise({ key, generation: as })) return { kind: "scheduled" };
      if (task) return { kind: "exists", live: viewWithoutProgress(key, task) };
      const record = [this.#ended.get(key), this.#dead.get(key)]
        .find((ended) => ended?.generation === generation && ended.body !== undefined);
      if (record?.body === undefined) return { kind: "gone" };
      if (this.#dead.get(key)?.generation === generation) this.#dead.delete(key);
      if (this.#ended.get(key)?.generation === generation) this.#failed.delete(key);
      this.#admit(key, { generation: as, body: record.body }, now, seen);
      return { kind: "scheduled" };
    });
  }

  discard(discards: readonly Discard[]): boolean[] {
    return discards.map(({ key, generation }) => {
      const ended = this.#ended.get(key);
      const isDead = this.#dead.get(key)?.generation === generation;
      const hasFailed = ended?.generation === generation && this.#failed.has(key);
      if (isDead) this.#dead.delete(key);
      if (hasFailed) this.#failed.delete(key);
      if (ended?.generation === generation && (isDead || hasFailed)) {
        this.#ended.set(key, { ...ended, text: "", body: undefined });
      }
      return isDead || hasFailed;
    });
  }

  clear(seen: Seen): number {
    this.#seen = seen;
    let count = 0;
    for (const [key, task] of [...this.#tasks]) {
      if (task.run && !task.deferred) continue;
      count++;
      if (task.run) this.#drop(key, task, "cleared");
      else this.#end(key, task, "cancelled", "", "cleared");
    }
    return count;
  }

  report(reports: readonly Report[]): void {
    for (const { key, token, progress } of reports) {
      const run = this.#tasks.get(key)?.run;
      if (run?.token === token) run.progress = progress;
    }
  }

  strike(rule: string, struck: boolean, request: string): boolean {
    if (this.#version === request) return true;
    if (this.#rules.has(rule) === struck) return false;
    if (struck) this.#rules.add(rule);
    else this.#rules.delete(rule);
    this.#version = request;
    return true;
  }

  /**
   * Whoever held tasks holds them no longer, all of them or one consumer: they are queued again, in any order, unless they
   * were to be cancelled or replaced.
   */
  lose(now: Span, seen: Seen, consumer?: string): void {
    this.#seen = seen;
    const before = this.#places;
    for (const [key, task] of [...this.#tasks]) {
      if (task.state === "scheduled" || task.state === "waiting") continue;
      if (consumer !== undefined && task.holder !== consumer) continue;
      if (consumer !== undefined && task.astray && !task.run) {
        Object.assign(task, { holder: undefined, astray: false }); // it is shown again in any case, in its place
        continue;
      }
      const { cancelled, deferred } = task;
      if (task.run && (cancelled || deferred)) {
        this.#end(key, task, "cancelled", "", cancelled ? "cancelled" : "replaced");
        if (deferred) this.#admit(key, deferred, now, seen);
        continue;
      }
      task.lost ||= task.run !== undefined;
      Object.assign(task, { run: undefined, holder: undefined, astray: false, state: "queued" });
      task.place = ++this.#places;
    }
    this.#level(before);
  }

  /** Settles, then takes what nobody has, first come, first served. `late` are those that were queued by its deaths. */
  step(step: Step, now: Span, seen: Seen): Expected & { readonly late: number } {
    const committed = this.#settle(step.commits, now, seen);
    const before = this.#places;
    const taken = (key: string, task: Task) => {
      return seen(key).live?.token === step.token || gone(seen(key), task);
    };
    const unread = this.#unread() // which of two with one place goes first is not said
      .sort(([k, a], [l, b]) => a.place - b.place || Number(taken(l, b)) - Number(taken(k, a)));
    const claims: Expected[] = [];
    const look = ([key, task]: [string, Task]) => {
      Object.assign(task, { holder: step.consumer, touched: now, astray: false });
      const claim = !task.run
        ? this.#take(key, task, step, now, seen)
        : task.run.consumer === step.consumer
        ? viewWithoutProgress(key, task)
        : undefined;
      if (claim) claims.push(claim);
    };
    unread.slice(0, step.want).forEach(look);
    // One that dies may wake another. A storage may take that one in the same step, or leave it to the next: it reads
    // what is queued one by one, or all at once.
    const woken = () => this.#unread().filter(([, { place }]) => place > before);
    for (let looked = unread.length; looked < step.want; looked++) {
      const next = woken().find(([key, task]) => taken(key, task));
      if (next) look(next);
    }
    const late = woken().length;
    this.#level(before);
    return { committed, claims, late };
  }

  /**
   * Settles, then gives what the consumer has. `sure` are the keys that it must look at; of the others, `brought` says
   * at which it did.
   */
  own(
    step: Step,
    sure: (key: string) => boolean,
    brought: ReadonlySet<string>,
    now: Span,
    seen: Seen,
  ): Expected {
    const committed = this.#settle(step.commits, now, seen);
    const before = this.#places;
    const claims: Expected[] = [];
    for (const [key, task] of [...this.#tasks]) {
      if (task.holder !== step.consumer) continue;
      task.touched = { from: task.touched.from, to: now.to }; // looking may renew the lease, or not
      if (!sure(key) && !brought.has(key) && !gone(seen(key), task)) continue;
      if (task.run && task.run.consumer !== step.consumer) continue;
      const claim = task.run
        ? viewWithoutProgress(key, task)
        : this.#take(key, task, step, now, seen);
      if (claim) claims.push(claim);
    }
    this.#level(before);
    return { committed, claims };
  }

  /**
   * What a call that is sent again must bring: what it brought, as far as the consumer still has it. It may tell what
   * else the consumer runs now.
   */
  again(consumer: string, first: readonly Lease[], told: readonly Lease[], now: Span): Expected[] {
    const claims: Expected[] = [];
    for (const [key, task] of this.#tasks) {
      if (task.holder === consumer) task.touched = { from: task.touched.from, to: now.to }; // as above
      if (task.run?.consumer !== consumer) continue;
      const { token } = task.run;
      const among = (leases: readonly Lease[]) =>
        leases.some((lease) => lease.key === key && lease.token === token);
      if (!among(told) && !(task.holder === consumer && among(first))) continue;
      claims.push(viewWithoutProgress(key, task));
    }
    return claims;
  }

  /** How many nobody has read, and whether it is certain which are the first so many. */
  ready(want: number): { count: number; certain: boolean } {
    const places = this.#unread().map(([, { place }]) => place).sort((a, b) => a - b);
    return { count: places.length, certain: places[want - 1] !== places[want] };
  }

  /** Sets aside the first that nobody has read. */
  wait(consumer: string, want: number, now: Span): string[] {
    const first = this.#unread().sort(([, a], [, b]) => a.place - b.place).slice(0, want);
    for (const [, task] of first) {
      Object.assign(task, { holder: consumer, touched: now, astray: false });
    }
    return first.map(([key]) => key);
  }

  /** All that was read and has not ended is shown once more to whoever reads: a stranger moved a pointer. */
  stray(): boolean {
    const held = [...this.#tasks.values()]
      .filter(({ state }) => state === "queued" || state === "running");
    const places = new Set(held.map(({ place }) => place));
    if (places.size < held.length) return false; // nobody can say in which order
    for (const task of held) task.astray = task.holder !== undefined;
    return true;
  }

  /** Takes over what was not renewed: all of it, if everything was looked at. `brought` is what the storage gave. */
  reclaim(
    { consumer, token, lease, maxDeliveries }: Reclaim,
    everything: boolean,
    brought: ReadonlySet<string>,
    now: Span,
    seen: Seen,
  ): Expected[] {
    this.#seen = seen;
    const claims: Expected[] = [];
    const before = this.#places;
    for (const [key, task] of [...this.#tasks]) {
      if (task.holder === undefined) continue;
      const surely = now.from - task.touched.to >= lease;
      const perhaps = now.to - task.touched.from >= lease;
      const live = seen(key).live;
      const changed = brought.has(key) || gone(seen(key), task) || live?.token !== task.run?.token;
      if (!(surely && everything) && !(perhaps && changed)) continue;
      const own = task.run?.consumer === consumer;
      const step = { consumer, token, maxDeliveries };
      const claim = own ? viewWithoutProgress(key, task) : this.#take(key, task, step, now, seen);
      Object.assign(task, { holder: consumer, touched: now });
      if (claim) claims.push(claim);
    }
    this.#level(before);
    return claims;
  }

  /** `fates` is what became of the runs. */
  enter(entries: readonly Entry[], fates: readonly Fate[], now: Span, seen: Seen): Passage[] {
    this.#seen = seen;
    return entries.map((entry, i) => {
      const before = this.#places;
      const passage = this.#enter(entry, fates[i], now, seen);
      this.#level(before); // whether who is woken is queued before a replacement is not said
      return passage;
    });
  }

  renew(consumer: string, leases: readonly Lease[], now: Span): Renewal[] {
    return leases.map(({ key, token }) => {
      const task = this.#tasks.get(key);
      if (task?.run?.token !== token || task.run.consumer !== consumer) return "lost";
      Object.assign(task, { holder: consumer, touched: now });
      return task.cancelled ? "cancel" : "kept";
    });
  }

  promote(limit: number, now: Span, seen: Seen): { promoted: number; waiting: boolean } {
    const moved: Task[] = [], rest: Task[] = [];
    for (const [key, task] of this.#tasks) {
      if (task.state !== "scheduled") continue;
      const queued = isPast(task, now) !== false && seen(key).live?.state === "queued";
      (queued ? moved : rest).push(task);
    }
    const last = Math.max(...moved.map(dueAt));
    if (moved.length > limit) throw new Disagreement("more were queued than allowed");
    for (const task of rest) {
      if (!isPast(task, now)) continue;
      if (moved.length < limit) throw new Disagreement(`${task.generation} is due, and not queued`);
      if (dueAt(task) < last) throw new Disagreement(`${task.generation} is due before others`);
    }
    moved.sort((a, b) => dueAt(a) - dueAt(b));
    for (const [i, task] of moved.entries()) {
      task.state = "queued";
      task.background = false;
      const same = i > 0 && dueAt(task) === dueAt(moved[i - 1]);
      task.place = same ? this.#places : ++this.#places;
    }
    return { promoted: moved.length, waiting: rest.length > 0 };
  }

  /** Whether the consumer may be forgotten. */
  retire(consumer: string): boolean {
    return ![...this.#tasks.values()].some(({ holder }) => holder === consumer);
  }

  // ── Scheduling ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #recognise({ key, generation }: Pick<Call, "key" | "generation">): Expected | undefined {
    const task = this.#tasks.get(key);
    if (task?.generation === generation) return { kind: "scheduled" };
    if (task?.deferred?.generation === generation) return { kind: "deferred" };
    if (this.#ended.get(key)?.generation === generation) return { kind: "scheduled" };
  }

  #accept(call: Call, now: Span, seen: Seen): Expected {
    const { key, mode, generation, body } = call;
    const before = this.#recognise(call);
    if (before) return before;
    const task = this.#tasks.get(key);
    if (task && mode === "add") return { kind: "exists", live: viewWithoutProgress(key, task) };
    const fresh = { generation, body, ...instant(call.due, now) };
    if (task?.run) {
      this.#drop(key, task, "replaced");
      task.deferred = fresh;
      return { kind: "deferred" };
    }
    if (task) this.#end(key, task, "cancelled", "", "replaced");
    this.#admit(key, fresh, now, seen, isAfter(call.due));
    return { kind: "scheduled" };
  }

  #admit(
    key: string,
    fresh: Generation,
    now: Span,
    seen: Seen,
    later?: boolean,
    background = false,
  ): void {
    const counts = { attempt: 1, deliveries: 0, cancelled: false, astray: false, background };
    const place = { place: 0, holds: new Set<string>(), lost: false };
    const task: Task = { ...fresh, ...counts, ...place, state: "queued", touched: now };
    this.#tasks.set(key, task);
    this.#place(key, task, now, seen, later, background);
  }

  /** Queues a task, or keeps it for later: surely when its delay begins now. */
  #place(
    key: string,
    task: Task,
    now: Span,
    seen: Seen,
    later = false,
    background = false,
  ): void {
    const { live } = seen(key);
    const waits = live?.generation === task.generation && live.state === "scheduled";
    const past = isPast(task, now);
    Object.assign(task, { run: undefined, holder: undefined, astray: false });
    task.state = later || past === false || past === undefined && waits ? "scheduled" : "queued";
    task.background = background && task.state === "scheduled";
    task.place = ++this.#places;
  }

  // ── Claiming ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** What is queued and nobody's yet, and what strayed. */
  #unread(): [string, Task][] {
    return [...this.#tasks].filter(([, { state, holder, astray }]) => {
      return astray || state === "queued" && holder === undefined;
    });
  }

  /** Gives a task to a consumer, unless it must not run any more. */
  #take(
    key: string,
    task: Task,
    { consumer, token, maxDeliveries }: Pick<Step, "consumer" | "token" | "maxDeliveries">,
    now: Span,
    seen: Seen,
  ): Expected | undefined {
    if (task.cancelled) this.#end(key, task, "cancelled", "", "cancelled");
    else if (task.deliveries >= maxDeliveries) {
      this.#end(key, task, "dead", new Told(task.attempt, task.run?.consumer));
    } else {
      task.deliveries++;
      task.state = "running";
      task.lost = false;
      task.holder = consumer;
      task.run = { token, consumer, startedAt: new Moment() };
      task.touched = now;
      return viewWithoutProgress(key, task);
    }
    if (task.deferred) this.#admit(key, task.deferred, now, seen);
  }

  // ── Gates ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  #enter({ key, token, gates }: Entry, fate: Fate, now: Span, seen: Seen): Passage {
    const task = this.#tasks.get(key);
    if (task?.run?.token !== token) return "fenced";
    if (task.run.passed) return "passed";
    const { cancelled, deferred } = task;
    if (cancelled || deferred) {
      this.#end(key, task, "cancelled", "", cancelled ? "cancelled" : "replaced");
      if (deferred) this.#admit(key, deferred, now, seen);
      return "dropped";
    }
    for (const gate of gates) {
      const supersede = this.#supersede.bind(this);
      const word = this.#gates.look(gate, task, now, fate, supersede);
      if (word === "pass") continue;
      if (word === "drop") {
        this.#end(key, task, "cancelled", "", "dropped");
        return "dropped";
      }
      task.deliveries--; // it has not begun; and somebody here knows it
      const nobody = { run: undefined, holder: undefined, astray: false, heldSince: undefined };
      Object.assign(task, nobody);
      if (word !== "line") {
        const { due, dueIn } = word;
        Object.assign(task, { state: "scheduled", background: false, due, dueIn });
      } else if (gate.kind === "concurrency") {
        Object.assign(task, { state: "waiting", line: gate });
      }
      this.#giveBack(task);
      return "parked";
    }
    for (const gate of gates) this.#gates.take(gate, task, now);
    task.run.passed = true;
    return "passed";
  }

  /** A later one has come: this one is dropped, wherever it waits, unless it runs or has passed. */
  #supersede(older: string, passed: boolean): boolean {
    for (const [key, task] of [...this.#tasks]) {
      if (task.generation !== older) continue;
      if (passed || task.run) return true;
      this.#end(key, task, "cancelled", "", "dropped");
    }
    return false;
  }

  /** Whatever it holds it holds no longer; the next in line come in. */
  #giveBack(task: Task): void {
    const left = [...task.holds];
    task.holds.clear();
    for (const id of left) this.#wake(id);
  }

  #wake(id: string): void {
    const stillWaits = ([key, { generation }]: [string, Task]) => {
      const { live } = this.#seen(key);
      return Number(live?.generation === generation && live.state === "waiting");
    };
    for (;;) {
      const line = [...this.#tasks].filter(([, { line }]) => line?.id === id)
        .sort((a, b) => a[1].place - b[1].place || stillWaits(a) - stillWaits(b));
      const next = line[0]?.[1];
      if (!next || this.#gates.holders(id).length >= next.line!.max) return;
      Object.assign(next, { state: "queued", line: undefined });
      next.holds.add(id);
      next.place = ++this.#places;
      this.#woken++;
    }
  }

  // ── Settling ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Absent when all counted. */
  #settle(commits: readonly Commit[], now: Span, seen: Seen): boolean[] | undefined {
    this.#seen = seen;
    const before = this.#places;
    const committed = commits.map((commit) => this.#commit(commit, now, seen));
    this.#level(before);
    return committed.includes(false) ? committed : undefined;
  }

  /** In which order the tasks that were queued since are queued is not said. */
  #level(before: number): void {
    for (const task of this.#tasks.values()) if (task.place > before) task.place = this.#places;
  }

  #commit({ key, token, settlement }: Commit, now: Span, seen: Seen): boolean {
    const task = this.#tasks.get(key);
    if (task?.run?.token !== token) return false;
    const { cancelled, deferred } = task;
    if (settlement.kind === "retried" || settlement.kind === "released") {
      if (cancelled || deferred) {
        this.#end(key, task, "cancelled", "", cancelled ? "cancelled" : "replaced");
      } else {
        if (settlement.kind === "retried") {
          Object.assign(task, { deliveries: 0, attempt: task.attempt + 1 });
        } else task.deliveries--;
        const held = settlement.kind === "released" && settlement.held;
        task.heldSince = held ? task.heldSince ?? new Moment() : undefined;
        Object.assign(task, instant(settlement.due, now));
        this.#giveBack(task);
        this.#place(key, task, now, seen, isAfter(settlement.due), held);
        return true;
      }
    } else {
      const kept = !("ttl" in settlement) || settlement.ttl > 0;
      const text = kept ? settlement.text : "";
      const chain = settlement.kind === "succeeded";
      if (chain) this.#end(key, task, settlement.state, text, settlement.reason, kept, true);
      else if (settlement.kind === "cancelled") {
        this.#end(key, task, "cancelled", text, settlement.reason, kept, true);
      } else this.#end(key, task, settlement.kind, text, undefined, kept);
      if ("stops" in settlement && settlement.stops && this.#automatic.has(key)) {
        this.#automatic.set(key, false);
      }
      if (chain && !cancelled && !deferred) {
        const { generation, body, due } = settlement;
        const next = { generation, body, ...instant(due, now) };
        this.#admit(key, next, now, seen, isAfter(due), true);
      }
    }
    if (deferred) this.#admit(key, deferred, now, seen);
    return true;
  }

  #end(
    key: string,
    { generation, body }: Generation,
    state: Ended["state"],
    text: Ended["text"],
    reason?: Ended["reason"],
    kept = true,
    settled = false,
  ): void {
    // What nobody's worker ended tells its attempt, when that is not the first.
    const attempt = this.#tasks.get(key)?.generation === generation
      ? this.#tasks.get(key)!.attempt
      : 1;
    const told = text === "" && reason !== undefined && !settled && attempt > 1
      ? `${attempt}||||`
      : text;
    const ended = { generation, state, text: told, reason, endedAt: new Moment() };
    const again = state === "failed" && kept; // what it takes to run it again
    this.#ended.set(key, again ? { ...ended, body } : ended);
    if (again) this.#failed.add(key);
    else this.#failed.delete(key);
    if (state === "dead") this.#dead.set(key, { ...ended, body });
    const live = this.#tasks.get(key);
    if (live?.generation !== generation) return;
    this.#tasks.delete(key);
    this.#giveBack(live);
  }

  /** Ends a replacement whose turn never came. */
  #drop(key: string, task: Task, reason: Ended["reason"]): void {
    if (task.deferred) this.#end(key, task.deferred, "cancelled", "", reason);
    task.deferred = undefined;
  }
}

/**
 * Who holds which gate, who waits before it, and what it remembers.
 *
 * @module
 */

import type { Millis } from "../../base/clock.ts";
import type { Entry, Gate, Held } from "../contract.ts";
import { Grants } from "./grants.ts";
import { Line } from "./line.ts";
import type { Task } from "./task.ts";

type Of<Kind extends Gate["kind"]> = Extract<Gate, { kind: Kind }>;

/** What the gates make of an entry. */
export type Verdict =
  | { readonly kind: "pass" }
  | { readonly kind: "drop" }
  /** Again at an instant. */
  | { readonly kind: "later"; readonly at: Millis }
  /** In line before a gate. */
  | { readonly kind: "line"; readonly gate: Held };

interface Debounced {
  readonly task: Task;
  readonly generation: string;
  readonly due: Millis;
  /** Who came before and went on. */
  readonly older: readonly string[];
  /** Who passed last. */
  passed?: string;
  until: Millis;
}

/**
 * A later one has come. Drops one that waits; of one that is to go on, it tells whether it does: one that has passed, or is
 * about to ask.
 */
export type Supersede = (older: Task, passed: boolean) => boolean;

/** All gates of a docket. Those that nobody uses leave nothing behind (invariant 62). */
export class Gates {
  readonly #holders = new Map<string, Set<Task>>();
  readonly #lines = new Map<string, Line<Task>>();
  readonly #rates = new Map<string, { readonly per: Millis; readonly grants: Grants }>();
  readonly #cooldowns = new Map<string, { readonly generation: string; readonly until: Millis }>();
  readonly #debounced = new Map<string, Debounced>();

  /**
   * Looks at all gates in the order given: the first that refuses decides, and only when all let it pass is anything taken.
   * `supersede` is told what a later one has taken the place of.
   */
  judge(
    { gates }: Entry,
    task: Task,
    now: Millis,
    supersede: Supersede,
  ): Verdict {
    this.#forgetOld(now);
    for (const gate of gates) {
      const verdict = this.#look(gate, task, now, supersede);
      if (verdict.kind !== "pass") return verdict;
    }
    for (const gate of gates) this.#take(gate, task, now);
    return { kind: "pass" };
  }

  /** How many gates are held, waited for, or remember something. */
  get size(): number {
    const { size: held } = this.#holders;
    return held + this.#lines.size + this.#rates.size + this.#cooldowns.size + this.#debounced.size;
  }

  /** Puts a task in line: behind all that were queued before it, whoever was quicker to ask (invariant 59). */
  wait(task: Task, { id }: Held): void {
    task.line = id;
    let line = this.#lines.get(id);
    if (!line) this.#lines.set(id, line = new Line());
    line.insert(task, (other) => other.arrival > task.arrival);
  }

  /** Takes a task out of its line. */
  leaveLine(task: Task): void {
    const line = task.line === undefined ? undefined : this.#lines.get(task.line);
    if (!line) return;
    line.remove(task);
    if (!line.first) this.#lines.delete(task.line!);
    task.line = undefined;
  }

  /** Gives back whatever a task holds; tells who may come in for it, each with its place reserved (invariant 59). */
  release(task: Task): Task[] {
    const { held } = task;
    task.held = undefined;
    return (held ?? []).flatMap((gate) => {
      const holders = this.#holders.get(gate.id);
      holders?.delete(task);
      if (holders?.size === 0) this.#holders.delete(gate.id);
      return this.admit(gate);
    });
  }

  /** Who may come in now, the longest waiting first. */
  admit(gate: Held): Task[] {
    const woken: Task[] = [];
    const line = this.#lines.get(gate.id);
    for (let task = line?.first; task; task = line?.first) {
      if ((this.#holders.get(gate.id)?.size ?? 0) >= gate.max) break;
      this.leaveLine(task);
      this.#hold(gate, task);
      woken.push(task);
    }
    return woken;
  }

  #look(gate: Gate, task: Task, now: Millis, supersede: Supersede): Verdict {
    switch (gate.kind) {
      case "concurrency":
        return this.#isFull(gate, task) ? { kind: "line", gate } : { kind: "pass" };
      case "rate":
        return this.#lookAtRate(gate, task, now);
      case "cooldown": {
        if (task.attempt > 1) return { kind: "pass" }; // it has begun before: a retry is no other run
        const cooling = this.#cooldowns.get(gate.id);
        const blocked = cooling && cooling.until > now && cooling.generation !== task.generation;
        return { kind: blocked ? "drop" : "pass" }; // never the one that holds it (invariant 61)
      }
      case "debounce":
        return this.#lookAtDebounce(gate, task, now, supersede);
    }
  }

  /** Those in line go first: arrivals do not overtake (invariant 59). */
  #isFull({ id, max }: Of<"concurrency">, task: Task): boolean {
    const holders = this.#holders.get(id);
    if (holders?.has(task)) return false;
    return (holders?.size ?? 0) >= max || this.#lines.has(id);
  }

  #lookAtRate({ id, max, per, excess }: Of<"rate">, task: Task, now: Millis): Verdict {
    const grants = this.#grantsOf(id, per);
    grants.forget(now - per);
    const member = memberOf(task);
    if (grants.of(passed(member)) !== undefined) return { kind: "pass" }; // it comes again
    const time = grants.of(member);
    if (time !== undefined && time > now) return { kind: "later", at: time };
    // Of what has its time already, only what began late can be in its way.
    if ((time === undefined ? grants.size : grants.until(now) - 1) < max) return { kind: "pass" };
    // What has begun comes later (invariant 61).
    if (time === undefined && excess === "drop" && task.attempt === 1) return { kind: "drop" };
    const last = time === undefined ? grants.before(max) : grants.beside(member, max, now);
    grants.add(member, last + per); // its place is taken, so that who comes later comes later
    return { kind: "later", at: last + per };
  }

  #lookAtDebounce(
    { id, quiet }: Of<"debounce">,
    task: Task,
    now: Millis,
    supersede: Supersede,
  ): Verdict {
    const latest = this.#debounced.get(id);
    if (latest?.passed === task.generation) return { kind: "pass" }; // it comes again: a later one may wait
    if (latest?.generation === task.generation) {
      return latest.due <= now ? { kind: "pass" } : { kind: "later", at: latest.due };
    }
    const { generation } = task;
    if (latest?.older.includes(generation)) return { kind: "drop" }; // it was here before the latest
    if (task.attempt > 1) return { kind: latest?.passed === undefined ? "pass" : "drop" }; // a later one has passed
    let older = latest?.older ?? [];
    if (latest && supersede(latest.task, latest.passed === latest.generation)) {
      older = [latest.generation, ...older].slice(0, MOST_OLDER);
    }
    const due = now + quiet;
    const until = due + LONGEST; // however long it waits for its turn
    this.#debounced.set(id, { task, generation, due, older, passed: latest?.passed, until });
    return { kind: "later", at: due };
  }

  #take(gate: Gate, task: Task, now: Millis): void {
    switch (gate.kind) {
      case "concurrency":
        return this.#hold(gate, task);
      case "rate": {
        const grants = this.#grantsOf(gate.id, gate.per);
        const member = memberOf(task);
        if (grants.of(passed(member)) !== undefined) return;
        if (grants.of(member) !== undefined) grants.remove(member);
        return grants.add(passed(member), now);
      }
      case "cooldown": {
        const cooling = this.#cooldowns.get(gate.id);
        if (cooling && cooling.until > now) return;
        const { generation } = task;
        return void this.#cooldowns.set(gate.id, { generation, until: now + gate.period });
      }
      case "debounce":
        return this.#passDebounce(gate, task, now);
    }
  }

  #passDebounce({ id, quiet }: Of<"debounce">, { generation }: Task, now: Millis): void {
    const latest = this.#debounced.get(id);
    if (!latest) return;
    latest.passed = generation;
    if (latest.generation === generation) latest.until = now + quiet + MEMORY;
  }

  #hold({ id, max }: Held, task: Task): void {
    let holders = this.#holders.get(id);
    if (!holders) this.#holders.set(id, holders = new Set());
    if (holders.has(task)) return;
    holders.add(task);
    (task.held ??= []).push({ id, max });
  }

  #grantsOf(id: string, per: Millis): Grants {
    let rate = this.#rates.get(id);
    if (rate?.per !== per) {
      this.#rates.set(id, rate = { per, grants: rate?.grants ?? new Grants() });
    }
    return rate.grants;
  }

  /** A few of what nobody asks for any more, each time. */
  #forgetOld(now: Millis): void {
    forgetFew(this.#cooldowns, ({ until }) => until <= now);
    forgetFew(this.#debounced, ({ until }) => until <= now);
    forgetFew(this.#rates, ({ per, grants }) => grants.last + per <= now);
  }
}

/** How long it is remembered who passed a debounce last: one that is given back comes again. */
const MEMORY: Millis = 3_600_000;

/** How long it is remembered who is to pass next. */
const LONGEST: Millis = 30 * 86_400_000;

/** So many are remembered that a later one took the place of while they ran. */
const MOST_OLDER = 32;

/** An attempt passes once: one that was given back has passed already. */
function memberOf({ generation, attempt }: Task): string {
  return `${generation}${attempt}`;
}

/** A member counts from when it begins, whatever time it was given. */
function passed(member: string): string {
  return `p${member}`;
}

/** Looks at the next three, and goes on behind them the next time: what stays long hides nothing. */
function forgetFew<V>(map: Map<string, V>, isOld: (value: V) => boolean): void {
  let left = Math.min(3, map.size);
  if (left === 0) return;
  for (const [id, value] of map) {
    map.delete(id);
    if (!isOld(value)) map.set(id, value);
    if (--left === 0) return;
  }
}

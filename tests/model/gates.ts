/**
 * What gates say, and what those remember that go by the time. Who holds a limit and who is in line before it the tasks
 * tell themselves.
 *
 * Where the readings of the clock leave open what a gate said, and only there, it goes by what became of the run.
 *
 * @module
 */

import type { Gate } from "../../src/storage/contract.ts";
import { Moment, type Span } from "./match.ts";
import type { Task } from "./task.ts";

type Of<Kind extends Gate["kind"]> = Extract<Gate, { kind: Kind }>;

/** What became of a run: it goes on, is in line, is scheduled for later, or has ended. */
export type Fate = "passed" | "line" | "later" | "dropped";

/** When to come again. */
export interface Later {
  readonly due: Moment;
  readonly dueIn: Span;
}

/** What a gate says. */
export type Word = "pass" | "line" | "drop" | Later;

/** A place within the window of a rate. */
interface Grant extends Later {
  /** An attempt passes once. */
  readonly member: string;
}

interface Cooling {
  /** Who began it; absent when it may be either of two. */
  readonly by?: string;
  readonly until: Span;
}

interface Latest extends Later {
  readonly generation: string;
  passed?: string;
}

/** The gates of a docket. */
export class Gates {
  readonly #tasks: ReadonlyMap<string, Task>;
  readonly #grants = new Map<string, Grant[]>();
  readonly #coolings = new Map<string, Cooling>();
  readonly #latest = new Map<string, Latest>();

  constructor(tasks: ReadonlyMap<string, Task>) {
    this.#tasks = tasks;
  }

  /** Who holds a limit, or has a place there kept for it. */
  holders(id: string): Task[] {
    return [...this.#tasks.values()].filter(({ holds }) => holds.has(id));
  }

  /** Whether anybody waits there. */
  hasLine(id: string): boolean {
    return [...this.#tasks.values()].some(({ line }) => line?.id === id);
  }

  /** What a gate says to a run. `supersede` is told of the generation whose place it takes. */
  look(
    gate: Gate,
    task: Task,
    now: Span,
    fate: Fate,
    supersede: (generation: string) => void,
  ): Word {
    switch (gate.kind) {
      case "concurrency":
        if (task.holds.has(gate.id)) return "pass";
        // Arrivals do not overtake (invariant 59).
        if (this.hasLine(gate.id)) return "line";
        return this.holders(gate.id).length < gate.max ? "pass" : "line";
      case "rate":
        return this.#lookAtRate(gate, task, now, fate);
      case "cooldown":
        return this.#lookAtCooldown(gate, task, now, fate);
      case "debounce":
        return this.#lookAtDebounce(gate, task, now, fate, supersede);
    }
  }

  /** All have let it pass. */
  take(gate: Gate, task: Task, now: Span): void {
    switch (gate.kind) {
      case "concurrency":
        task.holds.add(gate.id);
        return;
      case "rate": {
        const grants = this.#grants.get(gate.id)!;
        const mine = grants.findIndex(({ member }) => member === memberOf(task));
        const isOver = mine >= 0 && isBefore(plus(grants[mine].dueIn, gate.per), now) !== false;
        const grant = { member: memberOf(task), due: new Moment(), dueIn: now };
        if (mine < 0) grants.push(grant);
        // Nobody can say whether its old place had just gone by: it has that one or a new one.
        else if (isOver) grants[mine] = { ...grant, dueIn: either(grants[mine].dueIn, now) };
        return;
      }
      case "cooldown": {
        const cooling = this.#coolings.get(gate.id);
        const { generation } = task;
        const until = plus(now, gate.period);
        const isOver = !cooling || isBefore(cooling.until, now);
        const passedIt = cooling && task.attempt === 1 && cooling.by && cooling.by !== generation;
        if (isOver || passedIt) this.#coolings.set(gate.id, { by: generation, until });
        else if (isOver === undefined) {
          const by = cooling.by === generation ? generation : undefined;
          this.#coolings.set(gate.id, { by, until: either(cooling.until, until) });
        }
        return;
      }
      case "debounce": {
        const latest = this.#latest.get(gate.id);
        if (latest) latest.passed = task.generation;
      }
    }
  }

  #lookAtRate({ id, max, per, excess }: Of<"rate">, task: Task, now: Span, fate: Fate): Word {
    const member = memberOf(task);
    let grants = (this.#grants.get(id) ?? [])
      .filter(({ dueIn }) => isBefore(plus(dueIn, per), now) !== true);
    this.#grants.set(id, grants);
    const mine = grants.find((grant) => grant.member === member);
    if (mine) {
      const inWindow = isBefore(plus(mine.dueIn, per), now) === false;
      const itsTurn = isBefore(mine.dueIn, now) ?? fate !== "later";
      if (!itsTurn) return mine;
      if (inWindow || fate === "passed" || fate === "line") return "pass";
      grants = grants.filter((grant) => grant !== mine); // its window had just gone by, and it was refused
    }
    const sure = grants.filter(({ dueIn }) => isBefore(plus(dueIn, per), now) === false);
    const isOpen = grants.length < max ||
      sure.length < max && (fate === "passed" || fate === "line");
    if (isOpen) {
      if (grants.length >= max) grants = grants.slice(grants.length - max + 1); // the oldest had gone by
      this.#grants.set(id, grants);
      return "pass";
    }
    if (excess === "drop" && task.attempt === 1) return "drop";
    // Its place is taken, so that who comes later comes later.
    const froms = grants.map(({ dueIn }) => dueIn.from).sort((a, b) => a - b);
    const tos = grants.map(({ dueIn }) => dueIn.to).sort((a, b) => a - b);
    const dueIn = plus({ from: froms.at(-max)!, to: tos.at(-max)! }, per);
    const grant = { member, due: new Moment(), dueIn };
    this.#grants.set(id, [...grants, grant]);
    return grant;
  }

  #lookAtCooldown({ id }: Of<"cooldown">, task: Task, now: Span, fate: Fate): Word {
    const cooling = this.#coolings.get(id);
    if (task.attempt > 1 || !cooling) return "pass"; // a retry is no other run
    const { by, until } = cooling;
    const isOver = isBefore(until, now);
    if (isOver || by === task.generation) return "pass"; // never the one that holds it (invariant 61)
    if (isOver === false && by) return "drop";
    return fate === "dropped" ? "drop" : "pass";
  }

  #lookAtDebounce(
    { id, quiet }: Of<"debounce">,
    { generation, attempt }: Task,
    now: Span,
    fate: Fate,
    supersede: (generation: string) => void,
  ): Word {
    const latest = this.#latest.get(id);
    if (latest?.passed === generation) return "pass"; // it comes again: a later one may wait
    if (latest?.generation === generation) {
      return isBefore(latest.dueIn, now) ?? fate !== "later" ? "pass" : latest;
    }
    if (attempt > 1) return "drop"; // later ones have passed meanwhile
    if (latest && latest.passed !== latest.generation) supersede(latest.generation);
    const passed = latest?.passed;
    const next = { generation, passed, due: new Moment(), dueIn: plus(now, quiet) };
    this.#latest.set(id, next);
    return next;
  }
}

function memberOf({ generation, attempt }: Task): string {
  return `${generation}${attempt}`;
}

/** Whether an instant has come; `undefined` when that cannot be known. */
function isBefore(instant: Span, now: Span): boolean | undefined {
  if (instant.to <= now.from) return true;
  if (instant.from > now.to) return false;
}

function plus({ from, to }: Span, ms: number): Span {
  return { from: from + ms, to: to + ms };
}

function either(a: Span, b: Span): Span {
  return { from: Math.min(a.from, b.from), to: Math.max(a.to, b.to) };
}

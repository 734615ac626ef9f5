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
  /** Who came before and went on. */
  readonly older: readonly string[];
  passed?: string;
}

/** A later one has come: drops an older one unless it runs or has passed; tells whether that one goes on. */
export type Supersede = (generation: string, passed: boolean) => boolean;

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

  /** What a gate says to a run. */
  look(
    gate: Gate,
    task: Task,
    now: Span,
    fate: Fate,
    supersede: Supersede,
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
      case "rate":
        return this.#takeRate(gate, task, now);
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

  #lookAtRate(gate: Of<"rate">, task: Task, now: Span, fate: Fate): Word {
    const { id, max, per, excess } = gate;
    const wentOn = fate === "passed" || fate === "line";
    const known = (this.#grants.get(id) ?? []).filter((grant) => isIn(grant, per, now) !== false);
    const entered = known.find(({ member }) => member === passed(task));
    if (entered && (wentOn || isIn(entered, per, now))) return this.#keep(gate, known, "pass");
    let grants = known.filter((grant) => grant !== entered); // or its window had just gone by, and it was refused
    const mine = grants.find(({ member }) => member === memberOf(task));
    const hasCome = mine && isBefore(mine.dueIn, now);
    if (mine && hasCome === false) return this.#keep(gate, grants, mine);
    if (mine && hasCome === undefined && fate === "later") {
      // Nobody can say whether it was too early, or others were in its way.
      const { dueIn } = this.#reserve(gate, task, grants, now);
      return this.#reserveAt(gate, task, grants, either(mine.dueIn, dueIn));
    }
    // It counts those alone whose time has come, once its own has: only what began late can be in its way.
    const others = grants.filter((grant) =>
      grant !== mine && !(mine && isBefore(grant.dueIn, now) === false)
    );
    const sure = others.filter((grant) =>
      isIn(grant, per, now) && !(mine && !isBefore(grant.dueIn, now))
    );
    // Its time may have gone by so long ago that it counts as one that has just come, behind all that have theirs.
    const mayBeNew = mine && isIn(mine, per, now) === undefined;
    if (others.length < max && (wentOn || !mayBeNew) || sure.length < max && wentOn) {
      // They had gone by; or their time had not come: then they are still there.
      const unsure = others.filter((grant) => isIn(grant, per, now) === undefined)
        .sort((a, b) => a.dueIn.to - b.dueIn.to);
      const gone = unsure.slice(0, Math.max(0, others.length - max + 1));
      return this.#keep(gate, grants.filter((grant) => !gone.includes(grant)), "pass");
    }
    if (excess === "drop" && task.attempt === 1 && (!mine || mayBeNew && fate === "dropped")) {
      grants = grants.filter((grant) => grant !== mine);
      return this.#keep(gate, grants, "drop");
    }
    // Behind those whose time has come, as far as that can be known, or behind all.
    const ahead = mine ? [sure, others, ...mayBeNew ? [grants] : []] : [grants];
    const dueIn = ahead.map((some) => this.#reserve(gate, task, some, now).dueIn).reduce(either);
    return this.#reserveAt(gate, task, grants, dueIn);
  }

  #keep<W extends Word>({ id }: Of<"rate">, grants: Grant[], word: W): W {
    this.#grants.set(id, grants);
    return word;
  }

  /** When there is room for one more behind those who have their times. */
  #reserve(
    { max, per }: Of<"rate">,
    task: Task,
    grants: readonly Grant[],
    now: Span,
  ): Pick<Later, "dueIn"> {
    const others = grants.filter(({ member }) => member !== memberOf(task));
    const froms = others.map(({ dueIn }) => dueIn.from).sort((a, b) => a - b);
    const tos = others.map(({ dueIn }) => dueIn.to).sort((a, b) => a - b);
    const dueIn = { from: froms.at(-max) ?? now.from - per, to: tos.at(-max) ?? now.to };
    return { dueIn: plus(dueIn, per) };
  }

  /** Its place is taken, so that who comes later comes later. */
  #reserveAt({ id }: Of<"rate">, task: Task, grants: readonly Grant[], dueIn: Span): Later {
    const grant = { member: memberOf(task), due: new Moment(), dueIn };
    this.#grants.set(id, [...grants.filter(({ member }) => member !== grant.member), grant]);
    return grant;
  }

  #takeRate({ id, per }: Of<"rate">, task: Task, now: Span): void {
    const grants = this.#grants.get(id)!.filter(({ member }) => member !== memberOf(task));
    this.#grants.set(id, grants);
    const mine = grants.findIndex(({ member }) => member === passed(task));
    const grant = { member: passed(task), due: new Moment(), dueIn: now };
    if (mine < 0) grants.push(grant);
    // Nobody can say whether its old place had just gone by: it has that one or a new one.
    else if (!isIn(grants[mine], per, now)) {
      grants[mine] = { ...grant, dueIn: either(grants[mine].dueIn, now) };
    }
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
    supersede: Supersede,
  ): Word {
    const latest = this.#latest.get(id);
    if (latest?.passed === generation) return "pass"; // it comes again: a later one may wait
    if (latest?.generation === generation) {
      return isBefore(latest.dueIn, now) ?? fate !== "later" ? "pass" : latest;
    }
    let older = latest?.older ?? [];
    if (older.includes(generation)) return "drop"; // it was here before the latest
    const passed = latest?.passed;
    if (attempt > 1) return passed ? "drop" : "pass"; // a later one has passed meanwhile
    const goesOn = latest && supersede(latest.generation, passed === latest.generation);
    if (goesOn) older = [latest.generation, ...older];
    const next = { generation, older, passed, due: new Moment(), dueIn: plus(now, quiet) };
    this.#latest.set(id, next);
    return next;
  }
}

function memberOf({ generation, attempt }: Task): string {
  return `${generation}${attempt}`;
}

/** A run counts from when it began, whatever time it was given. */
function passed(task: Task): string {
  return `p${memberOf(task)}`;
}

/** Whether a place is still within its window; `undefined` when that cannot be known. */
function isIn({ dueIn }: Grant, per: number, now: Span): boolean | undefined {
  const isOver = isBefore(plus(dueIn, per), now);
  return isOver === undefined ? undefined : !isOver;
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

/**
 * The workers and producers of a run: whoever is killed has a successor.
 *
 * @module
 */

import { Child } from "./child.ts";
import type { Journal } from "./journal.ts";
import type { Setup } from "./setup.ts";

/** What a process does. */
export type Role = "worker" | "producer";

/** What all processes of a run are told. */
export type Common = Omit<Setup, "name" | "seed">;

/** A place that is always taken by a process, as long as the run lasts. */
interface Berth {
  readonly role: Role;
  readonly index: number;
  child: Child;
  /** How many have been there. */
  count: number;
  /** Runs on when it is over; until then it is not hit again. */
  stopped?: ReturnType<typeof setTimeout>;
}

/** How many of whom. */
export type Size = Readonly<Record<Role, number>>;

/** The processes. */
export class Crew implements AsyncDisposable {
  /** What went wrong with processes that nobody hit, in words. */
  readonly accidents: string[] = [];
  readonly #journal: Journal;
  readonly #common: Common;
  readonly #seed: number;
  readonly #berths: Berth[] = [];
  readonly #exits = new Set<Promise<void>>();
  /** Whose end is not to be wondered at. */
  readonly #doomed = new Set<Child>();
  /** Roles that have no successors any more. */
  readonly #dismissed = new Set<Role>();

  constructor(journal: Journal, common: Common, seed: number, size: Size) {
    this.#journal = journal;
    this.#common = common;
    this.#seed = seed;
    for (const role of ["worker", "producer"] as const) {
      for (let index = 0; index < size[role]; index++) {
        const berth: Berth = { role, index, count: 1, child: this.#spawn(role, index, 0) };
        this.#berths.push(berth);
        this.#watch(berth);
      }
    }
  }

  /** How many there are at a time. */
  get size(): number {
    return this.#berths.length;
  }

  /** Of all who live now. */
  get pids(): number[] {
    return this.#berths.map(({ child }) => child).filter(({ alive }) => alive)
      .map(({ pid }) => pid);
  }

  /** Kills whoever is at a place with SIGKILL, stopped or not. */
  kill(place: number): void {
    const { child } = this.#berths[place];
    if (!child.alive) return;
    this.#doomed.add(child);
    this.#hit("killed", child);
    child.kill("SIGKILL");
  }

  /** Stops whoever is at a place, and has it go on after so many milliseconds. */
  stop(place: number, ms: number): void {
    const berth = this.#berths[place];
    const { child } = berth;
    if (berth.stopped !== undefined || !child.alive) return;
    this.#hit("stopped", child);
    child.kill("SIGSTOP");
    berth.stopped = setTimeout(() => this.#continue(berth, child), ms);
  }

  /** Has everybody go on who is stopped. */
  continueAll(): void {
    for (const berth of this.#berths) {
      if (berth.stopped !== undefined) this.#continue(berth, berth.child);
    }
  }

  /** Asks all of a role to end, and waits until they have, but not longer. True when all ended well. */
  async dismiss(role: Role, patience: number): Promise<boolean> {
    this.#dismissed.add(role);
    const children = this.#berths.filter((berth) => berth.role === role)
      .map(({ child }) => child)
      .filter(({ alive }) => alive);
    for (const child of children) child.kill("SIGTERM");
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<"late">((resolve) => {
      timer = setTimeout(() => resolve("late"), patience);
    });
    const ends = await Promise.all(
      children.map(({ exit }) => Promise.race([exit, late])),
    );
    clearTimeout(timer);
    ends.forEach((end, i) => {
      if (end !== "late" && end.success) return;
      const how = end === "late" ? "did not end" : `ended with ${end.signal ?? end.code}`;
      this.accidents.push(`${children[i].name} ${how} when it was asked to: ${children[i].output}`);
    });
    return ends.every((end) => end !== "late" && end.success);
  }

  /** Kills whoever is left. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const role of ["worker", "producer"] as const) this.#dismissed.add(role);
    for (const berth of this.#berths) {
      clearTimeout(berth.stopped);
      this.#doomed.add(berth.child);
      berth.child.kill("SIGKILL");
    }
    await Promise.all(this.#exits);
  }

  #spawn(role: Role, index: number, count: number): Child {
    const seed = this.#seed + 1_000 * (count + 1) + index;
    const setup: Setup = { ...this.#common, name: `${role}-${index}`, seed };
    return new Child(setup.name, new URL(`${role}.ts`, import.meta.url), setup);
  }

  #watch(berth: Berth): void {
    const { child, role, index } = berth;
    const over = child.exit.then(({ success, signal, code }) => {
      this.#exits.delete(over);
      this.#hit("gone", child, `${signal ?? code}`);
      clearTimeout(berth.stopped);
      berth.stopped = undefined;
      if (this.#dismissed.has(role)) return;
      // A task may have killed it: then the journal has a line that says so.
      const isNatural = this.#doomed.has(child) || signal === "SIGKILL";
      if (!isNatural || success) {
        this.accidents.push(`${child.name} ended by itself with ${code}: ${child.output}`);
      }
      berth.child = this.#spawn(role, index, berth.count++);
      this.#watch(berth);
    });
    this.#exits.add(over);
  }

  #continue(berth: Berth, child: Child): void {
    clearTimeout(berth.stopped);
    berth.stopped = undefined;
    this.#hit("continued", child);
    child.kill("SIGCONT");
  }

  #hit(
    what: "killed" | "stopped" | "continued" | "gone",
    { name, pid }: Child,
    outcome?: string,
  ): void {
    this.#journal.note(what, { victim: name, victimPid: pid, outcome });
  }
}

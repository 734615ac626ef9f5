/**
 * Which tasks a docket knows, by name.
 *
 * @module
 */

import { Bell } from "../base/bell.ts";
import { type Definition, definitionOf } from "./task.ts";

/** Any function, and so any task. */
// deno-lint-ignore no-explicit-any -- the widest there is
export type AnyFunction = (...args: any) => unknown;

/** What can be registered: a task, a list, or a record or module namespace whose keys name plain functions. */
export type Tasks = AnyFunction | readonly AnyFunction[] | Readonly<Record<string, unknown>>;

/** Tasks by exact name. A `Map`, because `"constructor"` is a name like any other. */
export class Registry {
  readonly #definitions = new Map<string, Definition>();
  readonly #bySource = new WeakMap<object, Definition>();
  readonly #news = new Bell();

  /**
   * Adds tasks.
   *
   * @throws {TypeError} For an anonymous function, something that is no task, or another function under a known name.
   */
  register(tasks: Tasks): void {
    if (typeof tasks === "function") {
      this.add(tasks as AnyFunction);
    } else if (Array.isArray(tasks)) {
      for (const task of tasks) this.add(task);
    } else if (typeof tasks === "object" && tasks !== null) {
      for (const [key, task] of Object.entries(tasks)) {
        // A module exports more than tasks: types are gone, constants and classes are not meant.
        if (typeof task !== "function" || isClass(task)) continue;
        this.add(task as AnyFunction, key === "default" ? undefined : key);
      }
    } else {
      throw new TypeError(`Cannot register ${String(tasks)}: give a task, a list or a record`);
    }
  }

  /** Adds one task, under its own name or the one given for a plain function. */
  add(task: AnyFunction, name?: string): Definition {
    const known = typeof task === "function" && this.#bySource.get(task);
    if (known && (name === undefined || name === known.name)) return known;
    const definition = definitionOf(task, name);
    const other = this.#definitions.get(definition.name);
    if (other && other.source !== definition.source) {
      throw new TypeError(
        `Cannot register "${definition.name}": another function has that name already`,
      );
    }
    this.#definitions.set(definition.name, definition);
    if (!known) this.#bySource.set(task, definition);
    if (other === undefined) this.#news.ring();
    return definition;
  }

  /** Resolves when there is another task, or the signal aborts. */
  whenChanged(signal: AbortSignal): Promise<void> {
    return this.#news.heard(signal);
  }

  /**
   * The name under which a task is or would be registered.
   *
   * @throws {TypeError} For an anonymous function.
   */
  nameOf(task: AnyFunction): string {
    return (this.#bySource.get(task) ?? definitionOf(task)).name;
  }

  /** Every task. */
  definitions(): Iterable<Definition> {
    return this.#definitions.values();
  }

  /** Every name, with the names of the parameters. */
  parameters(): [task: string, parameters: readonly string[]][] {
    return [...this.#definitions.values()].map(({ name, parameters }) => [name, parameters]);
  }

  /** How many tasks there are: grows with each. */
  get size(): number {
    return this.#definitions.size;
  }

  /** The task of a name. */
  get(name: string): Definition | undefined {
    return this.#definitions.get(name);
  }

  /** Every name, in the order of registration. */
  names(): string[] {
    return [...this.#definitions.keys()];
  }
}

function isClass(value: { toString(): string }): boolean {
  return /^class\b/.test(Function.prototype.toString.call(value));
}

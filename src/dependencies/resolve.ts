/**
 * Opens the dependencies of one execution and closes them in reverse.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import {
  DependencyError,
  type DependencyFailure,
  type DocketError,
  messageOf,
} from "../base/errors.ts";
import type {
  AnyDependency,
  Close,
  Dependencies,
  Dependency,
  Failure,
  Resolved,
  Scope,
  TaskContext,
} from "./dependency.ts";
import type { Pool } from "./pool.ts";

/** Stands in for a dependency wherever it is asked for: its identity, and what to give instead. */
export type Replacement = readonly [dependency: AnyDependency, give: () => unknown];

/** What a {@linkcode Resources} needs to know. */
export interface ResourcesOptions {
  readonly clock: Clock;
  /** Makes the object that a handler or a factory is given: the context with these values beside it. */
  readonly contextWith: (values: Readonly<Record<string, unknown>>) => TaskContext;
  readonly abandon?: (reason: DocketError) => void;
  readonly pool: Pool;
  readonly replacements?: readonly Replacement[];
}

/** The opened dependencies of one execution. */
export class Resources implements Scope {
  readonly clock: Clock;
  readonly context: TaskContext;
  readonly abandon?: (reason: DocketError) => void;
  readonly pool: Pool;
  readonly #contextWith: ResourcesOptions["contextWith"];
  readonly #replacements: ReadonlyMap<AnyDependency, () => unknown>;
  readonly #opened = new Map<AnyDependency, Promise<unknown>>();
  readonly #values = new Map<AnyDependency, unknown>();
  readonly #closes: Close[] = [];
  /** How the execution ended, once it has: what is opened afterwards comes too late. */
  #over?: { readonly failure?: Failure };
  #closed = false;

  constructor({ clock, contextWith, abandon, pool, replacements = [] }: ResourcesOptions) {
    this.clock = clock;
    this.pool = pool;
    this.context = contextWith({});
    this.abandon = abandon;
    this.#contextWith = contextWith;
    this.#replacements = new Map(replacements);
    // Users may take them off the scope.
    this.defer = this.defer.bind(this);
    this.open = this.open.bind(this);
    this.openAll = this.openAll.bind(this);
  }

  defer(close: Close): void {
    if (this.#closed) void closeLate(close, this.#over?.failure);
    else this.#closes.push(close);
  }

  open<Value>(dependency: Dependency<Value>): Promise<Value> {
    let value = this.#opened.get(dependency) as Promise<Value> | undefined;
    if (!value) {
      // What is shared is replaced where it is shared: once for all.
      const own = !("openShared" in dependency);
      const give = own
        ? this.#replacements.get(dependency) as (() => Value) | undefined
        : undefined;
      value = (async () => await (give ? give() : dependency.open(this)))();
      this.#opened.set(dependency, value);
    }
    return value;
  }

  /**
   * Opens a record in order, policies first.
   *
   * @param given Values to use instead of opening.
   * @throws {DependencyError} Lists every dependency that could not be opened.
   */
  async openAll<D extends Dependencies>(
    dependencies: D,
    given: Readonly<Record<string, unknown>> = {},
  ): Promise<TaskContext & Resolved<D>> {
    const values: Record<string, unknown> = { ...given };
    const failures: DependencyFailure[] = [];
    const entries = Object.entries<AnyDependency>(dependencies);
    const policies = entries.filter(([, { policy }]) => policy !== undefined);
    const others = entries.filter(([, { policy }]) => policy === undefined);
    for (const [name, dependency] of [...policies, ...others]) {
      if (Object.hasOwn(values, name)) continue;
      try {
        values[name] = await this.open(dependency);
        if (dependency.succeed) this.#values.set(dependency, values[name]);
      } catch (error) {
        failures.push({ name, error });
      }
      // Its Timeout did not wait for this: the handler must not start now, beside the next attempt (invariant 46).
      if (this.#over) throw dependencyError("open", [{ name, error: new Error("it is too late") }]);
    }
    if (failures.length > 0) throw dependencyError("open", failures);
    return this.#contextWith(values) as TaskContext & Resolved<D>;
  }

  /** What was opened for a dependency that decides about a successor; `undefined` when it did not come so far. */
  valueOf(dependency: AnyDependency): unknown {
    return this.#values.get(dependency);
  }

  /**
   * Closes what was opened, the last first, whatever each of them throws.
   *
   * @throws {DependencyError} Lists everything that could not be closed.
   */
  async close(failure?: Failure): Promise<void> {
    this.#over = { failure };
    const failures: DependencyFailure[] = [];
    for (let close = this.#closes.pop(); close; close = this.#closes.pop()) {
      try {
        await close(failure);
      } catch (error) {
        failures.push({ name: close.name || "dependency", error });
      }
    }
    this.#closed = true;
    if (failures.length > 0) throw dependencyError("dispose", failures);
  }
}

/** Nothing leaks, however late it was opened. */
async function closeLate(close: Close, failure: Failure | undefined): Promise<void> {
  try {
    await close(failure);
  } catch {
    // The execution is settled, with the reason why it ended early: nobody is left to be told.
  }
}

function dependencyError(verb: string, failures: readonly DependencyFailure[]): DependencyError {
  const list = failures.map(({ name, error }) => `${name} (${messageOf(error)})`).join(", ");
  return new DependencyError(`Cannot ${verb} dependencies: ${list}`, failures);
}

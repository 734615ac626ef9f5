/**
 * `Shared`: a resource for all executions of a worker.
 *
 * @module
 */

import { Dependency, type Scope } from "./dependency.ts";
import { type Given, openGiven, type Yielded } from "./given.ts";
import type { SharedContext, SharedScope } from "./pool.ts";

/** What something shared may be made from: other things that are shared. */
// deno-lint-ignore no-explicit-any -- the widest there is
export type SharedDependencies = { readonly [name: string]: Shared<any, any> };

/** What the factory receives for a record of shared dependencies. */
export type SharedValues<D> = {
  readonly [Name in keyof D]: D[Name] extends Shared<infer Value, infer _> ? Value : never;
};

/**
 * A resource that all executions of one worker share, such as a pool of connections: opened when the first of them needs
 * it, and closed when the worker closes, the last opened first. When it cannot be opened the execution fails, and the next
 * one tries again.
 *
 * The factory has the same forms as that of `Depends`, but is given what outlives an execution: a signal and a logger, and
 * other things that are shared. A task called directly opens its own, and closes it with the call.
 *
 * @example
 * ```ts
 * import { deepEqual } from "node:assert/strict";
 * import { Docket, Shared, task, Worker } from "@docket/docket";
 *
 * const log: string[] = [];
 * const pool = new Shared(async function* () {
 *   log.push("opened");
 *   yield { query: (text: string) => text.length };
 *   log.push("closed");
 * });
 *
 * const measure = task("measure", { pool }, ({ pool }, text: string): number => pool.query(text));
 *
 * await using docket = await Docket.connect({ url: "memory://shared-example" });
 * const executions = await docket.addAll(["a", "bb"].map((text) => docket.call(measure)(text)));
 * const worker = new Worker(docket);
 * await worker.runUntilFinished();
 * deepEqual(await Promise.all(executions.map((one) => one.result())), [1, 2]);
 *
 * await worker.close();
 * deepEqual(log, ["opened", "closed"]);
 * ```
 */
export class Shared<Value, D extends SharedDependencies = Record<never, never>>
  extends Dependency<Value> {
  readonly #dependencies: D;
  readonly #factory: Factory<Value, D>;

  /** Yields a resource that needs nothing else. */
  constructor(factory: (context: SharedContext) => Yielded<Value>);
  /** Gives a resource that needs nothing else. */
  constructor(factory: (context: SharedContext) => Given<Value>);
  /** Yields a resource that is made from others. */
  constructor(
    dependencies: D,
    factory: (context: SharedContext & SharedValues<D>) => Yielded<Value>,
  );
  /** Gives a resource that is made from others. */
  constructor(
    dependencies: D,
    factory: (context: SharedContext & SharedValues<D>) => Given<Value>,
  );
  constructor(
    ...rest: [factory: Factory<Value, D>] | [dependencies: D, factory: Factory<Value, D>]
  ) {
    super();
    [this.#dependencies, this.#factory] = rest.length === 1 ? [{} as D, rest[0]] : rest;
    if (typeof this.#factory !== "function") {
      throw new TypeError("Cannot make a Shared without a factory: give a function");
    }
    for (const [name, dependency] of Object.entries<unknown>(this.#dependencies)) {
      if (dependency instanceof Shared) continue;
      throw new TypeError(
        `Cannot make a Shared from "${name}": it is not shared itself, and would not live as long`,
      );
    }
  }

  /** What the worker has opened, or opens now. */
  override open(scope: Scope): Promise<Value> {
    return scope.pool.open(this);
  }

  /** Calls the factory, once per worker. */
  async openShared({ context, defer, open }: SharedScope): Promise<Value> {
    const values: Record<string, unknown> = {};
    for (const [name, dependency] of Object.entries(this.#dependencies)) {
      values[name] = await open(dependency);
    }
    return await openGiven(
      this.#factory({ ...context, ...values } as SharedContext & SharedValues<D>),
      defer,
    );
  }
}

type Factory<Value, D> = (
  context: SharedContext & SharedValues<D>,
) => Given<Value> | Yielded<Value>;

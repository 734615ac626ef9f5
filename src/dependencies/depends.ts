/**
 * `Depends`: a resource for one execution.
 *
 * @module
 */

import {
  type Dependencies,
  Dependency,
  type Resolved,
  type Scope,
  type TaskContext,
} from "./dependency.ts";
import { type Given, openGiven, type Yielded } from "./given.ts";

/**
 * A resource opened for each execution, one however many ask for it, and closed after the handler and before the
 * execution is settled, the last opened first.
 *
 * The factory gives a value, which is disposed when it is `Disposable` or `AsyncDisposable`; or it is a generator that
 * yields once, and is resumed after the handler: with `throw(error)` when the execution failed, else with `next()`.
 * What closing throws fails the execution.
 *
 * @example
 * ```ts
 * import { equal } from "node:assert/strict";
 * import { Depends, task } from "@docket/docket";
 *
 * const connection = new Depends(async function* () {
 *   const open = { query: (text: string) => text.length };
 *   try {
 *     yield open;
 *   } finally {
 *     console.log("closed");
 *   }
 * });
 * const customers = new Depends({ connection }, ({ connection }) => ({
 *   count: () => connection.query("select"),
 * }));
 *
 * const countCustomers = task("countCustomers", { customers }, ({ customers }): number => {
 *   return customers.count();
 * });
 * equal(await countCustomers(), 6);
 * ```
 */
export class Depends<Value, D extends Dependencies = Record<never, never>>
  extends Dependency<Value> {
  readonly #dependencies: D;
  readonly #factory: Factory<Value, D>;

  // Generators apart: an object with a method of theirs, such as find(), would be taken for one.
  /** Yields a resource that needs nothing but the context. */
  constructor(factory: (context: TaskContext) => Yielded<Value>);
  /** Gives a resource that needs nothing but the context. */
  constructor(factory: (context: TaskContext) => Given<Value>);
  /** Yields a resource that is made from others. */
  constructor(dependencies: D, factory: (context: TaskContext & Resolved<D>) => Yielded<Value>);
  /** Gives a resource that is made from others. */
  constructor(dependencies: D, factory: (context: TaskContext & Resolved<D>) => Given<Value>);
  constructor(
    ...rest: [factory: Factory<Value, D>] | [dependencies: D, factory: Factory<Value, D>]
  ) {
    super();
    [this.#dependencies, this.#factory] = rest.length === 1 ? [{} as D, rest[0]] : rest;
    if (typeof this.#factory !== "function") {
      throw new TypeError("Cannot make a Depends without a factory: give a function");
    }
  }

  /** Calls the factory, once per execution. */
  override async open(scope: Scope): Promise<Value> {
    return await openGiven(this.#factory(await scope.openAll(this.#dependencies)), scope.defer);
  }
}

type Factory<Value, D> = (context: TaskContext & Resolved<D>) => Given<Value> | Yielded<Value>;

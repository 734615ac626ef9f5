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

/** What a factory may give: a value, or a promise of one. */
export type Given<Value> = Value | Promise<Value>;

/** What a factory may give instead: it yields the value once, and cleans up when it is resumed. */
export type Yielded<Value> = Generator<Value, void, void> | AsyncGenerator<Value, void, void>;

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
    const given = await this.#factory(await scope.openAll(this.#dependencies));
    if (isGenerator<Value>(given)) return await this.#openGenerator(given, scope);
    if (isDisposable(given)) {
      scope.defer(async () => {
        if (Symbol.asyncDispose in given) await given[Symbol.asyncDispose]();
        else given[Symbol.dispose]();
      });
    }
    return given as Value;
  }

  async #openGenerator(
    generator: Yielded<Value>,
    scope: Scope,
  ): Promise<Value> {
    const first = await generator.next();
    if (first.done) throw new TypeError("Cannot open a generator that yields nothing: yield once");
    scope.defer(async (failure) => {
      const last = failure
        ? await resumeWithError(generator, failure.error)
        : await generator.next();
      if (last.done) return;
      await generator.return();
      throw new TypeError("Cannot close a generator that yields twice: yield once");
    });
    return first.value;
  }
}

type Factory<Value, D> = (context: TaskContext & Resolved<D>) => Given<Value> | Yielded<Value>;

/** The error passes through the generator; coming out again as it was is what it should do, not another failure. */
async function resumeWithError<Value>(
  generator: Yielded<Value>,
  error: unknown,
): Promise<IteratorResult<Value, void>> {
  try {
    return await generator.throw(error);
  } catch (thrown) {
    if (thrown === error) return { done: true, value: undefined };
    throw thrown;
  }
}

function isGenerator<Value>(value: unknown): value is Yielded<Value> {
  const tag = Object.prototype.toString.call(value);
  return tag === "[object Generator]" || tag === "[object AsyncGenerator]";
}

function isDisposable(value: unknown): value is Disposable | AsyncDisposable {
  return (typeof value === "object" || typeof value === "function") && value !== null &&
    (Symbol.dispose in value || Symbol.asyncDispose in value);
}

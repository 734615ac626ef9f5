/**
 * Tasks: `task(name, dependencies, handler)`, or a plain named function.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { type Millis, systemClock } from "../base/clock.ts";
import { randomId } from "../base/ids.ts";
import {
  type AnyDependency,
  type Beginning,
  CONTEXT_NAMES,
  type Dependencies,
  type Fits,
  type Resolved,
  type TaskContext,
  validateDependencies,
} from "../dependencies/dependency.ts";
import { Params } from "../dependencies/params.ts";
import { Pool } from "../dependencies/pool.ts";
import { Progress } from "../dependencies/progress.ts";
import { type Replacement, Resources } from "../dependencies/resolve.ts";
import { parameterNames } from "./parameters.ts";
import type { AnyFunction } from "./registry.ts";

/** A named task: put it on a docket, or just call it. */
export interface Task<
  Name extends string,
  Args extends readonly unknown[],
  Result,
  D extends Dependencies,
> {
  /**
   * Runs the task here and now, without a docket: with a random key, attempt 1, and a signal that never aborts. Its
   * dependencies are opened and disposed; policies give their value and enforce nothing.
   *
   * @throws {TypeError} When it reads `docket`, `worker` or `execution`, which only a worker has.
   */
  (...args: Args): Promise<Result>;
  /** The durable name that is stored with every execution. */
  readonly name: Name;
  /** What it declares. */
  readonly dependencies: D;
  /**
   * The task with some of its context and dependencies given, for tests and for calls outside a worker. Each
   * replacement stands in for a `Depends` wherever it is nested.
   */
  with(
    given: Partial<TaskContext & Resolved<D>>,
    ...replacements: readonly Replacement[]
  ): (...args: Args) => Promise<Result>;
}

/** Any task. */
// deno-lint-ignore no-explicit-any -- the widest there is
export type AnyTask = Task<any, any, any, any>;

/**
 * Types the first parameter and leaves the rest to the author. The rest is `never` rather than `unknown`, or a default
 * that is not annotated (`locale = "en"`) would silently become `unknown`.
 */
export type Handler<D> = (context: TaskContext & Resolved<D>, ...args: never[]) => unknown;

/** The arguments that a caller passes: all but the context. */
export type ArgsOf<F> = F extends (context: never, ...args: infer Args) => unknown ? Args : never;

/** What a handler gives. */
export type ResultOf<F> = F extends (...args: never) => infer Result ? Awaited<Result> : never;

/** What a worker needs to run a task. */
export interface Definition {
  readonly name: string;
  readonly dependencies: Dependencies;
  /** Whether there is anything to open. */
  readonly bare: boolean;
  /** Those of its dependencies that a run must pass before it may begin. */
  readonly gates: readonly AnyDependency[];
  /** Those of its dependencies that may decide about a failure, in the order in which they are heard. */
  readonly deciders: readonly AnyDependency[];
  /** Those of its dependencies that may decide what comes after a run. */
  readonly chain: readonly AnyDependency[];
  /** When the run after one is due that starts at an instant, as far as that can be told. */
  forecast(startedAt: Millis): Millis | undefined;
  /** When it is first due, if workers schedule it by themselves. */
  seed(): Beginning | undefined;
  /** The names of its parameters, those of its `Params` or else of its source. */
  readonly parameters: readonly string[];
  /** What of its arguments may be logged (invariant 85). */
  loggable(args: readonly unknown[]): Readonly<Record<string, unknown>> | undefined;
  /** Calls the handler; a plain function is not given the context. */
  call(context: TaskContext, args: readonly unknown[]): unknown;
  /** The function that was registered, for telling it from another one. */
  readonly source: unknown;
}

// Found by symbol, so that two copies of this library in one program know each other's tasks.
const DEFINITION = Symbol.for("@docket/docket/task");

/**
 * Declares a task: its durable name, what it depends on, and what it does. The name is data, stored with every
 * execution: it survives minifiers and refactors, and must be changed with as much care as a column's.
 *
 * Annotate the handler's return type: a task that returns what it scheduled of itself needs it.
 *
 * @throws {TypeError} When the name is empty, a dependency has a name of the context, or a policy comes twice.
 *
 * @example
 * ```ts
 * import { equal } from "node:assert/strict";
 * import { Retry, task, Timeout } from "@docket/docket";
 *
 * export const sendWelcomeEmail = task(
 *   "sendWelcomeEmail",
 *   { retry: new Retry({ attempts: 5, delay: { seconds: 3 } }), timeout: new Timeout({ minutes: 1 }) },
 *   ({ retry }, customerId: number, name: string, locale = "en"): string =>
 *     `${customerId} ${name} ${locale} attempt ${retry.attempt}`,
 * );
 *
 * equal(await sendWelcomeEmail(12345, "Jane"), "12345 Jane en attempt 1");
 * ```
 */
export function task<Name extends string, F>(
  name: Name,
  handler: F & Handler<Record<never, never>>,
): Task<Name, ArgsOf<F>, ResultOf<F>, Record<never, never>>;
/** Declares a task with dependencies. */
export function task<Name extends string, const D extends Dependencies, F>(
  name: Name,
  dependencies: D & Fits<D, ArgsOf<F>>,
  handler: F & Handler<D>,
): Task<Name, ArgsOf<F>, ResultOf<F>, D>;
export function task(
  name: string,
  ...rest: [handler: UntypedHandler] | [dependencies: Dependencies, handler: UntypedHandler]
): AnyTask {
  const [dependencies, handler] = rest.length === 1 ? [{}, rest[0]] : rest;
  if (typeof name !== "string" || name === "") {
    throw new TypeError("Cannot declare a task without a name: give one as the first argument");
  }
  if (typeof handler !== "function") {
    throw new TypeError(`Cannot declare "${name}": its handler is not a function`);
  }
  validateDependencies(name, dependencies);
  const all = Object.values<AnyDependency>(dependencies);
  if (handler.length > 1 && seedOf(all)) {
    throw new TypeError(
      `Cannot declare "${name}" as automatic: it takes arguments, and nobody would give it any`,
    );
  }
  if (all.some(({ mayDrop }) => mayDrop) && all.some(({ succeed }) => succeed)) {
    throw new TypeError(
      `Cannot declare "${name}": a run that a gate drops would end its chain; use a limit that has it wait`,
    );
  }
  const callable = (...args: readonly unknown[]) => callDirectly(definition, args, {}, []);
  const definition: Definition = {
    name,
    dependencies,
    bare: all.length === 0,
    forecast: (startedAt) => forecastOf(all, startedAt),
    seed: () => seedOf(all),
    gates: all.filter(({ gate }) => gate !== undefined),
    deciders: all.filter(({ decide }) => decide !== undefined),
    chain: all.filter(({ succeed }) => succeed !== undefined),
    ...names(handler, 1, all.find((dependency) => dependency instanceof Params)),
    call: (context, args) => handler(context, ...args),
    source: callable,
  };
  return Object.defineProperties(callable, {
    name: { value: name },
    dependencies: { value: dependencies },
    with: {
      value: (given: Partial<TaskContext>, ...replacements: readonly Replacement[]) => {
        refuseUnknown(definition, given);
        return (...args: readonly unknown[]) => callDirectly(definition, args, given, replacements);
      },
    },
    [DEFINITION]: { value: definition },
  }) as AnyTask;
}

// deno-lint-ignore no-explicit-any -- the implementation behind the typed overloads
type UntypedHandler = (context: any, ...args: any) => unknown;

/**
 * The definition of a task, or of a plain function under a name.
 *
 * @throws {TypeError} When the function has no name and none is given.
 */
export function definitionOf(source: unknown, name?: string): Definition {
  if (typeof source !== "function") {
    throw new TypeError(
      `Cannot use ${source === null ? "null" : `a value of type ${typeof source}`} as a task`,
    );
  }
  const declared = (source as { [DEFINITION]?: Definition })[DEFINITION];
  if (declared) return declared;
  const known = name ?? source.name;
  if (known === "") {
    throw new TypeError('Cannot use an anonymous function as a task: name it with task("name", …)');
  }
  if (name === undefined && known.startsWith("bound ")) {
    throw new TypeError(
      `Cannot use a bound function as a task: no worker could know "${known}"; name it with task("name", …)`,
    );
  }
  return {
    name: known,
    dependencies: {},
    bare: true,
    forecast: () => undefined,
    seed: () => undefined,
    gates: [],
    deciders: [],
    chain: [],
    ...names(source as AnyFunction, 0),
    call: (_context, args) => source(...args),
    source,
  };
}

function seedOf(dependencies: readonly AnyDependency[]): Beginning | undefined {
  for (const dependency of dependencies) {
    const seed = dependency.seed?.();
    if (seed) return seed;
  }
}

function forecastOf(dependencies: readonly AnyDependency[], startedAt: Millis): Millis | undefined {
  for (const dependency of dependencies) {
    const at = dependency.forecast?.(startedAt);
    if (at !== undefined) return at;
  }
}

/** The names of a function's parameters after the first `skip`, and what of its arguments may be logged. */
function names(
  source: AnyFunction,
  skip: number,
  params?: Params,
): Pick<Definition, "parameters" | "loggable"> {
  return {
    parameters: params?.names ?? parameterNames(source, skip),
    loggable: (args) => params?.loggable(args),
  };
}

/**
 * The argument of a parameter, by its name.
 *
 * @throws {TypeError} When there is no parameter of that name.
 */
export function argumentOf(
  { name: task, parameters }: Pick<Definition, "name" | "parameters">,
  args: readonly unknown[],
  name: string,
): unknown {
  const known = parameters.indexOf(name);
  // Those without a name are called by their position, as in strikes.
  const at = known < 0 && /^\d{1,9}$/.test(name) && +name >= parameters.length ? +name : known;
  if (at >= 0) return args[at];
  throw new TypeError(
    `Cannot give the argument "${name}" of "${task}": its parameters are ${
      parameters.join(", ") || "not known: name them with Params"
    }`,
  );
}

async function callDirectly(
  definition: Definition,
  args: readonly unknown[],
  given: Readonly<Record<string, unknown>>,
  replacements: readonly Replacement[],
): Promise<unknown> {
  const key = randomId();
  const progress = new Progress();
  const log = getLogger(["docket", "task"]).with({ task: definition.name });
  const pool = new Pool((signal) => ({ signal, log }), replacements);
  const resources = new Resources({
    clock: systemClock,
    contextWith: (values) => detached({ definition, args, key, progress }, given, values),
    pool,
    replacements,
  });
  let result: unknown;
  try {
    const context = await resources.openAll(definition.dependencies, given);
    result = await definition.call(context, args);
  } catch (error) {
    // What closing throws as well says less than the task's own error, which a worker would keep too.
    await resources.close({ error, attempt: 1 }).catch(() => {});
    await pool.close();
    throw error;
  }
  try {
    await resources.close();
  } catch (error) {
    await pool.close();
    throw error;
  }
  const [unclosed] = await pool.close();
  if (unclosed !== undefined) throw unclosed; // here nobody else would hear of it
  return result;
}

/** One call of a task without a worker. */
interface DirectCall {
  readonly definition: Definition;
  readonly args: readonly unknown[];
  readonly key: string;
  readonly progress: Progress;
}

/** The context of a task called directly: inert where it can be, loud where it cannot. */
function detached(
  { definition, args, key, progress }: DirectCall,
  given: Readonly<Record<string, unknown>>,
  values: Readonly<Record<string, unknown>>,
): TaskContext {
  const { name } = definition;
  const missing = (property: string) => ({
    configurable: true,
    enumerable: true,
    get(): never {
      throw new TypeError(
        `Cannot use "${property}" in "${name}" outside a worker: call it as ${name}.with({ ${property} })(…)`,
      );
    },
  });
  const context = Object.defineProperties(
    {
      ...values,
      key,
      attempt: 1,
      signal: new AbortController().signal,
      log: getLogger(["docket", "task"]).with({ task: name, key, attempt: 1 }),
      progress,
      argument: (wanted: string) => argumentOf(definition, args, wanted),
    },
    { docket: missing("docket"), worker: missing("worker"), execution: missing("execution") },
  );
  for (const property of CONTEXT_NAMES) {
    // Not read yet, and not only its own properties: a worker's context has getters, some of which make things.
    if (!(property in given)) continue;
    const make = Object.getOwnPropertyDescriptor(context, property);
    Object.defineProperty(context, property, {
      enumerable: true,
      get: () => given[property] ?? make?.get?.() ?? make?.value,
    });
  }
  return context as unknown as TaskContext;
}

function refuseUnknown({ name, dependencies }: Definition, given: object): void {
  for (const property of Object.keys(given)) {
    if (!CONTEXT_NAMES.has(property) && !Object.hasOwn(dependencies, property)) {
      throw new TypeError(`Cannot give "${property}" to "${name}": it declares no such dependency`);
    }
  }
}

/**
 * `Params`: the names of a task's parameters, and which of its arguments may be logged.
 *
 * @module
 */

import { Dependency } from "./dependency.ts";

/** A parameter whose argument may be logged; made by {@linkcode logged} and {@linkcode loggedLength}. */
export interface LoggedParam {
  /** The name of the parameter. */
  readonly name: string;
  /** What of it may be logged: all of it, or how long it is. */
  readonly shows: "value" | "length";
}

/**
 * Lets the argument of a parameter be logged as it is. Logs are kept, copied and read by many: nothing personal or secret
 * belongs there.
 */
export function logged(name: string): LoggedParam {
  return { name, shows: "value" };
}

/**
 * Lets be logged how long the argument of a parameter is: the length of a string, a list or a typed array, the size of a
 * `Map` or `Set`, the bytes of an `ArrayBuffer`, how many fields another object has. Nothing is logged of anything else.
 */
export function loggedLength(name: string): LoggedParam {
  return { name, shows: "length" };
}

/**
 * Names the parameters of a task, in order. Strikes and `argument(name)` go by these names, and they travel in the
 * worker's heartbeat, so that whoever strikes knows them. Without it the names are read from the handler's source, which
 * a minifier changes: this is the sure way.
 *
 * It is also the only way to have arguments logged: without {@linkcode logged} or {@linkcode loggedLength} none ever is.
 *
 * @example
 * ```ts
 * import { deepEqual } from "node:assert/strict";
 * import { logged, loggedLength, Params, task } from "@docket/docket";
 *
 * const params = new Params("customerId", logged("locale"), loggedLength("items"));
 * export const ship = task(
 *   "ship",
 *   { params },
 *   (_context, customerId: string, locale: string, items: string[]): string =>
 *     `${items.length} to ${customerId} in ${locale}`,
 * );
 *
 * deepEqual(params.names, ["customerId", "locale", "items"]);
 * deepEqual(params.loggable(["c-1", "en", ["a", "b"]]), { locale: "en", items: 2 });
 * ```
 */
export class Params extends Dependency<void> {
  /** The name of each parameter. */
  readonly names: readonly string[];
  readonly #logged: readonly (LoggedParam & { readonly position: number })[];

  /**
   * Takes the name of each parameter after the context: alone, or with what may be logged of it.
   *
   * @throws {TypeError} When a name is empty or comes twice.
   */
  constructor(...params: readonly (string | LoggedParam)[]) {
    super();
    this.names = Object.freeze(params.map(nameOf));
    for (const [position, name] of this.names.entries()) {
      if (this.names.indexOf(name) < position) {
        throw new TypeError(`Cannot name two parameters "${name}": each needs a name of its own`);
      }
    }
    this.#logged = params.flatMap((param, position) =>
      typeof param === "string" ? [] : [{ ...param, position }]
    );
  }

  /** `"params"`. */
  override get policy(): string {
    return "params";
  }

  /** Gives nothing: what it knows is known before a task runs. */
  override open(): void {}

  /**
   * What of these arguments may be logged, by name: all of it or how long it is, as it was declared. Arguments that are
   * `undefined`, or have no length where that was asked for, are left out.
   */
  loggable(args: readonly unknown[]): Record<string, unknown> {
    const shown = this.#logged.map(({ name, shows, position }) => {
      const value = args[position];
      return [name, shows === "value" ? value : lengthOf(value)] as const;
    });
    // Defines its fields, so that "__proto__" is a name like any other.
    return Object.fromEntries(shown.filter(([, value]) => value !== undefined));
  }
}

function nameOf(param: string | LoggedParam): string {
  const name = typeof param === "string" ? param : (param as LoggedParam | null)?.name;
  if (typeof name === "string" && name !== "") return name;
  const shown = name === "" ? '""' : `a value of type ${typeof name}`;
  throw new TypeError(`Cannot use ${shown} as the name of a parameter: it must be some text`);
}

function lengthOf(value: unknown): number | undefined {
  if (typeof value === "string" || Array.isArray(value)) return value.length;
  if (typeof value !== "object" || value === null) return undefined;
  if (value instanceof Map || value instanceof Set) return value.size;
  if (value instanceof ArrayBuffer || value instanceof DataView) return value.byteLength;
  if (ArrayBuffer.isView(value)) return (value as Uint8Array).length;
  const prototype = Object.getPrototypeOf(value);
  const plain = prototype === Object.prototype || prototype === null;
  return plain ? Object.keys(value).length : undefined; // a "length" of its own may be anything
}

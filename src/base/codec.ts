/**
 * How arguments and results become text: plain JSON stays plain JSON, so that `redis-cli` shows it; everything else is
 * `~` followed by devalue's text.
 *
 * @module
 */

import { parse, stringify } from "devalue";
import { SerializationError } from "./errors.ts";

/**
 * Turns values into text and back. The default one carries JSON values, `undefined`, `NaN`, `±Infinity`, `-0`,
 * `bigint`, `Date`, `Map`, `Set`, `RegExp`, `URL`, `Error` (name, message, stack, cause), `ArrayBuffer`, typed arrays,
 * Temporal values, and repeated and cyclic references.
 */
export interface Codec {
  /**
   * Encodes a value.
   *
   * @param path Names the value in error messages.
   * @throws {SerializationError} When the value cannot come back as it is.
   */
  encode(value: unknown, path?: string): string;
  /**
   * Decodes what `encode` gave.
   *
   * @throws {SerializationError} When the text cannot be read, or not by this runtime.
   */
  decode(text: string): unknown;
}

/** Deeper values are refused: other runtimes would overflow their stack reading them. */
const MAX_DEPTH = 100;

/** Marks text that is not JSON. */
const RICH = "~";

/** The codec of every docket that is not given another. */
export const defaultCodec: Codec = {
  encode(value, path = "value") {
    try {
      const rich = new Scan().isRich(value, { key: path }, 0);
      return rich ? RICH + stringify(value, REDUCERS) : JSON.stringify(value);
    } catch (error) {
      if (error instanceof SerializationError) throw error;
      // A getter or a proxy threw: the value itself is at fault.
      throw new SerializationError(`Cannot carry ${path}: reading it failed`, path, {
        cause: error,
      });
    }
  },

  decode(text) {
    try {
      if (text.startsWith(RICH)) return parse(text.slice(RICH.length), REVIVERS);
      return parseJson(text);
    } catch (error) {
      if (error instanceof SerializationError) throw error;
      throw new SerializationError(
        "Cannot read a stored value: this runtime does not know its form",
        "",
        {
          cause: error,
        },
      );
    }
  },
};

/** JSON as written; a `__proto__` key planted by a stranger must not wait in an object for somebody's `Object.assign`. */
export function parseJson(text: string): unknown {
  // Any letter of the key may be hidden in an escape, such as \u005f.
  const isSuspicious = text.includes("__proto__") || text.includes("\\u00");
  return isSuspicious ? JSON.parse(text, refusePrototype) : JSON.parse(text);
}

interface Place {
  readonly key: string | number;
  readonly parent?: Place;
}

/** Walks a value once: does plain JSON carry it, does devalue, or nothing? */
class Scan {
  readonly #seen: object[] = [];
  #set?: Set<object>;

  isRich(value: unknown, place: Place, depth: number): boolean {
    switch (typeof value) {
      case "string":
      case "boolean":
        return false;
      case "number":
        return !Number.isFinite(value) || Object.is(value, -0);
      case "bigint":
      case "undefined":
        return true;
      case "function":
        throw refused("a function", place);
      case "symbol":
        throw refused("a symbol", place);
      case "object":
        return value !== null && this.#isRichObject(value, place, depth);
    }
  }

  #isRichObject(value: object, place: Place, depth: number): boolean {
    if (depth >= MAX_DEPTH) throw refused(`a value more than ${MAX_DEPTH} levels deep`, place);
    if (this.#wasSeen(value)) return true; // JSON would turn one object into two, or never end
    const prototype = Object.getPrototypeOf(value);
    if (Array.isArray(value)) {
      if (prototype?.constructor?.name !== "Array") throw refused("a subclass of Array", place);
      let rich = false;
      for (let i = 0; i < value.length; i++) {
        if (this.isRich(value[i], { key: i, parent: place }, depth + 1)) rich = true;
      }
      return rich;
    }
    if (!isPlain(prototype)) return this.#isBuiltIn(value, prototype, place, depth);
    let rich = prototype === null;
    if (Object.getOwnPropertySymbols(value).length > 0) {
      throw refused("an object with symbol keys", place);
    }
    for (const key of Object.keys(value)) {
      if (key === "__proto__") throw refused('a "__proto__" key', { key, parent: place });
      const field = (value as Record<string, unknown>)[key];
      if (this.isRich(field, { key, parent: place }, depth + 1)) rich = true;
    }
    return rich;
  }

  #isBuiltIn(value: object, prototype: object, place: Place, depth: number): true {
    const tag = Object.prototype.toString.call(value).slice(8, -1);
    if (tag === "Error" || value instanceof Error) {
      const { cause } = value as Error;
      if (cause !== undefined) this.isRich(cause, { key: "cause", parent: place }, depth + 1);
      return true;
    }
    const name: unknown = prototype.constructor?.name;
    // A subclass would come back as its base: better refused than silently changed.
    const carried = CARRIED.has(tag) ? name === tag : tag.startsWith("Temporal.");
    if (!carried) {
      throw refused(
        tag === "Promise" ? "a promise (is an await missing?)" : `an instance of ${String(name)}`,
        place,
      );
    }
    if (tag === "Map") {
      for (const [key, item] of value as Map<unknown, unknown>) {
        this.isRich(key, { key: "keys()", parent: place }, depth + 1);
        const label = typeof key === "object" ? "get(…)" : `get(${String(key)})`;
        this.isRich(item, { key: label, parent: place }, depth + 1);
      }
    } else if (tag === "Set") {
      for (const item of value as Set<unknown>) {
        this.isRich(item, { key: "values()", parent: place }, depth + 1);
      }
    }
    return true;
  }

  #wasSeen(value: object): boolean {
    if (this.#set) return this.#set.has(value) || (this.#set.add(value), false);
    if (this.#seen.includes(value)) return true;
    this.#seen.push(value);
    if (this.#seen.length > 16) this.#set = new Set(this.#seen); // short lists are faster than sets
    return false;
  }
}

const CARRIED: ReadonlySet<string> = new Set([
  "Date",
  "Map",
  "Set",
  "RegExp",
  "URL",
  "ArrayBuffer",
  "Int8Array",
  "Uint8Array",
  "Uint8ClampedArray",
  "Int16Array",
  "Uint16Array",
  "Int32Array",
  "Uint32Array",
  "Float32Array",
  "Float64Array",
  "BigInt64Array",
  "BigUint64Array",
]);

/** An object literal, also one of another realm, or one without a prototype. */
export function isPlain(prototype: object | null): boolean {
  return prototype === Object.prototype || prototype === null ||
    (Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, "isPrototypeOf"));
}

function refused(what: string, place: Place): SerializationError {
  const path = pathOf(place);
  return new SerializationError(`Cannot carry ${what}: it stands at ${path}`, path);
}

function pathOf({ key, parent }: Place): string {
  if (!parent) return String(key);
  return typeof key === "number" ? `${pathOf(parent)}[${key}]` : `${pathOf(parent)}.${key}`;
}

interface PortableError {
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
  readonly cause?: unknown;
}

function reduceError(value: unknown): PortableError | false {
  if (!(value instanceof Error)) return false;
  const portable = { name: String(value.name), message: String(value.message), stack: value.stack };
  return value.cause === undefined ? portable : { ...portable, cause: value.cause };
}

const BUILT_IN_ERRORS: Readonly<Record<string, ErrorConstructor>> = {
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
};

/** Built-in errors come back as themselves, others as an `Error` that bears their name. */
function reviveError({ name, message, stack, cause }: PortableError): Error {
  const Class = Object.hasOwn(BUILT_IN_ERRORS, name) ? BUILT_IN_ERRORS[name] : Error;
  const error = cause === undefined ? new Class(message) : new Class(message, { cause });
  if (error.name !== name) Object.defineProperty(error, "name", hidden(name));
  Object.defineProperty(error, "stack", hidden(stack));
  return error;
}

/** Only the part that is seen: the rest of its buffer is not the user's to send, and may be large or secret. */
function reduceView(value: unknown): unknown {
  if (!ArrayBuffer.isView(value) || value.byteLength === value.buffer.byteLength) return false;
  return (value as Uint8Array).slice();
}

const REDUCERS = { Error: reduceError, View: reduceView };

const REVIVERS = { Error: reviveError, View: (part: unknown) => part };

function hidden(value: unknown): PropertyDescriptor {
  return { value, configurable: true, writable: true, enumerable: false };
}

function refusePrototype(key: string, value: unknown): unknown {
  if (key === "__proto__") {
    throw new SerializationError('Cannot read a stored value: it has a "__proto__" key', key);
  }
  return value;
}

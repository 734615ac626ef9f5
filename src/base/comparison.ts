/**
 * How strikes compare arguments with their values.
 *
 * @module
 */

import { defaultCodec, isPlain } from "./codec.ts";
import type { Strike, StrikeOperator } from "./strikes.ts";

/** Whether a value matches; `undefined`: it cannot be compared. */
export type Test = (value: unknown) => boolean | undefined;

/** The test of a strike; `text` is the text of its value. */
export function testOf({ operator, value: limit }: Strike, text: string): Test {
  switch (operator as StrikeOperator) {
    case "==":
      return equals(limit, text);
    case "!=": {
      const same = equals(limit, text);
      return (value) => negate(same(value));
    }
    case ">":
      return ranks(limit, (order) => order > 0);
    case ">=":
      return ranks(limit, (order) => order >= 0);
    case "<":
      return ranks(limit, (order) => order < 0);
    case "<=":
      return ranks(limit, (order) => order <= 0);
    case "between": {
      const [low, high] = limit as readonly [unknown, unknown];
      const fromLow = ranks(low, (order) => order >= 0);
      const toHigh = ranks(high, (order) => order <= 0);
      return (value) => fromLow(value) && toHigh(value);
    }
  }
}

function equals(limit: unknown, text: string): Test {
  return (value) => {
    if (isObject(value) && !isObject(limit)) return false; // no need to look into it
    const other = textOf(value);
    return other === undefined ? undefined : other === text;
  };
}

function negate(matches: boolean | undefined): boolean | undefined {
  return matches === undefined ? undefined : !matches;
}

function ranks(limit: unknown, holds: (order: number) => boolean): Test {
  return (value) => {
    const order = compare(value, limit);
    return order === undefined ? undefined : holds(order);
  };
}

/** Below, at or above 0 as `Array.sort` has it; `undefined` when the two are not of one kind. */
export function compare(one: unknown, other: unknown): number | undefined {
  const a = rankOf(one);
  const b = rankOf(other);
  if (!a || !b || a.kind !== b.kind) return undefined;
  return a.rank < b.rank ? -1 : a.rank > b.rank ? 1 : 0;
}

/** Whether a value can stand below or above others. */
export function isRanked(value: unknown): boolean {
  return rankOf(value) !== undefined;
}

interface Rank {
  readonly kind: string;
  readonly rank: number | bigint | string;
}

/** Never throws, whatever the value pretends to be. */
function rankOf(value: unknown): Rank | undefined {
  switch (typeof value) {
    case "number":
      return Number.isNaN(value) ? undefined : { kind: "number", rank: value };
    case "bigint":
    case "string":
      return { kind: typeof value, rank: value };
    case "object":
      try {
        return value === null ? undefined : rankOfObject(value);
      } catch {
        return undefined;
      }
    default:
      return undefined;
  }
}

function rankOfObject(value: object): Rank | undefined {
  const kind = Object.prototype.toString.call(value).slice(8, -1);
  if (kind === "Date") {
    const time = Date.prototype.getTime.call(value);
    return Number.isNaN(time) ? undefined : { kind, rank: time };
  }
  if (!kind.startsWith("Temporal.")) return undefined;
  // Those without an instant, such as PlainTime or Duration, have no order that their text would show.
  const { epochMilliseconds, epochNanoseconds } = value as Record<string, unknown>;
  if (typeof epochMilliseconds !== "number") return undefined;
  return {
    kind,
    rank: typeof epochNanoseconds === "bigint" ? epochNanoseconds : epochMilliseconds,
  };
}

/** Equal values give equal texts; `undefined`: it cannot be compared. */
export function textOf(value: unknown): string | undefined {
  try {
    return defaultCodec.encode(canonical(value));
  } catch {
    return undefined; // larger or stranger than any strike
  }
}

/** Whether it has parts. */
export function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}

/**
 * Larger values are not compared. A few stored bytes may stand for a value that holds itself, or for 2^100 parts that are
 * mostly the same; the codec refuses what is too deep.
 */
const MAX_PARTS = 10_000;

/** The form that all values equal to this one share. */
export function canonical(value: unknown): unknown {
  return new Copy().of(value);
}

/** Copies values part by part, so that it does not matter what is shared, nor in which order it was put together. */
class Copy {
  #parts = 0;

  of(value: unknown): unknown {
    if (++this.#parts > MAX_PARTS) throw new TypeError(`it has more than ${MAX_PARTS} parts`);
    if (value === 0) return 0; // and so is -0
    if (typeof value !== "object" || value === null) return value;
    if (Array.isArray(value)) return this.#list(value);
    if (value instanceof Map) {
      return new Map(sorted(this.#list([...value])) as [unknown, unknown][]);
    }
    if (value instanceof Set) return new Set(sorted(this.#list([...value])));
    if (value instanceof Error) throw new TypeError("no Error is equal to another one");
    if (isPlain(Object.getPrototypeOf(value))) return this.#fields(value);
    return defaultCodec.decode(defaultCodec.encode(value)); // a Date, a URL, …: or else it is refused
  }

  #list(list: readonly unknown[]): unknown[] {
    const copy: unknown[] = [];
    for (let i = 0; i < list.length; i++) copy.push(this.of(list[i])); // of holes, too
    return copy;
  }

  #fields(fields: object): object {
    if (Object.getOwnPropertySymbols(fields).length > 0) throw new TypeError("it has symbol keys");
    const copy = (name: string) => [name, this.of((fields as Record<string, unknown>)[name])];
    // Defines its fields: "__proto__" becomes one, which the codec then refuses.
    return Object.fromEntries(Object.keys(fields).sort().map(copy));
  }
}

/** In the order of their texts: maps and sets are equal whatever was put in first. */
function sorted(items: readonly unknown[]): unknown[] {
  const texts = items.map((item) => [defaultCodec.encode(item), item] as const);
  return texts.sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0).map(([, item]) => item);
}

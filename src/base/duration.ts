/**
 * What users write for spans and instants, turned into milliseconds. Temporal is accepted by shape and never needed.
 *
 * @module
 */

import type { Millis } from "./clock.ts";

/** A span of time as an object. At least one field; whole or fractional, never negative. */
export interface DurationFields {
  /** Of 24 hours each. */
  readonly days?: number;
  /** Of 60 minutes each. */
  readonly hours?: number;
  /** Of 60 seconds each. */
  readonly minutes?: number;
  /** Of 1,000 milliseconds each. */
  readonly seconds?: number;
  /** Fractions are kept. */
  readonly milliseconds?: number;
}

/** The part of `Temporal.Duration` that is used. */
export interface TemporalDuration {
  /** The whole span in milliseconds. */
  total(unit: "milliseconds"): number;
}

/**
 * A span of time: milliseconds, fields such as `{ minutes: 5 }`, a `Temporal.Duration`, or text such as `"90s"`,
 * `"1h30m"`, `"250ms"` or `"PT5M"`.
 */
export type DurationLike = number | string | DurationFields | TemporalDuration;

/** An instant: a `Date`, milliseconds since the Unix epoch, a `Temporal.Instant` or a `Temporal.ZonedDateTime`. */
export type InstantLike = number | Date | { readonly epochMilliseconds: number };

const UNITS: Readonly<Record<string, Millis>> = {
  days: 86_400_000,
  hours: 3_600_000,
  minutes: 60_000,
  seconds: 1_000,
  milliseconds: 1,
};

const SHORT: Readonly<Record<string, Millis>> = {
  d: 86_400_000,
  h: 3_600_000,
  m: 60_000,
  s: 1_000,
  ms: 1,
};

/** As far as a `Date` can tell, from its beginning. */
const LONGEST: Millis = 8.64e15;

/**
 * A duration in milliseconds.
 *
 * @throws {TypeError} When the value has none of the accepted shapes.
 * @throws {RangeError} When it is negative, not finite, or text that cannot be read.
 */
export function toMillis(option: string, value: DurationLike): Millis {
  const millis = read(option, value);
  if (!(millis >= 0 && millis <= LONGEST)) {
    throw new RangeError(
      `Cannot use ${quote(value)} for "${option}": it must be a finite span that is not negative`,
    );
  }
  return millis;
}

/**
 * An instant in whole milliseconds since the Unix epoch.
 *
 * @throws {TypeError} When the value has none of the accepted shapes.
 * @throws {RangeError} When it is not a valid time.
 */
export function toInstant(option: string, value: InstantLike): Millis {
  const millis = typeof value === "number"
    ? value
    : value instanceof Date
    ? value.getTime()
    : (value as { epochMilliseconds?: unknown } | null)?.epochMilliseconds;
  if (typeof millis !== "number") {
    throw new TypeError(
      `Cannot use ${
        quote(value)
      } for "${option}": give a Date, epoch milliseconds or a Temporal.Instant`,
    );
  }
  // Beyond this a Date is invalid, and the number would be no instant for anybody.
  if (!(Math.abs(millis) <= LONGEST)) {
    throw new RangeError(`Cannot use ${quote(value)} for "${option}": it is not a valid time`);
  }
  return Math.max(0, Math.floor(millis));
}

function read(option: string, value: DurationLike): Millis {
  if (typeof value === "number") return value;
  if (typeof value === "string") return readText(option, value);
  if (typeof value === "object" && value !== null) {
    if ("total" in value && typeof value.total === "function") return value.total("milliseconds");
    const fields = Object.entries(value as DurationFields).filter(([, n]) => n !== undefined);
    const known = ([unit, n]: [string, unknown]) =>
      Object.hasOwn(UNITS, unit) && typeof n === "number";
    if (fields.length > 0 && fields.every(known)) {
      if (fields.some(([, n]) => n < 0)) return NaN; // also where the sum is not negative
      return fields.reduce((sum, [unit, n]) => sum + UNITS[unit] * n, 0);
    }
  }
  throw new TypeError(
    `Cannot use ${
      quote(value)
    } for "${option}": give milliseconds, fields such as { seconds: 5 }, or text such as "5s"`,
  );
}

const PART = /^(\d{1,15}(?:\.\d{1,9})?)(ms|[dhms])/;
const ISO_PART = /^(\d{1,15}(?:\.\d{1,9})?)([DHMS])/;

/** `1h30m`, `250ms`, and the ISO form with days and below: `P1DT2H`, `PT5M`. Read by hand, no regular expression to blow up. */
function readText(option: string, text: string): Millis {
  const iso = text.startsWith("P");
  let rest = iso ? text.slice(1) : text;
  let total = 0;
  let parts = 0;
  let inTime = false;
  while (rest !== "") {
    if (iso && rest.startsWith("T") && !inTime) {
      inTime = true;
      rest = rest.slice(1);
      continue;
    }
    const match = (iso ? ISO_PART : PART).exec(rest);
    const unit = match?.[2];
    const factor = !unit
      ? undefined
      : !iso
      ? SHORT[unit]
      : unit === "D" && !inTime
      ? SHORT.d
      : inTime && unit !== "D"
      ? SHORT[unit.toLowerCase()]
      : undefined;
    if (!match || factor === undefined) {
      throw new RangeError(
        `Cannot use ${
          quote(text)
        } for "${option}": it is not a duration, such as 90_000, "90s", "1h30m", "PT5M" or { minutes: 5 }`,
      );
    }
    total += Number(match[1]) * factor;
    parts++;
    rest = rest.slice(match[0].length);
  }
  if (parts === 0 || text.endsWith("T")) {
    throw new RangeError(
      `Cannot use ${
        quote(text)
      } for "${option}": it is not a duration, such as 90_000, "90s", "1h30m", "PT5M" or { minutes: 5 }`,
    );
  }
  return total;
}

function quote(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, 100));
  if (typeof value === "number" || value === null || value === undefined) return String(value);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "an invalid Date" : "a Date";
  return typeof value === "object"
    ? `an object with ${Object.keys(value).join(", ") || "no fields"}`
    : `a ${typeof value}`;
}

/**
 * How what is written on the command line becomes a value, and back.
 *
 * @module
 */

import { message, text } from "@optique/core/message";
import type { ValueParser } from "@optique/core/valueparser";
import type { Millis } from "../base/clock.ts";
import { toMillis } from "../base/duration.ts";

/** A duration in milliseconds: a bare number is seconds, as in pydocket; `1:30` is minutes and seconds. */
export function duration(): ValueParser<"sync", Millis> {
  return parser("DURATION", 0, readDuration);
}

/** An instant: a date, or a date and time that says how far it is from UTC. */
export function instant(): ValueParser<"sync", Date> {
  return parser("INSTANT", new Date(0), readInstant);
}

/** `true` or `false`, and the other words for them that environment variables are given. */
export function boolean(): ValueParser<"sync", boolean> {
  return parser("BOOLEAN", false, (written) => {
    if (/^(true|yes|on|1)$/i.test(written)) return true;
    if (/^(false|no|off|0)$/i.test(written)) return false;
    throw new RangeError(`${JSON.stringify(written)} is neither true nor false`);
  });
}

/** A value of some type: JSON, text without quotes where it can be nothing else, or `type:` and a value. */
export function typedValue(metavar: "VALUE" | "ARG"): ValueParser<"sync", unknown> {
  return parser<unknown>(metavar, "", readTyped);
}

/** A value as {@linkcode typedValue} would read it again, as far as that is possible. */
export function writeTyped(value: unknown): string {
  if (typeof value === "bigint") return `bigint:${value}`;
  if (value instanceof Date) return `date:${value.toJSON() ?? "invalid"}`;
  // A whole number that large would be refused: it may not be the one that was meant.
  if (typeof value === "number" && !(Math.abs(value) <= Number.MAX_SAFE_INTEGER)) {
    return `float:${value}`;
  }
  if (Array.isArray(value)) return `[${value.map(writeTyped).join(", ")}]`;
  return JSON.stringify(value) ?? String(value);
}

function parser<T>(
  metavar: "DURATION" | "INSTANT" | "BOOLEAN" | "VALUE" | "ARG",
  placeholder: T,
  read: (written: string) => T,
): ValueParser<"sync", T> {
  return {
    mode: "sync",
    metavar,
    placeholder,
    parse(written) {
      try {
        return { success: true, value: read(written) };
      } catch (error) {
        return { success: false, error: message`${text((error as Error).message)}` };
      }
    },
    format: String,
  };
}

function readDuration(written: string): Millis {
  if (/^\d{1,15}(\.\d{1,9})?$/.test(written)) return Number(written) * 1_000;
  const clock = /^(?:(\d{1,6}):)?(\d{1,6}):(\d{2})$/.exec(written);
  if (clock) {
    const [, hours = "0", minutes, seconds] = clock;
    if (Number(seconds) < 60 && (clock[1] === undefined || Number(minutes) < 60)) {
      return ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1_000;
    }
  }
  try {
    return toMillis("duration", written);
  } catch {
    throw new RangeError(
      `${quote(written)} is not a duration: write 90 (seconds), 250ms, 5m, 1h30m, 1:30 or 1:30:45`,
    );
  }
}

const DATE = /^\d{4}-\d{2}-\d{2}$/;
const DATE_TIME = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})$/;

function readInstant(written: string): Date {
  const known = DATE.test(written) || DATE_TIME.test(written);
  const date = new Date(known ? written.replace(" ", "T") : NaN);
  // A day that its month lacks, such as February 30, is the next month's for some runtimes.
  const sound = written.startsWith(
    new Date(`${written.slice(0, 10)}T00:00Z`).toJSON()?.slice(0, 10),
  );
  if (Number.isFinite(date.getTime()) && sound) return date;
  throw new RangeError(
    `${
      quote(written)
    } is not an instant: write 2026-01-31 (midnight UTC), 2026-01-31T09:00Z or 2026-01-31T09:00+01:00`,
  );
}

const TYPES: Readonly<Record<string, (written: string) => unknown>> = {
  int: (written) => {
    const value = Number(written);
    if (/^[+-]?\d+$/.test(written) && Number.isSafeInteger(value)) return value;
    throw new RangeError(
      /^[+-]?\d+$/.test(written)
        ? `${quote(written)} is too large for a number: write bigint:${written}`
        : `${quote(written)} is not a whole number`,
    );
  },
  float: (written) => {
    if (/^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(written)) return Number(written);
    if (/^[+-]?Infinity$/.test(written) || written === "NaN") return Number(written);
    throw new RangeError(`${quote(written)} is not a number`);
  },
  bigint: (written) => {
    if (/^-?\d+$/.test(written)) return BigInt(written);
    throw new RangeError(`${quote(written)} is not a whole number`);
  },
  bool: (written) => {
    if (written === "true" || written === "false") return written === "true";
    throw new RangeError(`${quote(written)} is neither true nor false`);
  },
  str: (written) => written,
  date: readInstant,
  json: readJson,
};

function readTyped(written: string): unknown {
  const colon = written.indexOf(":");
  const type = colon < 0 ? "" : written.slice(0, colon);
  if (Object.hasOwn(TYPES, type)) return TYPES[type](written.slice(colon + 1));
  if (/^[+-]?\d+$/.test(written)) return TYPES.int(written);
  // What begins as JSON does is meant as JSON; what does not is text, as a shell leaves it.
  if (/^[[{"]/.test(written)) return readList(written) ?? readJson(written);
  try {
    return JSON.parse(written);
  } catch {
    return written;
  }
}

/** A list that JSON cannot write, such as a range of dates: `[date:2026-01-01, date:2026-01-31]`. */
function readList(written: string): unknown[] | undefined {
  const items = /^\[((?:date|bigint|float):[^"[\]{}]*)\]$/.exec(written)?.[1];
  return items?.split(",").map((item) => readTyped(item.trim()));
}

function readJson(written: string): unknown {
  try {
    return JSON.parse(written);
  } catch {
    throw new RangeError(`${quote(written)} is not JSON: write str: before it if it is text`);
  }
}

function quote(written: string): string {
  return JSON.stringify(written.length > 100 ? `${written.slice(0, 100)}…` : written);
}

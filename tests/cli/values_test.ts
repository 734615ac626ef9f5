/**
 * How what is written becomes a value, and back.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, match, ok, strictEqual as equal } from "node:assert/strict";
import { test } from "node:test";
import { formatMessage } from "@optique/core/message";
import type { ValueParser } from "@optique/core/valueparser";
import fc from "fast-check";
import { boolean, duration, instant, typedValue, writeTyped } from "../../src/cli/values.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

test("duration() reads a bare number as seconds, and what has units or colons as that", () => {
  const written: Readonly<Record<string, number>> = {
    "123": 123 * SECOND,
    "0": 0,
    "0.25": 250,
    "123s": 123 * SECOND,
    "5m": 5 * MINUTE,
    "2h": 2 * HOUR,
    "1d": 24 * HOUR,
    "1:30": 90 * SECOND,
    "1:30:45": HOUR + 30 * MINUTE + 45 * SECOND,
    "100:00": 100 * MINUTE,
    "0:00": 0,
    "250ms": 250,
    "1h30m": HOUR + 30 * MINUTE,
    "1h30m45s": HOUR + 30 * MINUTE + 45 * SECOND,
    "PT5M": 5 * MINUTE,
  };
  for (const [text, millis] of Object.entries(written)) equal(read(duration(), text), millis, text);
});

test("duration() refuses what could be misunderstood", () => {
  for (
    const text of [
      ...["", " ", "-1", "-1s", "+1", "1,5", "1e3", "Infinity", "NaN", "5x", "five", "5 minutes"],
      ...[
        "1:60",
        "1:5",
        "1:60:00",
        "1:00:60",
        "1:2:3",
        ":30",
        "1:",
        "1:30:45:00",
        "-1:30",
        "1.5:30",
      ],
    ]
  ) {
    equal(
      refusal(duration(), text).startsWith(`${JSON.stringify(text)} is not a duration: `),
      true,
    );
  }
});

test("typedValue() reads ranges of what JSON cannot write, and lists that JSON can as JSON", () => {
  const range = [new Date("2026-01-01"), new Date("2026-01-31T09:00Z")];
  deepEqual(read(typedValue("VALUE"), "[date:2026-01-01, date:2026-01-31T09:00Z]"), range);
  deepEqual(read(typedValue("VALUE"), writeTyped(range)), range);
  deepEqual(read(typedValue("VALUE"), "[bigint:1,bigint:2]"), [1n, 2n]);
  deepEqual(read(typedValue("VALUE"), '["date:2026-01-01"]'), ["date:2026-01-01"]);
  match(refusal(typedValue("VALUE"), "[date:tomorrow]"), /is not an instant/);
  match(refusal(typedValue("VALUE"), "[date:2026-01-01"), /is not JSON/);
});

test("instant() reads dates and times that say how far they are from UTC", () => {
  const written: Readonly<Record<string, string>> = {
    "2026-01-31": "2026-01-31T00:00:00.000Z",
    "2024-02-29": "2024-02-29T00:00:00.000Z",
    "2026-01-31T09:00Z": "2026-01-31T09:00:00.000Z",
    "2026-01-31 09:00Z": "2026-01-31T09:00:00.000Z",
    "2026-01-31T09:00:30Z": "2026-01-31T09:00:30.000Z",
    "2026-01-31T09:00:30.125Z": "2026-01-31T09:00:30.125Z",
    "2026-01-31T09:00+01:00": "2026-01-31T08:00:00.000Z",
    "2026-01-31T23:00-05:30": "2026-02-01T04:30:00.000Z",
  };
  for (const [text, iso] of Object.entries(written)) {
    equal(read(instant(), text).toISOString(), iso, text);
  }
});

test("instant() refuses days that are none, and times of nowhere", () => {
  for (
    const text of [
      ...["", "now", "tomorrow", "2026", "2026-01", "1769817600", "31.01.2026", "2026-1-31"],
      ...["2026-02-30", "2026-02-29", "2026-04-31", "2026-13-01", "2026-00-10", "2026-01-00"],
      ...["2026-02-30T09:00Z", "2026-01-31T24:01Z", "2026-01-31T09:60Z", "2026-01-31T25:00Z"],
      ...["2026-01-31T09:00", "2026-01-31T09:00+1", "2026-01-31T09Z", "2026-01-31T09:00 UTC"],
    ]
  ) {
    equal(refusal(instant(), text).startsWith(`${JSON.stringify(text)} is not an instant: `), true);
  }
});

test("boolean() reads the words that environment variables are given", () => {
  for (const text of ["true", "TRUE", "yes", "on", "1"]) equal(read(boolean(), text), true, text);
  for (const text of ["false", "No", "off", "0"]) equal(read(boolean(), text), false, text);
  for (const text of ["", "2", "maybe", "truee"]) {
    equal(refusal(boolean(), text), `${JSON.stringify(text)} is neither true nor false`);
  }
});

test("typedValue() reads JSON, words, and what says its type", () => {
  const written: readonly (readonly [string, unknown])[] = [
    ["word", "word"],
    ["two words", "two words"],
    ["", ""],
    ["http://host:80/", "http://host:80/"],
    ["other:42", "other:42"],
    ["toString:42", "toString:42"],
    ["NaN", "NaN"],
    ["1.2.3", "1.2.3"],
    ["42", 42],
    ["-42", -42],
    ["+42", 42],
    ["007", 7],
    ["1.5", 1.5],
    ["1e3", 1_000],
    ["9007199254740991", Number.MAX_SAFE_INTEGER],
    ["true", true],
    ["false", false],
    ["null", null],
    ['"42"', "42"],
    ["[1, [2]]", [1, [2]]],
    ['{"a":null}', { a: null }],
    ["int:-42", -42],
    ["float:1", 1],
    ["float:-.5e2", -50],
    ["float:-Infinity", -Infinity],
    ["float:NaN", NaN],
    ["bigint:-9007199254740993", -9007199254740993n],
    ["bool:true", true],
    ["str:42", "42"],
    ["str:", ""],
    ["str:int:42", "int:42"],
    ["json:42", 42],
    ['json:"a"', "a"],
    ["date:2026-01-31", new Date("2026-01-31T00:00Z")],
  ];
  for (const [text, value] of written) deepEqual(read(typedValue("ARG"), text), value, text);
});

test("typedValue() refuses what is not of the type it says", () => {
  const written: Readonly<Record<string, RegExp>> = {
    "int:": /"" is not a whole number/,
    "int:1.5": /"1\.5" is not a whole number/,
    "int:0x10": /is not a whole number/,
    "int:9007199254740992": /too large for a number: write bigint:9007199254740992/,
    "9007199254740992": /too large for a number: write bigint:9007199254740992/,
    "-9007199254740992": /too large for a number: write bigint:-9007199254740992/,
    "float:": /"" is not a number/,
    "float:1,5": /is not a number/,
    "float:0x10": /is not a number/,
    "bigint:1.5": /is not a whole number/,
    "bigint:": /is not a whole number/,
    "bool:1": /is neither true nor false/,
    "bool:TRUE": /is neither true nor false/,
    "date:2026-02-30": /is not an instant/,
    "json:": /is not JSON/,
    "json:word": /is not JSON: write str: before it if it is text/,
    "{broken": /is not JSON/,
    "[1,": /is not JSON/,
    '"open': /is not JSON/,
  };
  for (const [text, reason] of Object.entries(written)) {
    match(refusal(typedValue("ARG"), text), reason, text);
  }
});

test("A value that is refused is not repeated without end", () => {
  ok(refusal(typedValue("ARG"), `{${"x".repeat(100_000)}`).length < 300);
  ok(refusal(duration(), "x".repeat(100_000)).length < 300);
});

test("writeTyped() writes what typedValue() reads as the same value", () => {
  const scalar = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.maxSafeInteger(),
    fc.double(),
    fc.bigInt(),
    fc.boolean(),
    fc.constant(null),
    fc.date({ min: new Date(0), max: new Date("9999-12-31T23:59:59.999Z"), noInvalidDate: true }),
  );
  fc.assert(fc.property(scalar, (value) => {
    const again = read(typedValue("VALUE"), writeTyped(value));
    deepEqual(again, Object.is(value, -0) ? 0 : value);
  }));
});

test("writeTyped() writes numbers that are no safe integers as such", () => {
  for (const value of [2 ** 53, -(2 ** 53), 1e21, Infinity, NaN]) {
    const again = read(typedValue("VALUE"), writeTyped(value));
    ok(Object.is(again, value), writeTyped(value));
  }
});

test("writeTyped() writes a range as one is written", () => {
  equal(writeTyped([1, 5]), "[1, 5]");
  equal(writeTyped({ a: ["b"] }), '{"a":["b"]}');
  equal(writeTyped(undefined), "undefined");
});

function read<T>(parser: ValueParser<"sync", T>, written: string): T {
  const result = parser.parse(written);
  if (result.success) return result.value;
  throw new Error(`${JSON.stringify(written)} was refused: ${formatMessage(result.error)}`);
}

function refusal(parser: ValueParser<"sync", unknown>, written: string): string {
  const result = parser.parse(written);
  ok(!result.success, `${JSON.stringify(written)} was taken`);
  return formatMessage(result.error, { quotes: true });
}

/**
 * How things look as text.
 *
 * @module
 */

import {
  deepStrictEqual as deepEqual,
  doesNotMatch,
  ok,
  strictEqual as equal,
} from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  bar,
  count,
  escapeControls,
  hideCredentials,
  relative,
  span,
  table,
} from "../../src/cli/render.ts";
import { cut, pad, widthOf } from "../../src/cli/width.ts";
import { expectPlain } from "./_docket.ts";

test("escapeControls() leaves no control character, whatever it is given", () => {
  const unit = fc.oneof(
    fc.integer({ min: 0, max: 0xa0 }),
    fc.constantFrom(0x61c, 0x200e, 0x200f, 0x2028, 0x2029, 0x202a, 0x202e, 0x2066, 0x2069),
    fc.integer({ min: 0, max: 0xffff }),
  ).map((code) => String.fromCharCode(code));
  fc.assert(fc.property(fc.array(unit), (units) => {
    const escaped = escapeControls(units.join(""));
    doesNotMatch(escaped, /[\p{Cc}\p{Bidi_C}\u2028\u2029]/u);
    expectPlain(escaped);
    equal(escapeControls(escaped), escaped);
  }));
});

test("escapeControls() writes them as JSON does, and keeps the rest", () => {
  equal(
    escapeControls("a\n\r\t\0\x1b\x7f\x9b\u2028\u202eb"),
    "a\\n\\r\\t\\u0000\\u001b\\u007f\\u009b\\u2028\\u202eb",
  );
  equal(escapeControls("grüße, 👍 \\n ‚ה‘"), "grüße, 👍 \\n ‚ה‘");
});

test("hideCredentials() hides users and passwords of URLs, and nothing else", () => {
  equal(
    hideCredentials('`redis://user:pass@host:1/0`, not "rediss://:p:a/s\'s@host" or x://user@host'),
    '`redis://***@host:1/0`, not "rediss://***@host" or x://***@host',
  );
  for (
    const text of ["https://esm.sh/preact@10", "npm:tasks@1", "redis://host:1/0", "a@b.example"]
  ) {
    equal(hideCredentials(text), text);
  }
});

test("table() is whole in a pipe, its columns as wide as needed", () => {
  const long = "long".repeat(30);
  deepEqual(table(["A", "BB"], [["1", "x\x1b"], [long, ""]], Infinity), [
    `A${" ".repeat(119)}  BB`,
    `1${" ".repeat(119)}  x\\u001b`,
    long,
  ]);
});

test("table() is cut on a terminal: cells that are too long, and lines", () => {
  const long = "x".repeat(100);
  deepEqual(table(["A", "B"], [[long, "y"]], 200), [
    `A${" ".repeat(47)}  B`,
    `${"x".repeat(47)}…  y`,
  ]);
  deepEqual(table(["A", "B"], [["12345", "67890"]], 10), ["A      B", "12345  67…"]);
});

test("cut() keeps what fits", () => {
  deepEqual([cut("abc", 3), cut("abcd", 3), cut("ab", 1), cut("ab", 0)], ["abc", "ab…", "…", "…"]);
});

test("widthOf() counts columns, as cut() and pad() do", () => {
  const widths = {
    "": 0,
    "abc": 3,
    "é": 1,
    "e\u0301": 1,
    "日本": 4,
    "한": 2,
    "👍": 2,
    "❤\ufe0f": 2,
    "ｗ": 2,
  };
  for (const [text, width] of Object.entries(widths)) equal(widthOf(text), width, text);
  deepEqual(["日本語", "日本語"].map((text, i) => cut(text, 5 - i)), ["日本…", "日…"]);
  equal(cut("👍👍", 3), "👍…"); // no half of a pair of surrogates
  deepEqual([pad("日本", 6), pad("日本", 3)], ["日本  ", "日本"]);
});

test("cut() never takes more columns than it may", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.integer({ min: 1, max: 40 }), (text, columns) => {
      ok(widthOf(cut(text, columns)) <= columns);
    }),
  );
});

test("table() lines up what is wide", () => {
  deepEqual(table(["A", "B"], [["日本", "1"], ["abc", "2"]], 80), [
    "A     B",
    "日本  1",
    "abc   2",
  ]);
});

test("span() is told in the two largest units", () => {
  const spans: Readonly<Record<string, number>> = {
    "0ms": 0,
    "1ms": 0.6,
    "999ms": 999,
    "1s": 1_000,
    "1.2s": 1_290,
    "9.9s": 9_999,
    "10s": 10_900,
    "59s": 59_999,
    "1m": 60_000,
    "1m 5s": 65_000,
    "59m 59s": 3_599_999,
    "1h": 3_600_000,
    "2h 3m": 7_380_000,
    "1d": 86_400_000,
    "2d 3h": 183_600_000,
  };
  for (const [text, millis] of Object.entries(spans)) equal(span(millis), text);
});

test("relative() is seen from another instant", () => {
  const now = new Date("2026-01-31T09:00Z");
  const after = (millis: number) => relative(new Date(now.getTime() + millis), now);

  equal(relative(undefined, now), "");
  deepEqual([after(0), after(999), after(-999)], ["now", "now", "now"]);
  deepEqual([after(1_000), after(300_000)], ["in 1s", "in 5m"]);
  deepEqual([after(-1_500), after(-90_000)], ["1.5s ago", "1m 30s ago"]);
});

test("bar() stays within its bounds", () => {
  equal(bar(1, 4, 8), "[##------] 25%");
  equal(bar(0, 4, 4), "[----] 0%");
  equal(bar(4, 4, 4), "[####] 100%");
  equal(bar(9, 4, 4), "[####] 100%");
  equal(bar(-1, 4, 4), "[----] 0%");
  equal(bar(1, 0, 4), "[----] 0%");
  equal(bar(NaN, NaN, 4), "[----] 0%");
  equal(bar(999, 1_000, 4), "[####] 99%");
});

test("count() knows one from many", () => {
  deepEqual(
    [0, 1, 2, 12_345].map((number) => count(number, "task")),
    ["0 tasks", "1 task", "2 tasks", "12,345 tasks"],
  );
});

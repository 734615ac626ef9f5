/** What users write for spans and instants. */

import { strictEqual as equal, throws } from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type DurationLike,
  type InstantLike,
  toInstant,
  toMillis,
} from "../../src/base/duration.ts";

const SPANS: readonly (readonly [DurationLike, number])[] = [
  [0, 0],
  [1.5, 1.5],
  ["0s", 0],
  ["250ms", 250],
  ["90s", 90_000],
  ["5m", 300_000],
  ["1.5h", 5_400_000],
  ["1h30m", 5_400_000],
  ["2d1ms", 172_800_001],
  ["PT5M", 300_000],
  ["PT0.5S", 500],
  ["PT1H30M", 5_400_000],
  ["P1D", 86_400_000],
  ["P1DT2H", 93_600_000],
  ["P1DT2H3M4S", 93_784_000],
  [{ seconds: 5 }, 5_000],
  [{ milliseconds: 1, seconds: 1, minutes: 1, hours: 1, days: 1 }, 90_061_001],
  [{ minutes: 0.5 }, 30_000],
  [{ minutes: undefined, seconds: 5 }, 5_000],
  [{ total: () => 42 }, 42],
];

for (const [span, millis] of SPANS) {
  test(`toMillis() reads ${JSON.stringify(span)}`, () => {
    equal(toMillis("delay", span), millis);
  });
}

const NO_SPANS: readonly (readonly [unknown, typeof TypeError | typeof RangeError])[] = [
  [-1, RangeError],
  [NaN, RangeError],
  [Infinity, RangeError],
  ["", RangeError],
  ["5", RangeError],
  ["s", RangeError],
  ["-5s", RangeError],
  ["5 s", RangeError],
  ["5s ", RangeError],
  ["1e3s", RangeError],
  ["5y", RangeError],
  ["5M", RangeError],
  ["P", RangeError],
  ["PT", RangeError],
  ["P1DT", RangeError],
  ["P5M", RangeError],
  ["PT1D", RangeError],
  ["PT1HT1M", RangeError],
  ["P1Y", RangeError],
  ["PT5m", RangeError],
  ["PT5HM", RangeError],
  ["9".repeat(10_000) + "s", RangeError],
  [{}, TypeError],
  [{ seconds: "5" }, TypeError],
  [{ weeks: 1 }, TypeError],
  [{ constructor: 1 }, TypeError],
  [{ seconds: undefined }, TypeError],
  [{ seconds: -1 }, RangeError],
  [{ hours: 1, minutes: -30 }, RangeError],
  [{ total: () => NaN }, RangeError],
  [null, TypeError],
  [undefined, TypeError],
  [true, TypeError],
  [5n, TypeError],
  [new Date(), TypeError],
];

for (const [span, Class] of NO_SPANS) {
  const shown = typeof span === "object" ? JSON.stringify(span) : String(span).slice(0, 20);
  test(`toMillis() refuses ${typeof span} ${shown}`, () => {
    throws(() => toMillis("delay", span as DurationLike), (error) => {
      return error instanceof Class && /^Cannot use .* for "delay": /.test(error.message);
    });
  });
}

test("toMillis() reads what Temporal and its own units make of a span", () => {
  const whole = fc.nat(1_000);

  fc.assert(
    fc.property(whole, whole, whole, whole, (d, h, m, s) => {
      const millis = ((d * 24 + h) * 60 + m) * 60_000 + s * 1_000;
      equal(toMillis("delay", `P${d}DT${h}H${m}M${s}S`), millis);
      equal(toMillis("delay", `${d}d${h}h${m}m${s}s`), millis);
      equal(toMillis("delay", { days: d, hours: h, minutes: m, seconds: s }), millis);
    }),
  );
});

const INSTANTS: readonly (readonly [InstantLike, number])[] = [
  [new Date(1_234), 1_234],
  [1_234.9, 1_234],
  [0, 0],
  [-5, 0],
  [8.64e15, 8.64e15],
  [{ epochMilliseconds: 77 }, 77],
];

for (const [instant, millis] of INSTANTS) {
  test(`toInstant() reads ${JSON.stringify(instant)}`, () => {
    equal(toInstant("when", instant), millis);
  });
}

const NO_INSTANTS: readonly (readonly [unknown, typeof TypeError | typeof RangeError])[] = [
  [NaN, RangeError],
  [Infinity, RangeError],
  [8.64e15 + 1, RangeError],
  [new Date(NaN), RangeError],
  ["2026-01-01", TypeError],
  [5n, TypeError],
  [{}, TypeError],
  [{ epochMilliseconds: 5n }, TypeError],
  [null, TypeError],
  [undefined, TypeError],
];

for (const [instant, Class] of NO_INSTANTS) {
  test(`toInstant() refuses ${typeof instant} ${String(instant)}`, () => {
    throws(() => toInstant("when", instant as InstantLike), (error) => {
      return error instanceof Class && /^Cannot use .* for "when": /.test(error.message);
    });
  });
}

test("toMillis() and toInstant() accept Temporal where the runtime has it", () => {
  if (!("Temporal" in globalThis)) return;

  equal(toMillis("delay", Temporal.Duration.from({ hours: 1, seconds: 1 })), 3_601_000);
  equal(toInstant("when", Temporal.Instant.fromEpochMilliseconds(5)), 5);
  equal(toInstant("when", Temporal.ZonedDateTime.from("1970-01-01T00:00:01[UTC]")), 1_000);
});

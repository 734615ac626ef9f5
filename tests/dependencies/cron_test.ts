/**
 * When a cron expression comes: invariant 52.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, strictEqual as equal, throws } from "node:assert/strict";
import { test } from "node:test";
import { Cron, Retry, task } from "../../mod.ts";

interface Case {
  readonly what: string;
  readonly expression: string;
  readonly timeZone: string;
  readonly after: string;
  /** The instants that follow, one after the other. */
  readonly instants: readonly string[];
}

const CASES: readonly Case[] = [
  {
    what: "a fixed time that is skipped comes once, right after the gap",
    expression: "30 2 * * *",
    timeZone: "Europe/Berlin", // 2026-03-29: 2:00 → 3:00
    after: "2026-03-28T00:00Z",
    instants: ["2026-03-28T01:30Z", "2026-03-29T01:00Z", "2026-03-30T00:30Z"],
  },
  {
    what: "a fixed time that is repeated comes the first time only",
    expression: "30 2 * * *",
    timeZone: "Europe/Berlin", // 2026-10-25: 3:00 → 2:00
    after: "2026-10-24T12:00Z",
    instants: ["2026-10-25T00:30Z", "2026-10-26T01:30Z"],
  },
  {
    what: "a list of hours is fixed too",
    expression: "30 2,14 * * *",
    timeZone: "Europe/Berlin",
    after: "2026-03-28T12:00Z",
    instants: ["2026-03-28T13:30Z", "2026-03-29T01:00Z", "2026-03-29T12:30Z"],
  },
  {
    what: "what comes every hour follows real time when clocks go forward",
    expression: "15 * * * *",
    timeZone: "Europe/Berlin",
    after: "2026-03-29T00:00Z",
    instants: ["2026-03-29T00:15Z", "2026-03-29T01:15Z", "2026-03-29T02:15Z"],
  },
  {
    what: "what comes every hour follows real time when clocks go back",
    expression: "15 * * * *",
    timeZone: "Europe/Berlin",
    after: "2026-10-24T23:30Z",
    instants: ["2026-10-25T00:15Z", "2026-10-25T01:15Z", "2026-10-25T02:15Z"],
  },
  {
    what: "a fixed time that is skipped in New York",
    expression: "30 2 * * *",
    timeZone: "America/New_York", // 2026-03-08: 2:00 → 3:00
    after: "2026-03-07T12:00Z",
    instants: ["2026-03-08T07:00Z", "2026-03-09T06:30Z"],
  },
  {
    what: "a fixed time that is repeated in New York",
    expression: "30 1 * * *",
    timeZone: "America/New_York", // 2026-11-01: 2:00 → 1:00
    after: "2026-10-31T12:00Z",
    instants: ["2026-11-01T05:30Z", "2026-11-02T06:30Z"],
  },
  {
    what: "half an hour is skipped on Lord Howe",
    expression: "15 2 * * *",
    timeZone: "Australia/Lord_Howe", // 2026-10-04: 2:00 +10:30 → 2:30 +11
    after: "2026-10-03T00:00Z",
    instants: ["2026-10-03T15:30Z", "2026-10-04T15:15Z"],
  },
  {
    what: "half an hour is repeated on Lord Howe",
    expression: "45 1 * * *",
    timeZone: "Australia/Lord_Howe", // 2026-04-05: 2:00 +11 → 1:30 +10:30
    after: "2026-04-04T00:00Z",
    instants: ["2026-04-04T14:45Z", "2026-04-05T15:15Z"],
  },
  {
    what: "midnight of each day of 23, 24 and 25 hours",
    expression: "@daily",
    timeZone: "Europe/Berlin",
    after: "2026-03-28T12:00Z",
    instants: ["2026-03-28T23:00Z", "2026-03-29T22:00Z", "2026-03-30T22:00Z"],
  },
  {
    what: "leap days",
    expression: "0 0 29 2 *",
    timeZone: "UTC",
    after: "2026-01-01T00:00Z",
    instants: ["2028-02-29T00:00Z", "2032-02-29T00:00Z"],
  },
  {
    what: "the year 2100 has no leap day",
    expression: "0 0 29 2 *",
    timeZone: "UTC",
    after: "2097-01-01T00:00Z",
    instants: ["2104-02-29T00:00Z"],
  },
  {
    what: "the 31st of the months that have one",
    expression: "0 12 31 * *",
    timeZone: "UTC",
    after: "2026-01-31T12:00Z",
    instants: ["2026-03-31T12:00Z", "2026-05-31T12:00Z", "2026-07-31T12:00Z"],
  },
  {
    what: "the last day of each month",
    expression: "0 0 L * *",
    timeZone: "UTC",
    after: "2028-01-31T00:00Z",
    instants: ["2028-02-29T00:00Z", "2028-03-31T00:00Z"],
  },
  {
    what: "a day of the month or of the week, when both are given",
    expression: "0 0 13 * FRI",
    timeZone: "UTC",
    after: "2026-02-01T00:00Z",
    instants: ["2026-02-06T00:00Z", "2026-02-13T00:00Z", "2026-02-20T00:00Z"],
  },
  {
    what: "seconds",
    expression: "*/20 * * * * *",
    timeZone: "UTC",
    after: "2026-01-01T00:00:05Z",
    instants: ["2026-01-01T00:00:20Z", "2026-01-01T00:00:40Z", "2026-01-01T00:01:00Z"],
  },
  {
    what: "a zone that is not a whole hour from UTC",
    expression: "0 9 * * MON-FRI",
    timeZone: "Asia/Kathmandu",
    after: "2026-01-02T12:00Z", // a Friday
    instants: ["2026-01-05T03:15Z"],
  },
];

for (const { what, expression, timeZone, after, instants } of CASES) {
  test(`Cron.next(): ${what}`, () => {
    const cron = new Cron(expression, { timeZone });

    let last = new Date(after);
    const found = instants.map(() => last = cron.next(last));

    deepEqual(found, instants.map((instant) => new Date(instant)));
  });
}

test("Cron.next() gives each instant once, in order, around every change of clocks", () => {
  const changes = [["2026-03-01", "2026-04-20"], ["2026-09-25", "2026-11-10"]];
  for (const expression of ["30 1,2 * * *", "*/30 * * * *", "0 0,12 * * *"]) {
    for (const timeZone of ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]) {
      const cron = new Cron(expression, { timeZone });
      for (const [from, to] of changes) {
        for (let last = new Date(from); last < new Date(to);) {
          const next = cron.next(last);
          equal(next > last, true, `${expression} in ${timeZone} after ${last.toISOString()}`);
          deepEqual(cron.next(new Date(next.getTime() - 1)), next); // also from between the two
          last = next;
        }
      }
    }
  }
});

test("Cron refuses an expression that cannot be read, or never comes", () => {
  for (
    const expression of [
      "",
      "* * * *",
      "60 * * * *",
      "* * * * * * 2027",
      "@never",
      "0 0 30 2 *",
      "2099-01-01T00:00:00",
      "2099-01-01 00:00:00",
      "nope",
    ]
  ) {
    throws(() => new Cron(expression), RangeError, expression);
  }
  throws(() => new Cron(5 as never), TypeError);
});

test("Cron refuses a time zone that there is not, and options that are none", () => {
  throws(() => new Cron("@daily", { timeZone: "Europe/Atlantis" }), RangeError);
  throws(() => new Cron("@daily", { automatic: 1 as never }), TypeError);
  throws(() => new Cron("@daily", { onExhausted: "again" as never }), TypeError);
});

test("Cron cannot be automatic where arguments are required", () => {
  throws(
    () => task("report", { cron: new Cron("@daily") }, (_context, day: string): string => day),
    TypeError,
  );
  task("fine", { cron: new Cron("@daily", { automatic: false }) }, (_context, day: string) => day);
});

test("Cron and Perpetual do not go together, and Retry goes with it", async () => {
  const { Perpetual } = await import("../../mod.ts");
  const cron = new Cron("@daily");

  throws(() => task("both", { cron, perpetual: new Perpetual() }, () => {}), TypeError);
  task("tried", { cron, retry: new Retry({ attempts: 2 }) }, () => {});
});

test("A task with a Cron can be called directly", async () => {
  const daily = task("daily", { cron: new Cron("@daily") }, ({ cron }): Date => {
    cron.cancel(); // there is nothing to cancel
    return cron.next;
  });

  const next = await daily();

  equal(next.getTime() > Date.now(), true);
  equal(next.toISOString().endsWith("T00:00:00.000Z"), true);
});

/**
 * What `docket top` draws.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, match, ok, strictEqual as equal } from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { grid } from "../../src/cli/top/grid.ts";
import {
  type Failed,
  type Found,
  renderTop,
  type Running,
  type TopState,
} from "../../src/cli/top/screen.ts";
import { widthOf } from "../../src/cli/width.ts";
import type { WorkerInfo } from "../../src/docket/presence.ts";
import { expectPlain } from "./_docket.ts";

const NOW = Date.UTC(2026, 0, 31, 9, 30, 5);

/** Would clear a terminal, ring its bell, break a line and turn the rest of it around. */
const HOSTILE = "a\x1b[2J\x07\nb\r\u202ec\x9b31m\u2066\u2028\x7f";

const RATES = {
  queued: 12_345.6,
  started: 99.94,
  completed: 99.95,
  failed: 0.2,
  retried: 0,
  cancelled: 0.04,
  dead: 0.05,
};

test("renderTop() shows rates, depths, workers, what runs and what has failed", () => {
  deepEqual(renderTop(state(), { columns: 80, rows: 23 }), [
    "orders at redis://localhost:6379/0                                  09:30:05 UTC",
    "per second  queued 12,346  started 99.9  completed 100  failed 0.2  retried 0.0",
    "            cancelled 0.0  dead 0.1",
    "tasks       queued 1,234  scheduled 7  running 2  waiting 3  dead 0",
    "",
    "WORKER  RUNNING  SEEN    CAN RUN",
    "one     2/10     3s ago  charge import",
    "two     0/5      now     charge",
    "",
    "RUNNING  KEY        FOR     PROGRESS               WORKER",
    "import   import-1   2h 5m                          one",
    "import   import-22  1m 30s  [###-------] 33% rows  one",
    "",
    "FAILED  KEY       ENDED    REASON",
    "charge  charge-2  now      The bank is closed",
    "charge  charge-1  10s ago  undefined",
  ]);
});

test("renderTop() says so where there is nothing", () => {
  deepEqual(renderTop(state({ found: found({}) }), { columns: 80, rows: 23 }).slice(3), [
    "tasks       queued 0  scheduled 0  running 0  waiting 0  dead 0",
    "",
    "No worker is alive",
    "",
    "Nothing runs",
    "",
    "Nothing has failed",
  ]);
});

test("renderTop() needs no more than 40 columns", () => {
  deepEqual(renderTop(state(), { columns: 40, rows: 30 }), [
    "orders at redis://localho…  09:30:05 UTC",
    "per second  queued 12,346  started 99.9",
    "            completed 100  failed 0.2",
    "            retried 0.0  cancelled 0.0",
    "            dead 0.1",
    "tasks       queued 1,234  scheduled 7",
    "            running 2  waiting 3  dead 0",
    "",
    "WORKER  RUNNING  SEEN    CAN RUN",
    "one     2/10     3s ago  charge import",
    "two     0/5      now     charge",
    "",
    "RUNNING  KEY        FOR     PROGRESS",
    "import   import-1   2h 5m",
    "import   import-22  1m 30s  [###-------…",
    "",
    "FAILED  KEY       ENDED    REASON",
    "charge  charge-2  now      The bank is …",
    "charge  charge-1  10s ago  undefined",
  ]);
});

test("renderTop() breaks a line where the next number does not fit whole", () => {
  const rates = (columns: number) => renderTop(state(), { columns, rows: 23 }).slice(1, 3);

  deepEqual(rates(79).map((line) => line.length), [79, 35]);
  deepEqual(rates(78), [
    "per second  queued 12,346  started 99.9  completed 100  failed 0.2",
    "            retried 0.0  cancelled 0.0  dead 0.1",
  ]);
});

test("renderTop() tells what there is no room for", () => {
  const crowd = state({
    found: found({
      counts: { running: 12_345 },
      workers: [worker("one")],
      running: many(30, (i) => running({ key: `runs-${i}` })),
      failed: many(23, (i) => failed({ key: `fails-${i}` })),
    }),
  });
  const shape = (rows: number) =>
    renderTop(crowd, { columns: 80, rows }).slice(4).map((line) =>
      line.match(/^… .*|^.{0,6}/)?.[0]
    );

  const listed = ["import", "import", "import", "import", "import"];
  deepEqual(shape(24), [
    ...["", "WORKER", "one   "],
    ...["", "RUNNIN", "import", ...listed, "… and 12,339 more"],
    ...["", "FAILED", ...listed.map(() => "charge"), "… and more"],
  ]);
  deepEqual(shape(13), [
    ...["WORKER", "one   "],
    ...["RUNNIN", "import", "import", "… and 12,343 more"],
    ...["FAILED", "charge", "… and more"],
  ]);
  deepEqual(shape(8), ["WORKER", "one   ", "12,345", "Some h"]);
  deepEqual(shape(7), ["1 work", "12,345", "Some h"]);
  deepEqual(shape(6), ["1 work", "12,345"]);
  equal(renderTop(crowd, { columns: 80, rows: 1 }).length, 1);
});

test("renderTop() leaves a line for what is not listed", () => {
  const some = { workers: [worker("one")], running: [running({})], failed: [failed({})] };
  const more = state({ found: found({ ...some, counts: { running: 3 } }) });
  const shape = (rows: number) =>
    renderTop(more, { columns: 80, rows }).slice(4).map((line) => line.slice(0, 12).trimEnd());

  deepEqual(shape(11), [
    ...["WORKER  RUNN", "one     1+/1"],
    ...["RUNNING  KEY", "import   imp", "… and 2 more"],
    ...["FAILED  KEY", "charge  char"],
  ]);
  deepEqual(shape(10), [
    ...["WORKER  RUNN", "one     1+/1"],
    "3 running",
    ...["FAILED  KEY", "charge  char"],
  ]);
});

test("renderTop() says for how long there is no answer, and shows what was known", () => {
  const silence = { span: 65_900, reason: "connect ECONNREFUSED\x1b" };
  const lines = renderTop({ ...state(), rates: undefined, silence }, { columns: 80, rows: 23 });

  match(lines[0], /09:30:05 UTC$/);
  equal(lines[1], "No answer for 1m 5s: connect ECONNREFUSED\\u001b");
  equal(lines[2], "per second  queued –  started –  completed –  failed –  retried –  cancelled –");
  match(lines[4], /^tasks {7}queued 1,234 /);
  deepEqual(
    renderTop({ name: "a", url: "b", silence: { span: 0 } }, { columns: 9, rows: 23 }),
    [
      "a at b",
      "No answe…",
    ].map((line) => line.padEnd(9)),
  );
});

test("renderTop() puts workers together that share a name", () => {
  const shared = found({
    workers: [worker("same", { charge: [] }, 4_000), worker("same", { charge: [], import: [] })],
    running: [running({ worker: "same" })],
    counts: { running: 2 }, // so that one may be missing
  });

  const lines = renderTop(state({ found: shared }), { columns: 80, rows: 23 });

  equal(lines[6], "same (2)  1+/20    4s ago  charge import");
});

test("renderTop() fits, and drives no terminal, whatever there is", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.constantFrom(HOSTILE, "", "日本語テキスト", "👍".repeat(30), "long".repeat(50)),
  );
  const instant = fc.integer({ min: -100_000_000, max: 10_000 }).map((from) =>
    new Date(NOW + from)
  );
  const size = fc.record({
    columns: fc.integer({ min: 1, max: 120 }),
    rows: fc.integer({ min: 1, max: 40 }),
  });
  const progress = fc.record({ current: fc.double(), total: fc.double(), message: text });
  const anything: fc.Arbitrary<TopState> = fc.record({
    name: text,
    url: text,
    found: fc.option(
      fc.record({
        counts: fc.record({ running: fc.nat(), queued: fc.nat() }),
        workers: fc.array(fc.tuple(text, text).map(([name, task]) => worker(name, { [task]: [] }))),
        running: fc.array(
          fc.record({ task: text, key: text, startedAt: instant, worker: text, progress }),
          { maxLength: 40 },
        ),
        failed: fc.array(
          fc.record({ task: text, key: text, completedAt: instant, error: fc.anything() }),
          { maxLength: 40 },
        ),
      }).map(found),
      { nil: undefined },
    ),
    silence: fc.option(fc.record({ span: fc.nat(), reason: text }), { nil: undefined }),
  });

  fc.assert(fc.property(anything, size, (state, size) => {
    const lines = renderTop(state, size);

    ok(lines.length <= size.rows);
    for (const line of lines) {
      ok(widthOf(line) <= size.columns, JSON.stringify(line));
      expectPlain(line);
      ok(!line.includes("\n"));
    }
  }));
});

test("grid() lines up what is wide, and cuts the widest columns", () => {
  const rows = [["日本", "日本語テキスト", "x"], ["ab", "cd", "👍👍"]];
  deepEqual(grid(["A", "B", "C"], rows, 80), [
    "A     B               C",
    "日本  日本語テキスト  x",
    "ab    cd              👍👍",
  ]);
  deepEqual(grid(["A", "B", "C"], rows, 20), [
    "A     B         C",
    "日本  日本語…   x",
    "ab    cd        👍👍",
  ]);
});

test("grid() leaves out the last columns where there is little room, but never the first", () => {
  const rows = [["a".repeat(20), "b".repeat(20), "c".repeat(20)]];

  deepEqual(grid(["A", "B", "C"], rows, 28)[1], "aaaaaaa…  bbbbbbb…  ccccccc…");
  deepEqual(grid(["A", "B", "C"], rows, 27)[1], "aaaaaaaaaaa…  bbbbbbbbbbb…");
  deepEqual(grid(["A", "B", "C"], rows, 5), ["A", "aaaa…"]);
});

function state(changes: Partial<TopState> = {}): TopState {
  return {
    name: "orders",
    url: "redis://localhost:6379/0",
    rates: RATES,
    found: found({
      counts: { queued: 1_234, scheduled: 7, waiting: 3 },
      workers: [
        worker("one", { charge: [], import: [] }, 3_900),
        worker("two", { charge: [] }, 0, 5),
      ],
      running: [
        running({ key: "import-1", startedAt: new Date(NOW - 7_500_000) }),
        running({ key: "import-22", progress: { current: 1, total: 3, message: "rows" } }),
      ],
      failed: [
        failed({ key: "charge-2", completedAt: new Date(NOW + 1_500) }), // after the snapshot
        failed({ key: "charge-1", error: undefined }),
      ],
    }),
    ...changes,
  };
}

function found(
  { counts = {}, workers = [], running = [], failed = [] }: {
    readonly counts?: Partial<Found["taken"]["counts"]>;
    readonly workers?: readonly WorkerInfo[];
    readonly running?: readonly Running[];
    readonly failed?: readonly Failed[];
  },
): Found {
  const none = { scheduled: 0, queued: 0, running: running.length, waiting: 0, dead: 0 };
  const taken = { takenAt: new Date(NOW), counts: { ...none, ...counts }, running };
  return { taken, workers, failed };
}

function worker(
  name: string,
  tasks: WorkerInfo["tasks"] = { charge: [] },
  age = 0,
  concurrency = 10,
): WorkerInfo {
  const [lastSeen, startedAt] = [new Date(NOW - age), new Date(NOW - 60_000)];
  return { name, id: `${name}~id`, lastSeen, startedAt, concurrency, tasks };
}

function running(changes: Partial<Running>): Running {
  return {
    task: "import",
    key: "import",
    startedAt: new Date(NOW - 90_000),
    worker: "one",
    progress: undefined,
    ...changes,
  };
}

function failed(changes: Partial<Failed>): Failed {
  return {
    task: "charge",
    key: "charge",
    completedAt: new Date(NOW - 10_900),
    error: new Error("The bank is closed"),
    ...changes,
  };
}

function many<T>(length: number, make: (i: number) => T): T[] {
  return Array.from({ length }, (_, i) => make(i));
}

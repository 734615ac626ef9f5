/**
 * What chaos makes of its command line, of its dice, and of what it saw: each thing that may be wrong with a run, planted.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, ok, strictEqual as equal, throws } from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readWritten, type Written, type WrittenEnd } from "../../chaos/aof.ts";
import { Dice } from "../../chaos/dice.ts";
import { toTable } from "../../chaos/figures.ts";
import { type Happening, Journal, readJournal } from "../../chaos/journal.ts";
import { readOptions } from "../../chaos/options.ts";
import { judge, type Outcome } from "../../chaos/outcome.ts";
import { slope } from "../../chaos/slope.ts";

const of = { key: "k", generation: id("a") } as const;
const hit = { victim: "worker-0", victimPid: 1 } as const;
const end: WrittenEnd = { ...of, state: "completed", endedAt: 0 };

/** What a worker tells of a task, from its add to its end. */
const run: readonly Happening[] = [
  line("asked", { ...of, mode: "add" }),
  line("answered", { ...of, mode: "add", verdict: "scheduled" }),
  line("claimed", { ...of, token: "t", attempt: 1, deliveries: 1 }),
  line("started", { key: "k", token: "t", attempt: 1, task: "quick" }),
  line("left", { key: "k", token: "t" }),
  line("settled", {
    key: "k",
    token: "t",
    kind: "completed",
    outcome: "completed",
    committed: true,
  }),
];

function line(what: Happening["what"], more: Partial<Happening>): Happening {
  return { key: "k", what, at: 0, by: "worker-0", pid: 1, ...more };
}

/** Another worker's run of the same task. */
function again(token: string): Happening[] {
  const by = { by: "worker-1", pid: 2 } as const;
  return [
    line("claimed", { ...of, ...by, token, attempt: 1, deliveries: 2 }),
    line("started", { ...by, token, attempt: 1, task: "quick" }),
    line("left", { ...by, token }),
  ];
}

/** A task that has passed a gate, and goes on. */
function begun(key: string, generation = key): Happening[] {
  const task = { key, generation: id(generation) };
  return [
    line("asked", task),
    line("claimed", { ...task, token: generation, attempt: 1 }),
    line("started", { key, token: generation, attempt: 1, gate: "customer 1" }),
  ];
}

function judged(happenings: readonly Happening[], ends: readonly WrittenEnd[]): Outcome {
  const live = new Set(happenings.map(({ generation = "" }) => generation));
  const claims = new Map([[of.generation, new Set(["t", "u"])]]);
  const written: Written = { live, ends, claims };
  return judge({ happenings, written, lease: 1_000, concurrency: 2, workers: 2, accidents: [] });
}

test("readOptions() knows seed, minutes, soak and keep, and nothing else", () => {
  const asked = ["--seed", "7", "--minutes", "0.5", "--keep"];

  deepEqual(readOptions(asked), { seed: 7, minutes: 0.5, soak: false, keep: true });
  equal(readOptions([]).minutes, 2);
  equal(readOptions(["--soak"]).minutes, 10);
  for (
    const wrong of [["--soak", "--minutes", "0.5"], ["--seed", "x"], ["--minutes", "0"], [
      "--seeds",
      "7",
    ], ["7"]]
  ) {
    throws(() => readOptions(wrong), TypeError, wrong.join(" "));
  }
});

test("Dice fall the same way for one seed, and another for the next", () => {
  const rolls = (seed: number) => {
    const dice = new Dice(seed);
    return Array.from({ length: 1_000 }, () => dice.roll());
  };
  const rolled = rolls(1);

  deepEqual(rolled, rolls(1));
  ok(rolls(2).every((roll, i) => roll !== rolled[i]));
  ok(rolled.every((roll) => roll >= 0 && roll < 1));
  const mean = rolled.reduce((sum, roll) => sum + roll, 0) / rolled.length;
  ok(mean > 0.45 && mean < 0.55, `${mean}`);
});

test("slope() is that of the line through the samples", () => {
  equal(slope([{ at: 0, bytes: 5 }, { at: 10, bytes: 25 }, { at: 20, bytes: 45 }]), 2);
  equal(slope([{ at: 0, bytes: 5 }, { at: 10, bytes: 5 }]), 0);
  throws(() => slope([{ at: 0, bytes: 5 }]), RangeError);
});

test("The journal gives back what was written, in order", () => {
  const directory = mkdtempSync(join(tmpdir(), "docket_journal_"));
  try {
    const path = join(directory, "journal");
    using one = new Journal(path, "one");
    using other = new Journal(path, "other");
    one.note("started", { key: "a\nb" });
    other.note("left", { key: "ü" });
    one.note("killed", { victim: "other" });

    const told = readJournal(path).map(({ what, by, key, victim }) => [what, by, key ?? victim]);
    deepEqual(told, [["started", "one", "a\nb"], ["left", "other", "ü"], [
      "killed",
      "one",
      "other",
    ]]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("readWritten() finds what was live and how it ended", () => {
  const directory = mkdtempSync(join(tmpdir(), "docket_aof_"));
  try {
    const commands = [
      ["HSET", "{d}:state", "k", `Q0${id("a")}1-0|1|0|`, "é", `Q0${id("b")}2-0|1|0|`],
      ["HSET", "{d}:state", "k", `R0${id("a")}${id("t")}1-0|1|1||9|worker`],
      ["HSET", "{d}:state", "k", `R0${id("a")}${id("u")}1-0|1|2||9|worker`],
      ["HSET", "{d}:next", "k", `${id("c")}|body`],
      ["HSET", "{d}:tasks", "k", "body"],
      ["SET", "{d}:r:k", `C${id("a")}17|text`, "PXAT", "99"],
      ["SET", "{d}:r:é", `X${id("b")}18|rmore`, "PXAT", "99"],
      ["SET", "{other}:r:k", `C${id("x")}17|text`],
    ];
    writeFileSync(join(directory, "appendonly.aof"), commands.map(encode).join("#TS:1\r\n"));

    const { live, ends, claims } = readWritten(directory, "d");

    deepEqual([...live], [id("a"), id("b"), id("c")]);
    deepEqual([...claims].map(([of, tokens]) => [of, ...tokens]), [[id("a"), id("t"), id("u")]]);
    deepEqual(ends.map(({ key, generation, state, reason }) => [key, generation, state, reason]), [
      ["k", id("a"), "completed", undefined],
      ["é", id("b"), "cancelled", "replaced"],
    ]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("judge() finds nothing in a run that went well", () => {
  const { findings, verdict: { figures } } = judged(run, [end]);

  deepEqual(findings, []);
  equal(figures.ended.completed, 1);
});

for (
  const { fault, happenings, ends, found } of [
    { fault: "a lost task", happenings: run.slice(0, 2), ends: [], found: /^lost: k/ },
    { fault: "two ends", happenings: run, ends: [end, end], found: /^ended twice: k/ },
    {
      fault: "a second run that nothing explains",
      happenings: [...run, ...again("u")],
      ends: [end],
      found: /^run twice: k/,
    },
    {
      fault: "a settlement by a worker that had lost the task",
      happenings: [
        ...run.slice(0, 5),
        ...again("u"),
        line("settling", { token: "t", kind: "completed" }),
        ...run.slice(5),
      ],
      ends: [end],
      found: /^stale commit: k/,
    },
    {
      fault: "a settlement that Redis does not have",
      happenings: run,
      ends: [],
      found: /^not written: k/,
    },
    {
      fault: "another's result",
      happenings: [...run, line("awaited", {}), line("resolved", { outcome: "the result of j" })],
      ends: [end],
      found: /^wrong result: k/,
    },
    {
      fault: "a result that does not come",
      happenings: [...run, line("awaited", {})],
      ends: [end],
      found: /^no result: k/,
    },
    {
      fault: "a task that is dead, and was not lost often enough",
      happenings: run.slice(0, 4),
      ends: [{ ...end, state: "dead" } as const],
      found: /^dead too soon: k/,
    },
    {
      fault: "poison that completes",
      happenings: run.map((one) => ({ ...one, task: "poison" })),
      ends: [end],
      found: /^poison lives: k/,
    },
    {
      fault: "more at a gate than it has places for",
      happenings: [...begun("a"), ...begun("b"), ...begun("c")],
      ends: ["a", "b", "c"].map((key) => ({ ...end, key, generation: id(key) })),
      found: /^over the limit: c/,
    },
    {
      fault: "two bodies of one key at once",
      happenings: [...begun("a"), ...begun("a", "b")],
      ends: [{ ...end, key: "a", generation: id("a") }, { ...end, key: "a", generation: id("b") }],
      found: /^overlap: a/,
    },
  ]
) {
  test(`judge() finds ${fault}`, () => {
    const { findings } = judged(happenings, ends);

    ok(findings.some((finding) => found.test(finding)), findings.join("\n"));
  });
}

test("judge() takes a second run for granted after a kill, a stop or a stall of the first one's worker", () => {
  const faults: readonly (readonly Happening[])[] = [
    [line("killed", hit), line("gone", { ...hit, outcome: "SIGKILL" })],
    [line("stopped", hit)],
    [line("stalled", { ms: 500 })],
    [line("redis killed", {}), line("redis back", {})],
  ];
  for (const fault of faults) {
    const [asked, answered, claimed, started] = run;
    const happenings = [asked, answered, claimed, started, ...fault, ...again("u")];

    deepEqual(judged(happenings, [end]).findings, [], fault[0].what);
  }
});

test("toTable() tells the figures", () => {
  const table = toTable(judged(run, [end]));

  ok(/^\| accepted +\| 1 +\|$/m.test(table), table);
  ok(/^\| completed +\| 1 +\|$/m.test(table), table);
});

/** An id with this at its front. */
function id(front: string): string {
  return front.padEnd(22, "_");
}

function encode(command: readonly string[]): string {
  const size = (text: string) => new TextEncoder().encode(text).length;
  return `*${command.length}\r\n${command.map((text) => `$${size(text)}\r\n${text}\r\n`).join("")}`;
}

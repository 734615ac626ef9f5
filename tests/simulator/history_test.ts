// Each rule of the history checker: a history that keeps it, and one that breaks it.
import { deepStrictEqual as deepEqual } from "node:assert/strict";
import { test } from "node:test";
import { check, type CheckOptions, describe, type HistoryEvent } from "../../chaos/history.ts";

const k = { key: "k", generation: "1" } as const;
const k2 = { key: "k", generation: "2" } as const;

const accepted: HistoryEvent = { kind: "accepted", ...k };
const completed: HistoryEvent = { kind: "ended", ...k, state: "completed" };
const adrift: HistoryEvent = { kind: "adrift", worker: "w1" };
const steady: HistoryEvent = { kind: "steady", worker: "w1" };

function started(run: string, more: Partial<Extract<HistoryEvent, { kind: "started" }>> = {}) {
  return { kind: "started", ...k, run, attempt: 1, worker: "w1", ...more } as const;
}

function stopped(run: string): HistoryEvent {
  return { kind: "stopped", run };
}

function claimed(token: string, worker: string, at: number, takeover?: number): HistoryEvent {
  return { kind: "claimed", ...k, token, worker, at, takeover };
}

function committed(token: string): HistoryEvent {
  return { kind: "committed", key: "k", token };
}

const ran = [started("a"), stopped("a")];

function rulesBroken(history: readonly HistoryEvent[], options?: CheckOptions): string[] {
  return check(history, options).findings.map(({ rule }) => rule);
}

test("check() finds nothing in a task that was accepted, ran and completed", () => {
  const { findings, figures } = check([accepted, ...ran, completed]);

  deepEqual(findings, []);
  deepEqual(figures, {
    accepted: 1,
    maybe: 0,
    runs: 1,
    duplicates: 0,
    ended: { completed: 1, failed: 0, cancelled: 0, dead: 0 },
  });
});

test("check() does not mind when it is told late that a task was accepted", () => {
  deepEqual(rulesBroken([...ran, completed, accepted]), []);
});

test("check() finds what was accepted and never ended", () => {
  deepEqual(rulesBroken([accepted]), ["lost"]);
  deepEqual(rulesBroken([accepted, ...ran]), ["lost"]);
  deepEqual(rulesBroken([{ ...accepted, certain: false }]), []);
  deepEqual(rulesBroken([{ ...accepted, certain: false }, ...ran]), ["lost"]);
});

test("check() counts what another followed as ended where only the last end is known", () => {
  const history: HistoryEvent[] = [
    accepted,
    { kind: "accepted", ...k2 },
    { kind: "found", key: "k", ended: { generation: "2", state: "cancelled" } },
  ];

  deepEqual(rulesBroken(history), ["lost"]);
  deepEqual(rulesBroken(history, { ends: "last" }), []);
  deepEqual(rulesBroken(history.slice(0, 2), { ends: "last" }), ["lost"]);
});

test("check() finds what is left when all is over", () => {
  deepEqual(rulesBroken([accepted, { kind: "found", key: "k", live: "1" }]), ["stuck"]);
  deepEqual(
    rulesBroken([
      accepted,
      ...ran,
      completed,
      { kind: "accepted", ...k2 },
      { kind: "found", key: "k", deferred: "2" },
    ]),
    ["stuck"],
  );
  deepEqual(
    rulesBroken([{ ...accepted, chain: true }, { kind: "found", key: "k", live: "9" }, {
      kind: "witnessed",
      ...k,
      state: "cancelled",
    }]),
    [],
  );
});

test("check() finds two ends of one generation", () => {
  deepEqual(rulesBroken([accepted, ...ran, completed, completed]), ["ended twice"]);
  deepEqual(
    rulesBroken([accepted, ...ran, completed, { kind: "witnessed", ...k, state: "failed" }]),
    ["ended twice"],
  );
  deepEqual(
    rulesBroken([accepted, ...ran, completed, { kind: "witnessed", ...k, state: "completed" }]),
    [],
  );
});

test("check() finds what nobody asked for", () => {
  deepEqual(rulesBroken([...ran, completed]), ["unaccepted"]);
  deepEqual(rulesBroken([{ ...accepted, chain: true }, ...ran, completed, started("b", k2)]), [
    "lost",
  ]);
});

test("check() finds what completed without having run", () => {
  deepEqual(rulesBroken([accepted, completed]), ["not run"]);
});

test("check() finds a body that begins after the end, but not that of a worker adrift", () => {
  deepEqual(rulesBroken([accepted, ...ran, completed, started("b", { attempt: 2 })]), [
    "ran after its end",
  ]);
  deepEqual(
    rulesBroken([accepted, adrift, ...ran, completed, started("b", { attempt: 2 })]),
    [],
  );
  deepEqual(
    rulesBroken([accepted, adrift, steady, ...ran, completed, started("b", { attempt: 2 })]),
    ["ran after its end"],
  );
});

test("check() finds bodies of one key that overlap, but where the first has lost its lease", () => {
  const second = started("b", { ...k2, worker: "w2" });
  const rest: HistoryEvent[] = [
    second,
    stopped("a"),
    stopped("b"),
    { kind: "accepted", ...k2 },
    completed,
    { kind: "ended", ...k2, state: "completed" },
  ];

  deepEqual(rulesBroken([accepted, started("a"), ...rest]), ["overlap"]);
  deepEqual(rulesBroken([accepted, started("a"), adrift, steady, ...rest]), []);
  deepEqual(rulesBroken([accepted, started("a"), { kind: "adrift" }, ...rest]), []);
  deepEqual(rulesBroken([accepted, started("a"), { kind: "forsaken", run: "a" }, ...rest]), []);
  deepEqual(rulesBroken([accepted, started("a"), { kind: "died", worker: "w1" }, ...rest]), []);
  deepEqual(rulesBroken([accepted, started("a"), { kind: "died", worker: "w2" }, ...rest]), [
    "overlap",
  ]);
});

test("check() finds more bodies at a gate than it has places", () => {
  const gate = { id: "g", max: 1 };
  const other = { key: "k2", generation: "2" };
  const history = (between: HistoryEvent[]): HistoryEvent[] => [
    accepted,
    { kind: "accepted", ...other },
    started("a", { gate }),
    ...between,
    started("b", { ...other, gate }),
    completed,
    { kind: "ended", ...other, state: "completed" },
  ];

  deepEqual(rulesBroken(history([])), ["over the limit"]);
  deepEqual(rulesBroken(history([stopped("a")])), []);
  deepEqual(rulesBroken(history([adrift, steady])), []);
});

test("check() finds an attempt that began twice without a reason", () => {
  const again = [started("b", { worker: "w2" }), stopped("b"), completed];

  deepEqual(rulesBroken([accepted, ...ran, ...again]), ["run twice"]);
  deepEqual(rulesBroken([accepted, ...ran, { kind: "died", worker: "w1" }, ...again]), []);
  deepEqual(rulesBroken([accepted, ...ran, adrift, steady, ...again]), []);
  deepEqual(rulesBroken([accepted, ...ran, started("b", { attempt: 2 }), completed]), []);
});

test("check() counts what began again, and finds when it was too often", () => {
  const history: HistoryEvent[] = [
    accepted,
    started("a"),
    { kind: "died", worker: "w1" },
    started("b", { worker: "w2" }),
    completed,
  ];

  deepEqual(rulesBroken(history, { duplicates: 1 }), []);
  deepEqual(rulesBroken(history, { duplicates: 0 }), ["too many duplicates"]);
});

test("check() finds a claim over one that counts", () => {
  const end = [committed("t2"), completed, ...ran, accepted];

  deepEqual(rulesBroken([claimed("t1", "w1", 0), claimed("t2", "w2", 5), ...end]).slice(0, 1), [
    "claimed over a claim",
  ]);
  deepEqual(
    rulesBroken([claimed("t1", "w1", 0), claimed("t2", "w2", 5, 10), ...end]).slice(0, 1),
    ["claimed over a claim"],
  );
  deepEqual(
    rulesBroken([
      claimed("t1", "w1", 0),
      { kind: "renewed", key: "k", token: "t1", at: 6 },
      claimed("t2", "w2", 12, 10),
      ...end,
    ]).slice(0, 1),
    ["claimed over a claim"],
  );
  const left: HistoryEvent = { kind: "left", key: "k", token: "t1" };
  const owned = [started("a", { worker: "w2" }), committed("t2"), completed, accepted];
  deepEqual(rulesBroken([claimed("t1", "w1", 0), left, claimed("t2", "w2", 5), ...owned]), []);
  deepEqual(rulesBroken([claimed("t1", "w1", 0), claimed("t2", "w2", 10, 10), ...owned]), []);
});

test("check() does not mind a late body of one whose claim was taken over", () => {
  deepEqual(
    rulesBroken([
      accepted,
      claimed("t1", "w1", 0),
      claimed("t2", "w2", 10, 10),
      started("b", { worker: "w2" }),
      started("a", { worker: "w1" }),
      committed("t2"),
      completed,
      started("c", { worker: "w1" }),
    ]),
    [],
  );
});

test("check() finds what is claimed although it was cancelled", () => {
  const cancelling: HistoryEvent = { kind: "cancelling", ...k };
  const end = [started("b", { worker: "w2" }), committed("t2"), completed, accepted];

  deepEqual(
    rulesBroken([claimed("t1", "w1", 0), cancelling, claimed("t2", "w2", 10, 10), ...end]),
    ["claimed although cancelled"],
  );
});

test("check() finds what is handed out too often, but not what is given back or tried again", () => {
  const claims = [
    claimed("t1", "w1", 0),
    claimed("t2", "w2", 10, 10),
    claimed("t3", "w3", 20, 10),
  ];
  const end = [started("a", { worker: "w3" }), committed("t3"), completed, accepted];

  deepEqual(rulesBroken([...claims, ...end], { maxDeliveries: 3 }), []);
  deepEqual(rulesBroken([...claims, ...end], { maxDeliveries: 2 }), ["handed out too often"]);
  deepEqual(
    rulesBroken([claims[0], committed("t1"), ...claims.slice(1), ...end], { maxDeliveries: 2 }),
    [],
  );
});

test("check() finds a body that was not told that its claim is lost", () => {
  const history = (between: HistoryEvent[]): HistoryEvent[] => [
    accepted,
    claimed("t1", "w1", 0),
    started("a"),
    ...between,
    claimed("t2", "w2", 10, 10),
    started("b", { worker: "w2" }),
    committed("t2"),
    completed,
  ];

  deepEqual(rulesBroken(history([])), ["not told"]);
  deepEqual(rulesBroken(history([{ kind: "forsaken", run: "a" }])), []);
  deepEqual(rulesBroken(history([adrift, steady])), []);
  deepEqual(rulesBroken(history([stopped("a")])), []);
});

test("check() finds a settlement that is not that of the present claim, and one that counts twice", () => {
  const taken = [accepted, claimed("t1", "w1", 0), claimed("t2", "w2", 10, 10), started("a")];

  deepEqual(rulesBroken([...taken, committed("t2"), completed]), []);
  deepEqual(rulesBroken([...taken, committed("t1"), completed]), ["stale commit"]);
  deepEqual(rulesBroken([...taken, committed("t2"), committed("t2"), completed]), [
    "stale commit",
  ]);
});

test("describe() puts a finding on one line", () => {
  deepEqual(check([accepted]).findings.map(describe), ["lost: k (1): it never ended"]);
});

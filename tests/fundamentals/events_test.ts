/**
 * Following an execution: where it stands, then every change without a gap, then the end.
 *
 * @module
 */

import {
  deepStrictEqual as deepEqual,
  ok,
  rejects,
  strictEqual as equal,
} from "node:assert/strict";
import { randomId } from "../../src/base/ids.ts";
import type { Change, Storage } from "../../src/storage/contract.ts";
import {
  type Docket,
  type Execution,
  type ExecutionEvent,
  type ExecutionState,
  Perpetual,
  Retry,
  task,
} from "../../mod.ts";
import {
  aborted,
  altered,
  Freezer,
  onEveryStorage,
  onMemory,
  onOwnRedis,
  type Stage,
} from "../_harness.ts";

/** Short, since a real storage really waits for it. */
const LEASE = 200;

/** Somebody who follows an execution. */
interface Follower {
  /** What it was told, whole. */
  readonly events: ExecutionEvent[];
  /** What it was told, in short. */
  readonly seen: string[];
  /** Its loop. */
  readonly over: Promise<void>;
}

function follow(execution: Execution, options?: { readonly signal: AbortSignal }): Follower {
  const events: ExecutionEvent[] = [];
  const seen: string[] = [];
  const over = (async () => {
    for await (const event of execution.events(options)) {
      events.push(event);
      seen.push(show(event));
    }
  })();
  over.catch(() => {}); // whoever awaits it hears of it
  return { events, seen, over };
}

/** `running #2 by web-1`, `cancelled: struck`, `1/2 half`. */
function show(event: ExecutionEvent): string {
  if (event.kind === "progress") {
    const { current, total, message } = event;
    return [`${current}/${total}`, ...message === undefined ? [] : [message]].join(" ");
  }
  const { state, attempt, worker, reason } = event;
  return state + (attempt > 1 ? ` #${attempt}` : "") + (worker ? ` by ${worker}` : "") +
    (reason ? `: ${reason}` : "");
}

/** Everything that a follower of this execution is told, to the end. */
async function allOf(stage: Stage, execution: Execution): Promise<string[]> {
  const { seen, over } = follow(execution);
  await stage.soon(over);
  return seen;
}

/** What a follower is told first. */
async function firstOf(execution: Execution): Promise<ExecutionEvent> {
  for await (const event of execution.events()) return event;
  throw new Error("it was told nothing");
}

/** A process that can be frozen, as one that crashed or stalled is for all others. */
async function mortal(stage: Stage): Promise<{ docket: Docket; freezer: Freezer }> {
  const freezer = new Freezer();
  stage.afterwards(() => freezer.thaw());
  const docket = await stage.connect({ storage: freezer.around(await stage.open()) });
  return { docket, freezer };
}

/** A gate that is open when the test is over. */
function gateOf(stage: Stage): { readonly open: () => void; readonly passed: Promise<void> } {
  const { resolve, promise } = Promise.withResolvers<void>();
  stage.afterwards(() => resolve());
  return { open: resolve, passed: promise };
}

onEveryStorage("Execution.events()", (test) => {
  test("begins with the present state, whatever it is", async (stage) => {
    const docket = await stage.connect();
    const storage = await stage.open();
    const gate = gateOf(stage);
    async function work(how: string): Promise<void> {
      if (how === "fail") throw new Error("whoops");
      if (how === "hold") await gate.passed;
    }
    const later = { delay: "1h" } as const;
    const schedule = { generation: randomId(), mode: "add", due: undefined } as const;
    await storage.schedule([{ key: "dead", ...schedule, body: "not a message" }]);
    await docket.add(work, { key: "completed" })("end");
    await docket.add(work, { key: "failed" })("fail");
    await stage.finish(docket, { name: "web-1" });
    await docket.add(work, { key: "cancelled", ...later })("end");
    await docket.cancel("cancelled");
    stage.start(docket, { name: "web-2", concurrency: 1 });
    await docket.add(work, { key: "running" })("hold");
    await stage.eventually(async () => (await docket.execution("running"))?.state === "running");
    await docket.add(work, { key: "queued" })("end");
    await docket.add(work, { key: "scheduled", ...later })("end");
    const waiting = await docket.replace(work, { key: "running" })("end");

    const seen: Record<string, string> = {};
    const states = ["scheduled", "queued", "running", "completed", "failed", "cancelled", "dead"];
    for (const state of states) {
      const execution = await docket.execution(state);
      const event = await firstOf(execution!);
      ok(event.at instanceof Date && event.at.getTime() <= stage.clock.now());
      seen[state] = show(event);
    }
    seen.waiting = show(await firstOf(waiting));

    deepEqual(seen, {
      scheduled: "scheduled",
      queued: "queued",
      running: "running by web-2",
      completed: "completed by web-1",
      failed: "failed by web-1",
      cancelled: "cancelled: cancelled",
      dead: "dead by web-1",
      waiting: "waiting",
    });
  });

  test("tells nothing but the end of what has ended, also to whoever did not know", async (stage) => {
    const docket = await stage.connect();
    const observer = await stage.connect();
    function noop(): void {}
    const unaware = await docket.add(noop, { key: "noop" })();
    await stage.finish(docket);
    const aware = await observer.execution("noop");

    const seen = [
      await allOf(stage, unaware),
      await allOf(stage, aware!),
      await allOf(stage, await unaware.refresh()),
    ];

    deepEqual(seen, Array(3).fill(["completed by tester"]));
  });

  test("tells every change, from scheduled to completed", async (stage) => {
    const docket = await stage.connect();
    const count = task("count", ({ progress }): void => {
      progress.update({ current: 1, total: 2, message: "half" });
    });
    const execution = await docket.add(count, { delay: 30 })();
    const follower = follow(execution);
    await stage.eventually(() => follower.seen.length > 0);

    await stage.finish(docket, { name: "web-1" });
    await stage.soon(follower.over);

    deepEqual(follower.seen, [
      "scheduled",
      "queued",
      "running by web-1",
      "1/2 half",
      "completed by web-1",
    ]);
  });

  test("tells when each change was, by the storage's clock", async (stage) => {
    const docket = await stage.connect();
    const gate = gateOf(stage);
    const hold = task("hold", async ({ progress }): Promise<void> => {
      progress.increment();
      await gate.passed;
    });
    const begin = stage.clock.now();
    const execution = await docket.add(hold, { delay: 30 })();
    const { events, over } = follow(execution);
    await stage.eventually(() => events.length > 0);
    stage.start(docket);
    await stage.eventually(() => events.length === 4);
    const late = follow(execution);
    await stage.eventually(() => late.events.length === 2);

    gate.open();
    await stage.soon(Promise.all([over, late.over]));
    await execution.refresh();

    const times = events.map(({ at }) => at.getTime());
    deepEqual(times, times.toSorted((a, b) => a - b));
    ok(times[0] >= begin && times[4] <= stage.clock.now());
    ok(times[1] >= begin + 30, "it was queued before it was due");
    deepEqual([events[2].at, late.events[0].at], [execution.startedAt, execution.startedAt]);
    deepEqual([events[4].at, late.events[2].at], [execution.completedAt, execution.completedAt]);
  });

  // 42: with delay 0 it is queued at once, else scheduled
  test("tells of retries, and which attempt each is", async (stage) => {
    const docket = await stage.connect();
    const flaky = task(
      "flaky",
      { retry: new Retry({ attempts: 3 }) },
      ({ attempt, retry }): void => {
        throw attempt === 2 ? retry.after(20) : new Error("whoops");
      },
    );
    const { seen, over } = follow(await docket.add(flaky)());
    await stage.eventually(() => seen.length > 0);

    await stage.finish(docket);
    await stage.soon(over);

    deepEqual(seen, [
      "queued",
      "running by tester",
      "queued #2",
      "running #2 by tester",
      "scheduled #3",
      "queued #3",
      "running #3 by tester",
      "failed #3 by tester",
    ]);
  });

  test("tells that it runs again, elsewhere, after its worker died", async (stage) => {
    const { docket, freezer } = await mortal(stage);
    const other = await stage.connect();
    const gate = gateOf(stage);
    const work = task("work", async ({ worker, signal }): Promise<void> => {
      if (worker.name === "mortal") await Promise.race([gate.passed, aborted(signal)]);
    });
    other.register(work);
    const { key } = await docket.add(work)();
    const { seen, over } = follow((await other.execution(key))!);
    await stage.eventually(() => seen.length > 0);
    stage.start(docket, { name: "mortal", redeliveryTimeout: LEASE });
    await stage.eventually(() => seen.length === 2);

    freezer.freeze();
    stage.start(other, { name: "other", redeliveryTimeout: LEASE });
    await stage.soon(over);

    deepEqual(seen, ["queued", "running by mortal", "running by other", "completed by other"]);
  });

  test("tells how a deferred replacement waits, and comes to its turn", async (stage) => {
    for (const delay of [0, 150]) {
      const docket = await stage.connect();
      const gate = gateOf(stage);
      const work = task(`work ${delay}`, async (_context, hold: boolean): Promise<void> => {
        if (hold) await gate.passed;
      });
      const first = await docket.add(work, { key: "k" })(true);
      const worker = stage.start(docket);
      await stage.eventually(async () => (await first.refresh()).state === "running");

      const second = follow(await docket.replace(work, { key: "k", delay })(false));
      await stage.eventually(() => second.seen.length > 0);
      const replaced = follow(first);
      gate.open();
      await stage.soon(Promise.all([replaced.over, second.over]));
      await worker.close();

      deepEqual(replaced.seen, ["running by tester", "completed by tester"]);
      deepEqual(second.seen, [
        "waiting",
        ...delay > 0 ? ["scheduled"] : [],
        "queued",
        "running by tester",
        "completed by tester",
      ]);
    }
  });

  test("tells why it was cancelled", async (stage) => {
    const docket = await stage.connect();
    function noop(): void {}
    const hold = task("hold", async ({ signal }): Promise<void> => {
      await aborted(signal);
      throw signal.reason;
    });
    function struck(): void {}
    const later = { delay: "1h" } as const;
    const followers: Record<string, Follower> = {};
    const add = async (what: string, adding: Promise<Execution>) => {
      const follower = followers[what] = follow(await adding);
      await stage.eventually(() => follower.seen.length > 0);
    };

    await add("cancelled", docket.add(noop, { key: "a", ...later })());
    await add("replaced", docket.add(noop, { key: "b", ...later })());
    await add("cleared", docket.add(noop, { key: "c", ...later })());
    await docket.cancel("a");
    await docket.replace(noop, { key: "b", ...later })();
    await docket.clear();
    await add("running", docket.add(hold, { key: "d" })());
    await add("struck", docket.add(struck)());
    await docket.strike({ task: "struck" });
    stage.start(docket, { name: "web-1" });
    await stage.eventually(() => followers.running.seen.length === 2);
    await add("dropped with it", docket.replace(hold, { key: "d" })());
    await docket.cancel("d");
    await stage.soon(Promise.all(Object.values(followers).map(({ over }) => over)));

    deepEqual(
      Object.fromEntries(Object.entries(followers).map(([what, { seen }]) => [what, seen])),
      {
        "cancelled": ["scheduled", "cancelled: cancelled"],
        "replaced": ["scheduled", "cancelled: replaced"],
        "cleared": ["scheduled", "cancelled: cleared"],
        "running": ["queued", "running by web-1", "cancelled by web-1: cancelled"],
        "struck": ["queued", "running by web-1", "cancelled by web-1: struck"],
        "dropped with it": ["waiting", "cancelled: cancelled"],
      },
    );
  });

  test("tells the same end early and late, of what failed, died or was cancelled", async (stage) => {
    const docket = await stage.connect();
    const storage = await stage.open();
    function fail(): void {
      throw new Error("whoops");
    }
    const hold = task("hold", async ({ signal }): Promise<void> => {
      await aborted(signal);
      throw signal.reason;
    });
    const schedule = { generation: randomId(), mode: "add", due: undefined } as const;
    await storage.schedule([{ key: "dead", ...schedule, body: "not a message" }]);
    await docket.add(fail, { key: "failed" })();
    await docket.add(hold, { key: "cancelled" })();
    const keys = ["dead", "failed", "cancelled"];
    const early = await Promise.all(
      keys.map(async (key) => follow((await docket.execution(key))!)),
    );
    await stage.eventually(() => early.every(({ seen }) => seen.length > 0));

    stage.start(docket);
    await stage.eventually(() => early[2].seen.length === 2);
    await docket.cancel("cancelled");
    await stage.soon(Promise.all(early.map(({ over }) => over)));

    for (const [index, key] of keys.entries()) {
      const late = follow((await docket.execution(key))!);
      await stage.soon(late.over);
      equal(early[index].seen.length, 3, key);
      deepEqual(early[index].events.slice(2), late.events, key);
    }
  });

  // The record of one that never ran tells nothing but its state
  test("tells the attempt that was due when it was cancelled, early and late", async (stage) => {
    const docket = await stage.connect();
    const flaky = task("flaky", { retry: new Retry({ attempts: 2, delay: "1h" }) }, (): void => {
      throw new Error("whoops");
    });
    const execution = await docket.add(flaky)();
    const early = follow(execution);
    stage.start(docket);
    await stage.eventually(() => early.seen.at(-1) === "scheduled #2");

    await execution.cancel();
    await stage.soon(early.over);

    equal(early.seen.at(-1), "cancelled #2: cancelled");
    deepEqual(await allOf(stage, execution), ["cancelled #2: cancelled"]);
  });

  test("ends with the generation, and not with the key", async (stage) => {
    const docket = await stage.connect();
    const tick = task("tick", { perpetual: new Perpetual({ every: 40 }) }, (): void => {});
    const first = follow(await docket.add(tick, { key: "tick" })());
    await stage.eventually(() => first.seen.length > 0);
    const worker = stage.worker(docket);
    const running = worker.runAtMost({ tick: 2 });

    await stage.soon(first.over);
    const successor = await docket.execution("tick");
    await stage.soon(running);

    deepEqual(first.seen, ["queued", "running by tester", "completed by tester"]);
    equal(successor?.state === "cancelled", false);
    deepEqual(await allOf(stage, successor!), ["completed by tester"]);
  });

  test("tells the follower of one generation nothing of a later one", async (stage) => {
    const docket = await stage.connect();
    function noop(): void {}
    const first = follow(await docket.add(noop, { key: "k", delay: "1h" })());
    await stage.eventually(() => first.seen.length > 0);

    const second = follow(await docket.replace(noop, { key: "k" })());
    await stage.finish(docket);
    await stage.soon(Promise.all([first.over, second.over]));

    deepEqual(first.seen, ["scheduled", "cancelled: replaced"]);
    deepEqual(second.seen.slice(-2), ["running by tester", "completed by tester"]);
  });

  // 64: whenever somebody comes, the present state and then everything after it
  test("has no gap, whenever somebody attaches", async (stage) => {
    const docket = await stage.connect();
    const dockets = [docket, await stage.connect()];
    const gates = Array.from({ length: 4 }, () => gateOf(stage));
    const flaky = task(
      "flaky",
      { retry: new Retry({ attempts: 2, delay: 60 }) },
      async ({ attempt, progress }): Promise<void> => {
        await gates[attempt * 2 - 2].passed;
        progress.increment();
        await gates[attempt * 2 - 1].passed;
        if (attempt === 1) throw new Error("whoops");
      },
    );
    const whole = [
      "scheduled",
      "queued",
      "running by tester",
      "1/1",
      "scheduled #2",
      "queued #2",
      "running #2 by tester",
      "1/1",
      "completed #2 by tester",
    ];
    const execution = await docket.add(flaky, { key: "k", delay: 60 })();
    const first = follow(execution);
    const followers = [first];
    const attach = async () => {
      for (const each of dockets) followers.push(follow((await each.execution("k"))!));
    };

    await stage.eventually(() => first.seen.length > 0);
    await attach();
    stage.start(docket);
    for (let told = 2; told < whole.length; told++) {
      await attach(); // some change may be just under way
      await stage.eventually(() => first.seen.length >= told);
      await attach();
      const gate = { 3: 0, 4: 1, 7: 2, 8: 3 }[told];
      if (gate !== undefined) gates[gate].open();
      await attach();
    }
    await stage.soon(Promise.all(followers.map(({ over }) => over)));
    await attach();
    await stage.soon(Promise.all(followers.map(({ over }) => over)));

    deepEqual(first.seen, whole);
    for (const { seen } of followers) {
      deepEqual(seen.filter(isState), whole.filter(isState).slice(-seen.filter(isState).length));
    }
  });

  // 65: many can follow one execution, from many processes
  test("tells all who follow the same", async (stage) => {
    const docket = await stage.connect();
    const others = await Promise.all([stage.connect(), stage.connect()]);
    const gate = gateOf(stage);
    const hold = task("hold", async ({ progress }): Promise<void> => {
      progress.update({ message: "holding" });
      await gate.passed;
    });
    const execution = await docket.add(hold, { key: "k", delay: 50 })();
    const handles = await Promise.all([docket, ...others].map((each) => each.execution("k")));
    const followers = [
      ...handles.flatMap((handle) => Array.from({ length: 6 }, () => follow(handle!))),
      follow(execution),
      follow(execution),
    ];
    await stage.eventually(() => followers.every(({ seen }) => seen.length > 0));

    stage.start(docket);
    await stage.eventually(() => followers.every(({ seen }) => seen.length === 4));
    gate.open();
    await stage.soon(Promise.all(followers.map(({ over }) => over)));

    equal(followers.length, 20);
    const [{ events, seen }, ...rest] = followers;
    deepEqual(seen, [
      "scheduled",
      "queued",
      "running by tester",
      "0/1 holding",
      "completed by tester",
    ]);
    for (const other of rest) deepEqual(other.events.slice(1), events.slice(1));
  });

  test("goes on for the others when one leaves", async (stage) => {
    const docket = await stage.connect();
    function noop(): void {}
    const execution = await docket.add(noop, { delay: 40 })();
    const staying = follow(execution);
    await stage.eventually(() => staying.seen.length > 0);

    await firstOf(execution);
    await firstOf(execution);
    await stage.finish(docket);
    await stage.soon(staying.over);

    deepEqual(staying.seen, ["scheduled", "queued", "running by tester", "completed by tester"]);
  });

  test("ends quietly when its signal aborts", async (stage) => {
    const docket = await stage.connect();
    function noop(): void {}
    const execution = await docket.add(noop, { delay: "1h" })();
    const stop = new AbortController();
    const { seen, over } = follow(execution, { signal: stop.signal });
    await stage.eventually(() => seen.length > 0);

    stop.abort(new Error("enough"));
    await stage.soon(over);
    const late = follow(execution, { signal: stop.signal });
    await stage.soon(late.over);

    deepEqual(seen, ["scheduled"]);
    deepEqual(late.seen, []);
  });

  test("ends when its signal aborts, although there is more to tell", async (stage) => {
    const docket = await stage.connect();
    function noop(): void {}
    const execution = await docket.add(noop, { delay: 20 })();
    const stop = new AbortController();
    const seen: string[] = [];
    const busy = gateOf(stage);
    const reading = (async () => {
      for await (const event of execution.events({ signal: stop.signal })) {
        seen.push(show(event));
        if (seen.length === 1) await busy.passed; // meanwhile the task runs to its end
        if (seen.length === 2) stop.abort();
      }
    })();
    await stage.eventually(() => seen.length === 1);

    await stage.finish(docket);
    await stage.soon(execution.result());
    busy.open();
    await stage.soon(reading);

    deepEqual(seen, ["scheduled", "queued"]);
  });

  test("rejects when its docket is closed, before or meanwhile", async (stage) => {
    const docket = await stage.connect();
    function noop(): void {}
    const execution = await docket.add(noop, { delay: "1h" })();
    const { seen, over } = follow(execution);
    await stage.eventually(() => seen.length > 0);

    await docket.close();

    await rejects(stage.soon(over), { code: "CONNECTION" });
    await rejects(stage.soon(follow(execution).over), { code: "CONNECTION" });
    deepEqual(seen, ["scheduled"]);
  });

  // 64: a missing record rejects with "expired"
  test("rejects when the record is gone", async (stage) => {
    const docket = await stage.connect({ executionTtl: 20 });
    function noop(): void {}
    const execution = await docket.add(noop, { key: "k" })();
    await stage.finish(docket);
    await stage.eventually(async () => await docket.execution("k") === undefined);

    const { seen, over } = follow(execution);

    await rejects(stage.soon(over), { code: "EXECUTION_EXPIRED", key: "k" });
    deepEqual(seen, []);
  });

  test("rejects when a later task of the key has overwritten the record", async (stage) => {
    const docket = await stage.connect();
    function noop(): void {}
    const first = await docket.add(noop, { key: "k" })();
    await stage.finish(docket);
    const second = await docket.add(noop, { key: "k" })();
    await stage.finish(docket);

    await rejects(stage.soon(follow(first).over), { code: "EXECUTION_EXPIRED", key: "k" });
    deepEqual(await allOf(stage, second), ["completed by tester"]);
  });

  test("tells whoever scheduled what is struck that it is", async (stage) => {
    const docket = await stage.connect();
    function noop(): void {}
    await docket.strike({ task: "noop" });

    const execution = await docket.add(noop)();

    deepEqual(await allOf(stage, execution), ["cancelled: struck"]);
  });

  // 68: what nobody wants a record of still ends, for those who follow
  test("ends although no record is kept", async (stage) => {
    const docket = await stage.connect({ executionTtl: 0 });
    function noop(): void {}
    const { seen, over } = follow(await docket.add(noop, { delay: 10 })());
    await stage.eventually(() => seen.length > 0);

    await stage.finish(docket);
    await stage.soon(over);

    deepEqual(seen, ["scheduled", "queued", "running by tester", "completed by tester"]);
  });

  // 66
  test("follows keys of any kind, each by itself", async (stage) => {
    const docket = await stage.connect();
    const keys = [
      "",
      "*",
      "a|b",
      "|",
      ":",
      "1:2",
      "{x}",
      "}",
      "\n",
      "\0",
      "'\"",
      "@watch",
      "%",
      "é",
    ];
    keys.push("__proto__", "🎈", "x".repeat(1_024), "👩‍👩‍👧‍👦".repeat(40));
    const note = task("note", ({ progress }, index: number): void => {
      progress.update({ current: index, total: 100, message: `|:${index}\n"é🎈` });
    });
    const followers: Follower[] = [];
    for (const [index, key] of keys.entries()) {
      followers.push(follow(await docket.add(note, { key, delay: 20 })(index)));
    }
    await stage.eventually(() => followers.every(({ seen }) => seen.length > 0));

    await stage.finish(docket);
    await stage.soon(Promise.all(followers.map(({ over }) => over)));

    for (const [index, { seen }] of followers.entries()) {
      deepEqual(seen.slice(-3), [
        "running by tester",
        `${index}/100 |:${index}\n"é🎈`,
        "completed by tester",
      ], keys[index]);
    }
  });

  // Names are text of any kind, too
  test("tells the worker by its name, whatever that is", async (stage) => {
    const docket = await stage.connect();
    function noop(): void {}
    const names = ["host#1", "a b", "%7C,%", "ü:1:🎈"];

    for (const name of names) {
      const execution = await docket.add(noop)();
      const { seen, over } = follow(execution);
      await stage.eventually(() => seen.length > 0);
      await stage.finish(docket, { name });
      await stage.soon(over);

      deepEqual(seen, ["queued", `running by ${name}`, `completed by ${name}`]);
      deepEqual(await allOf(stage, execution), [`completed by ${name}`]);
    }
  });

  test("may be asked for by the task itself", async (stage) => {
    const docket = await stage.connect();
    const look = task("look", async ({ execution, progress }): Promise<string[]> => {
      progress.update({ current: 1, total: 3 });
      const seen: string[] = [];
      for await (const event of execution.events()) {
        seen.push(show(event));
        if (seen.length === 2) return seen;
      }
      return seen;
    });
    const execution = await docket.add(look)();

    await stage.finish(docket);

    deepEqual(await execution.result(), ["running by tester", "1/3"]);
  });

  // Whoever reads slowly is told the latest
  test("does not pile up progress for a reader that is busy", async (stage) => {
    const docket = await stage.connect();
    const storage = await stage.open();
    const gate = gateOf(stage);
    const hold = task("hold", (): Promise<void> => gate.passed);
    const execution = await docket.add(hold, { key: "k" })();
    stage.start(docket);
    await stage.eventually(async () => (await execution.refresh()).state === "running");
    const busy = gateOf(stage);
    const seen: string[] = [];
    const reading = (async () => {
      for await (const event of execution.events()) {
        seen.push(show(event));
        if (seen.length === 1) await busy.passed;
      }
    })();
    await stage.eventually(() => seen.length === 1);
    const quick = follow(execution);
    await stage.eventually(() => quick.seen.length === 1);

    const token = execution.fence!;
    for (let from = 1; from <= 10_000; from += 100) {
      await storage.report(Array.from({ length: 100 }, (_, n) => ({
        key: "k",
        token,
        progress: { current: from + n, total: 10_000 },
      })));
    }
    await stage.eventually(() => quick.seen.at(-1) === "10000/10000");
    busy.open();
    gate.open();
    await stage.soon(Promise.all([reading, quick.over]));

    ok(seen.length <= 4, `it was told ${seen.length} things`);
    deepEqual(seen.slice(-2), ["10000/10000", "completed by tester"]);
    equal(seen[0], "running by tester");
  });

  test("may be read by hand", async (stage) => {
    const docket = await stage.connect();
    function noop(): void {}
    const execution = await docket.add(noop, { delay: 20 })();
    const events = execution.events();
    const first = await events.next();

    const asked = Promise.all([events.next(), events.next(), events.next(), events.next()]);
    await stage.finish(docket);
    const rest = await stage.soon(asked);

    equal(first.value?.kind === "state" && first.value.state, "scheduled");
    deepEqual(rest.map(({ done }) => done), [false, false, false, true]);
    deepEqual(await events.next(), { done: true, value: undefined });
  });

  // 65: as a stream does whose reader has gone
  test("ends at once when it is left while it waits for the next change", async (stage) => {
    const docket = await stage.connect();
    function noop(): void {}
    const execution = await docket.add(noop, { delay: "1h" })();
    const stop = new AbortController();
    stage.afterwards(() => stop.abort());
    const events = execution.events({ signal: stop.signal });
    await events.next();
    const pending = events.next();
    let left = false;

    void events.return!().then(() => left = true);

    await stage.advance(20);
    equal(left, true);
    deepEqual(await pending, { done: true, value: undefined });
  });
});

/** How far along its life a task is: nothing that is told of one attempt may go back. */
const ORDER: Readonly<Record<ExecutionState, number>> = {
  waiting: 0,
  scheduled: 1,
  queued: 2,
  running: 3,
  completed: 4,
  failed: 4,
  cancelled: 4,
  dead: 4,
};

function isState(text: string): boolean {
  return !text.includes("/");
}

/** A storage that tells what changed in a way of its own. */
function telling(
  storage: Storage,
  tell: (change: Change, deliver: (change: Change) => void) => void,
): Storage {
  return altered(storage, {
    watch: (deliver, options) => storage.watch((change) => tell(change, deliver), options),
  });
}

onMemory("Execution.events()", (test) => {
  // 65, 77: afterwards nobody waits, nobody listens and no timer runs
  test("leaves nothing behind, however the loop is left", async (stage) => {
    const storage = await stage.open();
    const listening: AbortSignal[] = [];
    const counted = altered(storage, {
      watch(change, options) {
        listening.push(options.signal);
        return storage.watch(change, options);
      },
    });
    const docket = await stage.connect({ storage: counted });
    function noop(): void {}
    const execution = await docket.add(noop, { delay: "1h" })();
    const leave = {
      break: async () => {
        for await (const _event of execution.events()) break;
      },
      throw: async () => {
        for await (const _event of execution.events()) throw new Error("enough");
      },
      return: async () => {
        const events = execution.events();
        await events.next();
        deepEqual(await events.return!(), { done: true, value: undefined });
        deepEqual(await events.next(), { done: true, value: undefined });
      },
      "throw()": async () => {
        const events = execution.events();
        await events.next();
        await events.throw!(new Error("enough"));
      },
      "a signal": async () => {
        const stop = new AbortController();
        for await (const _event of execution.events({ signal: stop.signal })) stop.abort();
      },
      "a loop that never began": () => {
        execution.events();
        return Promise.resolve();
      },
    };

    for (const [how, leaving] of Object.entries(leave)) {
      listening.length = 0;
      await stage.soon(leaving().catch(({ message }) => equal(message, "enough")));
      await stage.advance(10_000);

      equal(listening.length, how === "a loop that never began" ? 0 : 1, how);
      deepEqual(listening.filter((signal) => !signal.aborted), [], how);
      equal(stage.clock.pending, 0, how);
    }
  });

  test("listens once, however many follow", async (stage) => {
    const storage = await stage.open();
    let watches = 0;
    const counted = altered(storage, {
      watch(change, options) {
        watches++;
        return storage.watch(change, options);
      },
    });
    const docket = await stage.connect({ storage: counted });
    function noop(): void {}
    const executions = await Promise.all([1, 2, 3].map((n) => docket.add(noop, { delay: n })()));
    const followers = executions.flatMap((each) => [follow(each), follow(each)]);
    const results = Promise.all(executions.map((each) => each.result()));

    await stage.finish(docket);
    await stage.soon(Promise.all([results, ...followers.map(({ over }) => over)]));

    equal(watches, 1);
  });

  // 64: without being told, it still finds out
  test("finds the end by itself when no news arrive", async (stage) => {
    const deaf: Record<string, Storage["watch"]> = {
      "nothing is told": () => Promise.resolve(),
      "listening fails": () => Promise.reject(new Error("no subscriptions")),
      "listening never begins": () => new Promise(() => {}),
    };
    for (const [how, watch] of Object.entries(deaf)) {
      const docket = await stage.connect({ storage: altered(await stage.open(), { watch }) });
      const worker = await stage.connect();
      const gate = gateOf(stage);
      const hold = task("hold", (): Promise<void> => gate.passed);
      const execution = await docket.add(hold)();
      const { seen, over } = follow(execution);
      const result = execution.result({ timeout: "1m" });
      result.catch(() => {}); // awaited below
      await stage.advance(5_000);
      worker.register(hold);
      const running = stage.start(worker);
      await stage.advance(5_000);
      gate.open();
      await stage.advance(5_000);
      await running.close();

      deepEqual(seen, ["queued", "running by tester", "completed by tester"], how);
      await over;
      equal(await result, undefined, how);
      await docket.close();
    }
  });

  // 64: subscribe first, then look; the look stands at one place among the changes
  test("has no gap and tells nothing twice, however slow the storage is", async (stage) => {
    const whole = ["scheduled", "queued", "running by tester", "1/2", "2/2", "completed by tester"];
    for (const before of [0, 15, 45, 200]) {
      for (const after of [0, 30, 300]) {
        const storage = await stage.open();
        const load = storage.load.bind(storage);
        const docket = await stage.connect({
          storage: altered(storage, {
            async load(keys, options) {
              await stage.sleep(before);
              const found = await load(keys, options);
              await stage.sleep(after);
              return found;
            },
          }),
        });
        const count = task("count", async ({ progress }): Promise<void> => {
          progress.update({ current: 1, total: 2 });
          await stage.sleep(30);
          progress.increment();
          await stage.sleep(100); // until it was told
        });
        const worker = stage.start(await stage.connect({ tasks: count }));
        const { seen, over } = follow(await docket.add(count, { delay: 30 })());

        await stage.advance(2_000);
        await worker.close();

        await over;
        const where = `${before} before, ${after} after: ${seen}`;
        const states = whole.filter(isState);
        const told = seen.filter(isState);
        deepEqual(told, states.slice(-told.length), where);
        equal(new Set(seen).size, seen.length, where);
        if (before < 100) equal(seen.at(-2), "2/2", where);
        if (before === 0) equal(seen[0], "scheduled", where);
        await docket.close();
      }
    }
  });

  // 64
  test("goes on from what there is when news get lost", async (stage) => {
    for (let seed = 0; seed < 8; seed++) {
      let told = 0;
      const storage = telling(await stage.open(), (change, deliver) => {
        if (change.kind === "mark" || ((seed >> (told++ % 3)) & 1) === 1) deliver(change);
      });
      const docket = await stage.connect({ storage });
      const slow = task(
        "slow",
        { retry: new Retry({ attempts: 3, delay: "5s" }) },
        async ({ attempt }): Promise<void> => {
          await stage.sleep(5_000);
          if (attempt < 3) throw new Error("whoops");
        },
      );
      docket.register(slow);
      const { seen, over } = follow(await docket.add(slow, { delay: "5s" })());
      const worker = stage.start(docket);

      await stage.advance(60_000);
      await worker.close();

      await over;
      deepEqual(seen.filter((text) => !text.startsWith("queued")), [
        "scheduled",
        "running by tester",
        "scheduled #2",
        "running #2 by tester",
        "scheduled #3",
        "running #3 by tester",
        "completed #3 by tester",
      ]);
      await docket.close();
    }
  });

  test("finds progress by itself when no news arrive", async (stage) => {
    const deaf = altered(await stage.open(), { watch: () => Promise.resolve() });
    const docket = await stage.connect({ storage: deaf });
    const gate = gateOf(stage);
    const count = task("count", async ({ progress }): Promise<void> => {
      await stage.sleep(10_000);
      progress.update({ current: 1, total: 2 });
      await gate.passed;
    });
    const { seen, over } = follow(await docket.add(count)());
    stage.start(docket);

    await stage.advance(20_000);
    gate.open();
    await stage.advance(5_000);

    await over;
    deepEqual(seen, ["queued", "running by tester", "1/2", "completed by tester"]);
  });

  test("does not go back when news come twice, or a little late", async (stage) => {
    const ways: Record<string, Parameters<typeof telling>[1]> = {
      twice(change, deliver) {
        deliver(change);
        deliver(change);
      },
      "a little late": (change, deliver) => void stage.clock.timer(300, () => deliver(change)),
    };
    for (const [way, tell] of Object.entries(ways)) {
      const { events, seen } = await followSlowly(stage, tell);

      const orders = events.map((event) => event.kind === "state" ? ORDER[event.state] : -1);
      deepEqual(orders, orders.toSorted((a, b) => a - b), `${way}: ${seen}`);
      deepEqual(
        new Set(seen),
        new Set(["scheduled", "queued", "running by tester", "completed by tester"]),
      );
      equal(seen.indexOf("completed by tester"), seen.length - 1, way);
    }
  });

  // Nothing comes after an end, and a late message takes nothing back
  test("does not go back from an end when news come very late", async (stage) => {
    const ways: Record<string, Parameters<typeof telling>[1]> = {
      "very late": (change, deliver) => void stage.clock.timer(3_000, () => deliver(change)),
      "now, and late again"(change, deliver) {
        deliver(change);
        stage.clock.timer(3_000, () => deliver(change));
      },
      "the other way round"(change, deliver) {
        if (change.kind === "mark") return deliver(change);
        const delay = change.kind === "state" ? 4_000 - 1_000 * ORDER[change.state] : 0;
        stage.clock.timer(delay, () => deliver(change));
      },
    };
    for (const [way, tell] of Object.entries(ways)) {
      const { seen } = await followSlowly(stage, tell);

      equal(seen.indexOf("completed by tester"), seen.length - 1, `${way}: ${seen}`);
    }
  });
});

/** Follows a task that takes its time, with news that come in a way of their own. */
async function followSlowly(
  stage: Stage,
  tell: Parameters<typeof telling>[1],
): Promise<Follower> {
  const docket = await stage.connect({ storage: telling(await stage.open(), tell) });
  const slow = task("slow", (): Promise<void> => stage.sleep(1_000));
  const follower = follow(await docket.add(slow, { delay: 1_000 })());
  const worker = stage.start(docket);

  await stage.advance(20_000);
  await worker.close();
  await stage.advance(10_000); // the last of the late ones
  await follower.over;
  await docket.close();
  return follower;
}

onOwnRedis("Execution.events()", (test) => {
  // 64, 70: the news are cut off again and again
  test("tells the end although the subscription breaks", async (stage) => {
    const docket = await stage.connect();
    const worker = await stage.connect();
    const flaky = task(
      "flaky",
      { retry: new Retry({ attempts: 5, delay: 40 }) },
      async ({ attempt }): Promise<number> => {
        await stage.sleep(40);
        if (attempt < 5) throw new Error("whoops");
        return attempt;
      },
    );
    worker.register(flaky);
    stage.start(worker);
    const executions = await Promise.all(
      Array.from({ length: 20 }, () => docket.add<typeof flaky>("flaky")()),
    );
    const followers = executions.map((execution) => follow(execution));
    const results = Promise.all(executions.map((execution) => execution.result()));
    let breaking = true;
    const cutting = (async () => {
      for (let n = 0; n < 10 && breaking; n++) {
        await stage.admin.call("CLIENT", "KILL", "TYPE", "pubsub");
        await stage.sleep(35);
      }
    })();

    deepEqual(await stage.soon(results), Array(20).fill(5));
    await stage.soon(Promise.all(followers.map(({ over }) => over)));
    breaking = false;
    await cutting;

    for (const { seen } of followers) {
      equal(seen.indexOf("completed #5 by tester"), seen.length - 1, seen.join(", "));
    }
  });
});

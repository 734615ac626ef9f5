/**
 * Limits, on a docket: invariants 54, 59 to 63.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, ok, strictEqual as equal, throws } from "node:assert/strict";
import {
  ConcurrencyLimit,
  Cooldown,
  Debounce,
  Dependency,
  type Execution,
  type Gate,
  Params,
  Perpetual,
  RateLimit,
  Retry,
  task,
  Timeout,
} from "../../mod.ts";
import { aborted, failureOf, onEveryStorage, onMemory, type Stage } from "../_harness.ts";
import { captureLogs } from "../_logs.ts";

captureLogs(); // failures are logged

/** Counts who is inside, by whatever it is asked to. */
class Room {
  most = 0;
  readonly order: string[] = [];
  readonly #inside = new Map<string, number>();

  async visit(stage: Stage, by: string, name: string): Promise<void> {
    const inside = (this.#inside.get(by) ?? 0) + 1;
    this.#inside.set(by, inside);
    this.most = Math.max(this.most, inside);
    this.order.push(name);
    await stage.sleep(5);
    this.#inside.set(by, this.#inside.get(by)! - 1);
  }
}

onEveryStorage("ConcurrencyLimit", (test) => {
  test("lets so many run at once over all workers, and the rest in order", async (stage) => {
    const room = new Room();
    const work = task(
      "work",
      { limit: new ConcurrencyLimit({ max: 2 }) },
      (_context, name: string): Promise<void> => room.visit(stage, "", name),
    );
    const docket = await stage.connect({ tasks: [work] });
    const other = await stage.connect({ tasks: [work] });
    for (const one of [docket, other]) stage.start(one, { concurrency: 5 });
    const names = Array.from({ length: 12 }, (_, i) => `${i}`);

    const executions = await docket.addAll(names.map((name) => docket.call(work)(name)));
    await Promise.all(executions.map((one) => stage.soon(one.result())));

    equal(room.most, 2);
    deepEqual(room.order.toSorted((a, b) => +a - +b), names);
  });

  test("keeps values of an argument apart, and runs those of one in the order they came", async (stage) => {
    const room = new Room();
    const charge = task(
      "charge",
      { one: new ConcurrencyLimit({ max: 1, by: (customer: string) => customer }) },
      (_context, customer: string, n: number): Promise<void> =>
        room.visit(stage, customer, `${customer}${n}`),
    );
    const docket = await stage.connect();
    for (let n = 0; n < 4; n++) {
      for (const customer of ["a", "b"]) await docket.add(charge)(customer, n);
    }

    await stage.finish(docket);

    equal(room.most, 1);
    for (const customer of ["a", "b"]) {
      const order = room.order.filter((name) => name.startsWith(customer));
      deepEqual(order, [0, 1, 2, 3].map((n) => `${customer}${n}`));
    }
    ok(room.order[0] === "a0" && room.order[1] === "b0", `${room.order}`); // side by side
  });

  test("takes no worker's room for those who wait, and shows them as waiting", async (stage) => {
    const limit = new ConcurrencyLimit({ max: 1 });
    const hold = task(
      "hold",
      { limit },
      async ({ signal }): Promise<void> => await aborted(signal),
    );
    const docket = await stage.connect();
    const executions: Execution[] = [];
    for (const key of ["a", "b", "c"]) executions.push(await docket.add(hold, { key })());
    stage.start(docket, { concurrency: 2 });
    await stage.eventually(async () => (await docket.snapshot()).counts.waiting === 2);

    const free = await docket.add(task("free", () => "ran"))();
    equal(await stage.soon(free.result()), "ran");

    const { waiting, counts } = await docket.snapshot();
    deepEqual(waiting.map(({ key, state }) => [key, state]), [["b", "waiting"], ["c", "waiting"]]);
    deepEqual([counts.queued, counts.running], [0, 1]);
    equal(await docket.cancel("b"), "cancelled");
    equal((await docket.add(hold, { key: "c" })()).disposition, "exists");
    equal(await docket.cancel("a"), "requested");
    await stage.eventually(async () => (await executions[2].refresh()).state === "running");
    await docket.cancel("c");
    // It returns all the same (invariant 53), unless it was cancelled before it began.
    await stage.eventually(async () =>
      ["completed", "cancelled"].includes((await executions[2].refresh()).state)
    );
  });

  test("is left by whatever ends: failures, timeouts, retries and cancels", async (stage) => {
    const seen: string[] = [];
    const limit = new ConcurrencyLimit({ max: 1, scope: "shared" });
    const fails = task(
      "fails",
      { limit, retry: new Retry({ attempts: 2 }) },
      ({ attempt }): never => {
        seen.push(`fails ${attempt}`);
        throw new Error("no");
      },
    );
    const hangs = task("hangs", { limit, timeout: new Timeout("20ms") }, async ({ signal }) => {
      seen.push("hangs");
      await aborted(signal);
      signal.throwIfAborted();
    });
    const last = task("last", { limit }, (): void => void seen.push("last"));
    const docket = await stage.connect();
    for (const work of [fails, hangs, last]) await docket.add(work as typeof last)();

    await stage.finish(docket);

    deepEqual(seen.toSorted(), ["fails 1", "fails 2", "hangs", "last"]);
  });

  test("goes together with Perpetual and Retry, and with a worker's own dependencies", async (stage) => {
    let runs = 0;
    const tick = task(
      "tick",
      { perpetual: new Perpetual({ every: "5ms" }), limit: new ConcurrencyLimit({ max: 1 }) },
      (): void => void runs++,
    );
    const docket = await stage.connect({ tasks: [tick] });
    await docket.add(tick, { key: "tick" })();
    const worker = stage.worker(docket, {
      dependencies: { rate: new RateLimit({ max: 1_000, per: "1s" }) },
    });

    await stage.soon(worker.runAtMost({ tick: 3 }));

    equal(runs, 3);
  });

  test("fails a run clearly whose argument is missing", async (stage) => {
    let runs = 0;
    const work = task(
      "work",
      { limit: new ConcurrencyLimit({ max: 1, by: (_name: string, id?: number) => id }) },
      (_context, _name: string, _id?: number): void => void runs++,
    );
    const docket = await stage.connect();
    const missing = await docket.add(work)("a");
    const sound = await docket.add(work)("a", 1);

    await stage.finish(docket);

    ok(/"by" gave undefined; is an argument missing\?/.test((await failureOf(missing)).message));
    await sound.result();
    equal(runs, 1);
  });
});

/** What a policy of one's own might give. */
class Own extends Dependency<void> {
  readonly #gate: unknown;

  constructor(gate: unknown) {
    super();
    this.#gate = gate;
  }

  override open(): void {}

  override gate(): Gate {
    return this.#gate as Gate;
  }
}

onEveryStorage("Gates", (test) => {
  test("of a policy of one's own that cannot be entered fail its runs, and no others", async (stage) => {
    const wrong: readonly unknown[] = [
      undefined,
      { kind: "toString", id: "a" },
      { kind: "cooldown", id: 1, period: 1 },
      { kind: "concurrency", id: "a", max: NaN },
      { kind: "rate", id: "a", max: 1, per: 0.5, excess: "wait" },
      { kind: "cooldown", id: "a", period: -1 },
      { kind: "debounce", id: "a", quiet: "1s" },
    ];
    const docket = await stage.connect();
    const executions: Execution[] = [];
    for (const [i, gate] of wrong.entries()) {
      executions.push(await docket.add(task(`wrong${i}`, { own: new Own(gate) }, () => {}))());
    }
    const own = new Own({ kind: "concurrency", id: "a", max: 1 });
    const sound = await docket.add(task("sound", { own }, () => "ran"))();

    await stage.finish(docket);

    equal(await sound.result(), "ran");
    for (const execution of executions) await failureOf(execution); // invariant 36
  });
});

onEveryStorage("ConcurrencyLimit", (test) => {
  // 59, 60: nobody tells of the place but who was to have it
  test("wakes the next when who was woken is struck before it begins", async (stage) => {
    const release = Promise.withResolvers<void>();
    stage.afterwards(() => release.resolve());
    const began: string[] = [];
    const work = task(
      "work",
      { limit: new ConcurrencyLimit({ max: 1 }), params: new Params("name") },
      async (_context, name: string): Promise<void> => {
        began.push(name);
        if (name === "first") await release.promise;
      },
    );
    const docket = await stage.connect();
    stage.start(docket, { redeliveryTimeout: "1h" });
    await docket.add(work)("first");
    await stage.eventually(() => began.length === 1);
    const others = await docket.addAll(["second", "third"].map((name) => docket.call(work)(name)));
    await stage.eventually(async () => (await docket.snapshot()).counts.waiting === 2);
    await docket.strike({ task: work, parameter: "name", value: "second" });

    release.resolve();

    await stage.soon(others[1].result());
    equal((await others[0].refresh()).reason, "struck");
    deepEqual(began, ["first", "third"]);
  });
});

onMemory("Gates", (test) => {
  // 61: counted when they begin, not when they were to
  test("RateLimit counts runs from when they begin, also those that begin late", async (stage) => {
    const began: number[] = [];
    const policies = {
      rate: new RateLimit({ max: 1, per: "200ms" }),
      alone: new ConcurrencyLimit({ max: 1 }),
    };
    const call = task("call", policies, async (_context, takes: number): Promise<void> => {
      began.push(stage.clock.monotonic());
      await stage.sleep(takes);
    });
    const docket = await stage.connect();
    const executions = [];
    for (const takes of [390, 0, 0, 0]) executions.push(await docket.add(call)(takes));
    stage.start(docket);
    await stage.soon(Promise.all(executions.map((execution) => execution.result())));

    const gaps = began.slice(1).map((at, i) => at - began[i]);
    ok(gaps.every((gap) => gap >= 200), `${gaps}`);
  });

  test("ConcurrencyLimit whose gate cannot be told ends a run, not its chain", async (stage) => {
    let runs = 0;
    const heard: unknown[] = [];
    const by = (): string => {
      if (++runs === 1) throw new Error("no such customer");
      return "a";
    };
    const tick = task(
      "tick",
      { perpetual: new Perpetual({ every: "1s" }), limit: new ConcurrencyLimit({ max: 1, by }) },
      (): void => {},
    );
    const docket = await stage.connect({ tasks: [tick] });
    await docket.add(tick, { key: "tick", ttl: "1h" })();
    const worker = stage.worker(docket, {
      onError: (error, { args }) => void heard.push([(error as Error).message, args]),
    });

    await stage.soon(worker.runAtMost({ tick: 2 })); // invariant 47

    equal(runs, 2);
    deepEqual(heard, [["no such customer", []]]);
  });

  test("RateLimit puts off what is too much, evenly by windows, and counts retries", async (stage) => {
    const start = stage.clock.now();
    const seconds: number[] = [];
    const call = task(
      "call",
      {
        rate: new RateLimit({ max: 2, per: "1s", by: (api: string) => api }),
        retry: new Retry({ attempts: 2 }),
      },
      ({ attempt }, api: string, fails = false): void => {
        if (api === "a") seconds.push((stage.clock.now() - start) / 1_000);
        if (fails && attempt === 1) throw new Error("busy");
      },
    );
    const docket = await stage.connect();
    await docket.add(call)("a", true);
    for (let i = 0; i < 3; i++) await docket.add(call)("a");
    await docket.add(call)("b");

    await stage.finish(docket);

    deepEqual(seconds.map(Math.round), [0, 0, 1, 1, 2]);
  });

  test("RateLimit drops what is too much, where it is told to", async (stage) => {
    let runs = 0;
    const rate = new RateLimit({ max: 1, per: "1h", excess: "drop" });
    const call = task("call", { rate }, (): void => void runs++);
    const docket = await stage.connect();
    const executions = [await docket.add(call)(), await docket.add(call)()];

    await stage.finish(docket);

    equal(runs, 1);
    deepEqual([(await executions[1].refresh()).state, executions[1].reason], [
      "cancelled",
      "dropped",
    ]);
  });

  test("RateLimit remembers for as long as its window is", async (stage) => {
    let runs = 0;
    const rate = new RateLimit({ max: 1, per: "7d", excess: "drop" });
    const call = task("call", { rate }, (): void => void runs++);
    const docket = await stage.connect({ heartbeatInterval: "1h" });
    for (let day = 0; day < 3; day++) {
      await docket.add(call)();
      await stage.finish(docket, { redeliveryTimeout: "1h" });
      await stage.advance(25 * 3_600_000);
    }

    equal(runs, 1);
  });

  test("Cooldown runs the first, and its retry, and drops the rest", async (stage) => {
    const seen: string[] = [];
    const refresh = task(
      "refresh",
      { cooldown: new Cooldown({ period: "1m" }), retry: new Retry({ attempts: 2, delay: "10s" }) },
      ({ attempt }, name: string): void => {
        seen.push(`${name} ${attempt}`);
        if (name === "first" && attempt === 1) throw new Error("again");
      },
    );
    const docket = await stage.connect();
    const executions = [await docket.add(refresh)("first"), await docket.add(refresh)("second")];
    await stage.finish(docket);
    await stage.advance(60_000);
    await docket.add(refresh)("third");
    await stage.finish(docket);

    deepEqual(seen, ["first 1", "first 2", "third 1"]);
    equal((await executions[1].refresh()).reason, "dropped");
  });

  test("Debounce runs the last of a burst, with its arguments, when it is quiet", async (stage) => {
    const start = stage.clock.now();
    const seen: [string, number][] = [];
    const index = task(
      "index",
      { debounce: new Debounce({ quiet: "2s", by: (page: string) => page }) },
      (_context, page: string, version: number): void =>
        void seen.push([`${page} ${version}`, (stage.clock.now() - start) / 1_000]),
    );
    const docket = await stage.connect({ tasks: [index] });
    stage.start(docket);
    for (const version of [1, 2, 3]) {
      await docket.add(index)("home", version);
      await docket.add(index)("about", version);
      await stage.advance(1_000);
    }
    await stage.advance(5_000);
    await docket.add(index)("home", 4);
    await stage.advance(5_000);

    deepEqual(seen.map(([what]) => what), ["home 3", "about 3", "home 4"]);
    deepEqual(seen.map(([, at]) => Math.floor(at)), [4, 4, 10]);
  });

  test("Debounce lets the last pass although it waited in line for hours", async (stage) => {
    const seen: string[] = [];
    const index = task(
      "index",
      {
        debounce: new Debounce({ quiet: "2s" }),
        one: new ConcurrencyLimit({ max: 1, scope: "all" }),
      },
      (_context, name: string): void => void seen.push(name),
    );
    const hold = task("hold", { one: new ConcurrencyLimit({ max: 1, scope: "all" }) }, async () => {
      await stage.sleep(3 * 3_600_000);
    });
    const docket = await stage.connect({ tasks: [index, hold], heartbeatInterval: "1h" });
    stage.start(docket, { redeliveryTimeout: "1h" });
    await docket.add(hold)();
    await docket.add(index)("older");
    await stage.advance(1_000);
    await docket.add(index)("latest");
    await stage.advance(3 * 3_600_000 - 2_000);
    deepEqual(seen, []);

    await stage.advance(1_500);

    deepEqual(seen, ["latest"]); // at once: it has been quiet for long
  });

  test("Debounce runs the latest after an outage of hours", async (stage) => {
    const seen: string[] = [];
    const index = task(
      "index",
      { debounce: new Debounce({ quiet: "2s" }) },
      (_context, name: string): void => void seen.push(name),
    );
    const docket = await stage.connect({ tasks: [index], heartbeatInterval: "1h" });
    await docket.add(index)("older");
    const worker = stage.start(docket, { redeliveryTimeout: "1h" });
    await stage.advance(1_000); // the older one waits for its time
    await stage.soon(worker.close());
    await stage.advance(2 * 3_600_000);
    await docket.add(index)("latest"); // and is queued after this one

    await stage.finish(docket, { redeliveryTimeout: "1h" });

    deepEqual(seen, ["latest"]);
  });

  test("Debounce runs a retry that comes after hours", async (stage) => {
    const seen: number[] = [];
    const index = task(
      "index",
      { debounce: new Debounce({ quiet: "2s" }), retry: new Retry({ attempts: 2, delay: "2h" }) },
      ({ attempt }): void => {
        seen.push(attempt);
        if (attempt === 1) throw new Error("again");
      },
    );
    const other = task(
      "other",
      { debounce: new Debounce({ quiet: "1s", by: (n: number) => n }) },
      (_context, _n: number): void => {},
    );
    const docket = await stage.connect({
      tasks: [index, other],
      heartbeatInterval: "1h",
      executionTtl: "1d",
    });
    stage.start(docket, { redeliveryTimeout: "1h" });
    const execution = await docket.add(index)();
    await stage.advance(1.5 * 3_600_000);
    for (let n = 0; n < 3; n++) await docket.add(other)(n); // others have what is old forgotten
    await stage.advance(3_600_000);

    await execution.refresh();
    deepEqual([seen, execution.state], [[1, 2], "completed"]);
  });

  test("Gates give nothing when a task is called directly", async () => {
    const work = task("work", {
      limit: new ConcurrencyLimit({ max: 1 }),
      rate: new RateLimit({ max: 1, per: "1h" }),
      cooldown: new Cooldown({ period: "1h" }),
      debounce: new Debounce({ quiet: "1h" }),
    }, ({ limit }): boolean => limit === undefined);

    equal(await work(), true);
    equal(await work(), true);
  });

  test("Gates refuse options that cannot be used, and a second of a kind", async () => {
    throws(() => new ConcurrencyLimit({ max: 0 }), RangeError);
    throws(() => new ConcurrencyLimit({ max: 1, by: "id" as never }), TypeError);
    throws(() => new ConcurrencyLimit({ max: 1, scope: "" }), TypeError);
    throws(() => new RateLimit({ max: 1, per: 0 }), RangeError);
    throws(() => new RateLimit({ max: 1.5, per: "1s" }), RangeError);
    throws(() => new RateLimit({ max: 1, per: "1s", excess: "fail" as never }), TypeError);
    throws(() => new Cooldown({ period: -1 }), RangeError);
    throws(() => new Debounce({ quiet: "soon" }), RangeError);
    const perpetual = new Perpetual({ every: "1m" });
    for (
      const gate of [
        new Cooldown({ period: "1m" }),
        new Debounce({ quiet: "1m" }),
        new RateLimit({ max: 1, per: "1m", excess: "drop" }),
      ]
    ) {
      throws(() => task("chain", { perpetual, gate }, () => {}), TypeError);
    }
    task("chain", { perpetual, gate: new RateLimit({ max: 1, per: "1m" }) }, () => {});
    const limit = new ConcurrencyLimit({ max: 1 });
    throws(
      () => task("two", { limit, other: new ConcurrencyLimit({ max: 2 }) }, () => {}),
      TypeError,
    );
    const one = new ConcurrencyLimit({ max: 1, by: (id: number) => id });
    // @ts-expect-error the first argument is no number
    task("wrong", { one }, (_context, _id: string): void => {});
    await Promise.resolve();
  });
});

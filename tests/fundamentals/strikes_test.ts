/**
 * Strikes: what matches is neither scheduled nor run, anywhere, until it is restored.
 *
 * @module
 */

import {
  deepStrictEqual as deepEqual,
  ok,
  rejects,
  strictEqual as equal,
} from "node:assert/strict";
import { Redis } from "ioredis";
import {
  ConnectionError,
  type Docket,
  type Execution,
  Params,
  Perpetual,
  Retry,
  type Strike,
  type StrikeOperator,
  task,
} from "../../mod.ts";
import type { Storage } from "../../src/storage/contract.ts";
import { altered, onEveryStorage, onRedis, type Stage } from "../_harness.ts";
import { captureLogs } from "../_logs.ts";

const logged = captureLogs();

/** The warnings of this test so far, as they were written. */
function warnings(): string[] {
  return logged.filter(({ level }) => level === "warning").map(({ rawMessage }) => `${rawMessage}`);
}

function remind(customerId: number, text = "hello"): string {
  return `${customerId}: ${text}`;
}

function bill(customerId: number): number {
  return customerId;
}

/** For each operator: what to compare with, what matches, and what does not. */
const operators: readonly (readonly [StrikeOperator, unknown, unknown[], unknown[]])[] = [
  ["==", 5, [5], [4, 6, "5", 5n]],
  ["!=", 5, [4, 6, "5"], [5]],
  [">", 5, [6, 5.1, Infinity], [5, 4]],
  [">=", 5, [5, 6], [4, -5]],
  ["<", "m", ["a", "M", ""], ["m", "z"]],
  ["<=", 5n, [5n, -5n], [6n]],
  ["between", [new Date(10), new Date(20)], [new Date(10), new Date(20)], [
    new Date(9),
    new Date(21),
  ]],
];

/** Sees to it that a producer has looked at the strikes there were until now. */
async function acquaint(docket: Docket): Promise<void> {
  await docket.add("acquainted", { key: "acquainted", delay: "1h" })();
}

/** How a handle of something struck looks. */
async function assertStruck(execution: Execution): Promise<void> {
  equal(execution.disposition, "struck");
  equal(execution.state, "cancelled");
  equal(execution.reason, "struck");
  await rejects(execution.result(), { code: "EXECUTION_CANCELLED", reason: "struck" });
}

onEveryStorage("Docket.strike()", (test) => {
  test("keeps a whole task from being scheduled, by its name and by reference", async (stage) => {
    const docket = await stage.connect();
    for (const strike of [{ task: "remind" }, { task: remind }]) {
      equal(await docket.strike(strike), true);

      const struck = await docket.add(remind, { delay: "1h" })(1);
      const byName = await docket.add<typeof remind>("remind", { delay: "1h" })(1);
      const other = await docket.add(bill, { delay: "1h" })(1);

      await assertStruck(struck);
      await assertStruck(byName);
      equal(other.disposition, "scheduled");
      deepEqual(await docket.strikes(), [{ task: "remind" }]);
      equal(await docket.restore(strike), true);
    }
  });

  for (const [operator, value, matching, others] of operators) {
    test(`compares a parameter by ${operator}`, async (stage) => {
      const docket = await stage.connect();
      const ship = (_weight: unknown): void => {};
      const weigh = task("weigh", (_context, weight: unknown): void => ship(weight));
      await docket.strike({ task: "weigh", parameter: "weight", operator, value });

      const dispositions: unknown[] = [];
      for (const weight of [...matching, ...others]) {
        dispositions.push((await docket.add(weigh)(weight)).disposition);
      }
      await stage.finish(docket);

      deepEqual(dispositions, [
        ...matching.map(() => "struck"),
        ...others.map(() => "scheduled"),
      ]);
    });

    // 57: a worker that never heard of the strike before
    test(`keeps queued tasks from running by ${operator}`, async (stage) => {
      const docket = await stage.connect();
      const other = await stage.connect();
      const seen: unknown[] = [];
      const weigh = task("weigh", (_context, weight: unknown): void => void seen.push(weight));
      const executions: Execution[] = [];
      for (const weight of [...matching, ...others]) {
        executions.push(await docket.add(weigh)(weight));
      }

      await other.strike({ task: "weigh", parameter: "weight", operator, value });
      await stage.finish(docket, { concurrency: 1 });

      deepEqual(seen, others);
      for (const execution of executions.slice(0, matching.length)) {
        await rejects(execution.result(), { reason: "struck" });
      }
    });
  }

  test("strikes a parameter of any task that has it", async (stage) => {
    const docket = await stage.connect();
    function plain(id: number): number {
      return id;
    }
    const named = task(
      "named",
      { params: new Params("text", "customerId") },
      (_context, _a: string, _b: number): void => {},
    );
    await docket.strike({ parameter: "customerId", value: 7 });

    const dispositions = [
      await docket.add(remind)(7),
      await docket.add(bill)(7),
      await docket.add(named)("seven", 7),
      await docket.add(remind)(8),
      await docket.add(plain)(7),
    ].map(({ disposition }) => disposition);

    deepEqual(dispositions, ["struck", "struck", "struck", "scheduled", "scheduled"]);
    await stage.finish(docket);
  });

  test("follows a path into an argument", async (stage) => {
    const docket = await stage.connect();
    interface Order {
      readonly customer?: { readonly id: number };
    }
    function ship(order?: Order): Order | undefined {
      return order;
    }
    await docket.strike({ task: "ship", parameter: "order.customer.id", operator: "!=", value: 1 });

    const dispositions = [
      await docket.add(ship)({ customer: { id: 2 } }),
      await docket.add(ship)({ customer: { id: 1 } }),
      // What is absent matches nothing, not even that it is something else
      await docket.add(ship)({}),
      await docket.add(ship)(undefined),
      await docket.add(ship)(),
    ].map(({ disposition }) => disposition);

    deepEqual(dispositions, ["struck", "scheduled", "scheduled", "scheduled", "scheduled"]);
    await stage.finish(docket);
  });

  // 6: nothing is written, nothing is told
  test("has an add that matches write nothing", async (stage) => {
    const docket = await stage.connect();
    const storage = await stage.open();
    const told: unknown[] = [];
    const listening = new AbortController();
    stage.afterwards(() => listening.abort());
    await storage.watch((change) => told.push(change), listening);
    await docket.strike({ task: "remind", parameter: "customerId", value: 1 });

    const struck = await docket.add(remind, { key: "one", delay: "1h" })(1, "later");

    await assertStruck(struck);
    deepEqual([struck.key, struck.task, struck.args], ["one", "remind", [1, "later"]]);
    equal(await struck.cancel(), "none");
    await rejects(struck.retry(), TypeError);
    equal(await docket.execution("one"), undefined);
    equal(await storage.count(), 0);
    const other = await docket.add(bill, { key: "one", delay: "1h" })(1);
    equal(other.disposition, "scheduled"); // its key is free
    await stage.eventually(() => told.length > 0);
    deepEqual(told.map((change) => (change as { state: string }).state), ["scheduled"]);
  });

  test("has a replace that matches leave alone what is live", async (stage) => {
    const docket = await stage.connect();
    await docket.strike({ task: "remind", parameter: "customerId", value: 2 });
    await docket.add(remind, { key: "key", delay: "1h" })(1);

    const struck = await docket.replace(remind, { key: "key" })(2);
    const nothing = await docket.replace(remind, { key: "other" })(2);

    await assertStruck(struck);
    await assertStruck(nothing);
    const live = await docket.execution("key");
    deepEqual([live?.state, live?.args], ["scheduled", [1]]);
    equal(await docket.execution("other"), undefined);
  });

  test("has what is scheduled or queued end when its time comes, and what runs go on", async (stage) => {
    const docket = await stage.connect();
    const release = Promise.withResolvers<void>();
    stage.afterwards(() => release.resolve());
    const seen: string[] = [];
    async function work(text: string): Promise<string> {
      seen.push(text);
      await release.promise;
      return text;
    }
    const running = await docket.add(work)("running");
    const worker = stage.start(docket, { concurrency: 1 });
    await stage.eventually(() => seen.length === 1);
    const queued = await docket.add(work)("queued");
    const scheduled = await docket.add(work, { delay: 30 })("scheduled");

    await docket.strike({ task: "work" });
    equal((await queued.refresh()).state, "queued");
    equal((await scheduled.refresh()).state, "scheduled");
    release.resolve();

    equal(await stage.soon(running.result()), "running");
    for (const struck of [queued, scheduled]) {
      await stage.soon(rejects(struck.result(), { reason: "struck" }));
      deepEqual([struck.state, struck.reason, struck.worker], ["cancelled", "struck", worker.name]);
    }
    deepEqual(seen, ["running"]);
  });

  test("frees the key of what was skipped", async (stage) => {
    const docket = await stage.connect();
    await docket.add(remind, { key: "key" })(1);
    await docket.strike({ task: "remind" });
    await stage.finish(docket);

    equal((await docket.execution("key"))?.reason, "struck");
    equal((await docket.add(bill, { key: "key" })(1)).disposition, "scheduled");
    await stage.finish(docket);
  });

  test("skips the retry that a failed task waits for", async (stage) => {
    const docket = await stage.connect();
    let runs = 0;
    const flaky = task("flaky", { retry: new Retry({ attempts: 5, delay: 30 }) }, (): void => {
      runs++;
      throw new Error("whoops");
    });
    const execution = await docket.add(flaky)();
    stage.start(docket);
    await stage.eventually(async () => (await execution.refresh()).attempt === 2);

    await docket.strike({ task: "flaky" });

    await stage.soon(rejects(execution.result(), { reason: "struck" }));
    ok(runs < 5);
    equal(execution.attempt, runs + 1); // the attempt that was skipped
  });

  // 47: a strike skips a run, not a chain
  test("skips the runs of a perpetual task, and its chain goes on", async (stage) => {
    const storage = await stage.open();
    const docket = await stage.connect();
    const operator = await stage.connect();
    let runs = 0;
    const tick = task("tick", { perpetual: new Perpetual({ every: 20 }) }, (): void => {
      runs++;
    });
    await docket.add(tick, { key: "tick" })();
    stage.start(docket);
    await stage.eventually(() => runs > 0);

    await operator.strike({ task: "tick" });
    await stage.eventually(async () => {
      const [{ live, ended }] = await storage.load(["tick"]);
      return ended?.reason === "struck" && live?.state === "scheduled";
    });
    const before = runs;
    await operator.restore({ task: "tick" });

    await stage.eventually(() => runs > before);
  });

  // 57: idempotent, and the answers are true
  test("tells whether it changed anything", async (stage) => {
    const docket = await stage.connect();
    const other = await stage.connect();
    const strike: Strike = { task: "remind", parameter: "customerId", value: { a: 1, b: [2] } };
    const same: Strike = {
      value: { b: [2], a: 1 },
      operator: "==",
      parameter: "customerId",
      task: "remind",
    };
    docket.register(remind);

    equal(await docket.restore(strike), false);
    equal(await docket.strike(strike), true);
    equal(await docket.strike(same), false);
    equal(await other.strike(same), false);
    equal((await other.strikes()).length, 1);
    equal(await other.restore(same), true);
    equal(await docket.restore(strike), false);
    deepEqual(await docket.strikes(), []);
  });

  test("takes a task by reference together with a parameter", async (stage) => {
    const docket = await stage.connect();

    await docket.strike({ task: remind, parameter: "customerId", value: 1 });

    await assertStruck(await docket.add(remind)(1));
    deepEqual(await docket.strikes(), [
      { task: "remind", parameter: "customerId", operator: "==", value: 1 },
    ]);
    equal(await docket.restore({ task: "remind", parameter: "customerId", value: 1 }), true);
  });
});

onEveryStorage("Docket.restore()", (test) => {
  test("lets the very next add through, where the strike was made", async (stage) => {
    const docket = await stage.connect();
    await docket.strike({ task: "remind" });
    await assertStruck(await docket.add(remind)(1));

    await docket.restore({ task: "remind" });
    const execution = await docket.add(remind)(1);
    await stage.finish(docket);

    equal(execution.disposition, "scheduled");
    equal(await execution.result(), "1: hello");
  });

  // 56: also where the producer knows of nothing else to schedule
  test("lets the very next add, replace and addAll of another docket handle through", async (stage) => {
    const docket = await stage.connect();
    const operator = await stage.connect();
    const call = docket.call(remind, { key: "planned", delay: "1h" });
    const attempts: (() => Promise<Execution>)[] = [
      () => docket.add(remind, { delay: "1h" })(1),
      () => docket.replace(remind, { key: "replaced", delay: "1h" })(1),
      async () => (await docket.addAll([call(1)]))[0],
    ];
    for (const attempt of attempts) {
      await operator.strike({ task: "remind" });
      await assertStruck(await attempt());

      await operator.restore({ task: "remind" });

      equal((await attempt()).disposition, "scheduled");
    }
  });

  test("is not overlooked by an add that finds a look under way", async (stage) => {
    const storage = await stage.open();
    const looks: PromiseWithResolvers<void>[] = [];
    let slow = false;
    const strikes: Storage["strikes"] = async (options) => {
      const struck = await storage.strikes(options);
      if (slow) {
        looks.push(Promise.withResolvers<void>());
        await looks.at(-1)!.promise;
      }
      return struck;
    };
    const docket = await stage.connect({ storage: altered(storage, { strikes }) });
    const operator = await stage.connect();
    await operator.strike({ task: "remind" });
    await assertStruck(await docket.add(remind)(1));
    slow = true;
    const early = docket.add(remind)(1);
    await stage.eventually(() => looks.length === 1);

    await operator.restore({ task: "remind" });
    const late = docket.add(remind, { delay: "1h" })(2);
    slow = false;
    looks[0].resolve();

    equal((await late).disposition, "scheduled");
    ok(["struck", "scheduled"].includes((await early).disposition!));
    await docket.clear();
  });

  test("lets run what was scheduled before the strike and is due after it", async (stage) => {
    const docket = await stage.connect();
    const execution = await docket.add(remind, { delay: 30 })(1);
    await docket.strike({ task: "remind" });
    stage.start(docket);

    await docket.restore({ task: "remind" });

    equal(await stage.soon(execution.result()), "1: hello");
  });

  test("takes back its own strike only", async (stage) => {
    const docket = await stage.connect();
    const strikes: Strike[] = [
      { task: "remind" },
      { parameter: "customerId", operator: ">", value: 5 },
      { task: "bill", parameter: "customerId", operator: "==", value: 1 },
      { task: "bill", parameter: "customerId", operator: "==", value: "1" },
    ];
    docket.register([remind, bill]);
    for (const strike of strikes) await docket.strike(strike);

    const restored = strikes.splice(2, 1)[0];
    equal(await docket.restore(restored), true);

    const byText = (list: readonly Strike[]) => list.map((one) => JSON.stringify(one)).sort();
    deepEqual(byText(await docket.strikes()), byText(strikes));
    equal((await docket.add(bill)(1)).disposition, "scheduled");
    await assertStruck(await docket.add(bill)(6));
    await stage.finish(docket);
  });
});

onEveryStorage("A strike", (test) => {
  // 56: without waiting, whoever made it and whenever the docket was opened
  test("is seen by the very next add of every docket handle", async (stage) => {
    const operator = await stage.connect();
    const fresh = await stage.connect();
    const busy = await stage.connect();
    await acquaint(busy);
    await operator.strike({ task: "other" });
    await acquaint(busy); // and has heard of strikes before

    await operator.strike({ task: "remind" });
    const late = await stage.connect();

    for (const docket of [busy, fresh, late, operator]) {
      await assertStruck(await docket.add(remind)(1));
    }
  });

  test("is seen by all of many adds that come at once", async (stage) => {
    const docket = await stage.connect();
    const operator = await stage.connect();
    await acquaint(docket);
    await operator.strike({ task: "remind", parameter: "customerId", operator: "<", value: 50 });

    const executions = await Promise.all(
      Array.from({ length: 100 }, (_, id) => docket.add(remind, { delay: "1h" })(id)),
    );

    deepEqual(
      executions.map(({ disposition }) => disposition),
      executions.map((_, id) => id < 50 ? "struck" : "scheduled"),
    );
  });

  // 57: a worker that runs already; 56: also one that blocks while it waits, and has never looked
  test("is seen by a worker that has waited since before it was made", async (stage) => {
    const consumer = await stage.connect({ tasks: [remind, bill] });
    stage.start(consumer);
    await stage.eventually(async () => (await consumer.workers()).length === 1);
    await stage.advance(20);
    const operator = await stage.connect();
    const producer = await stage.connect(); // has no tasks, and so knows no parameters

    await operator.strike({ task: "remind", parameter: "customerId", value: 1 });
    const struck = await producer.add<typeof remind>("remind")(1);
    const other = await producer.add<typeof remind>("remind")(2);

    equal(struck.disposition, "scheduled");
    await stage.soon(rejects(struck.result(), { reason: "struck" }));
    equal(await stage.soon(other.result()), "2: hello");
  });

  // A position is the name of what has none: only whoever knows the names can tell
  test("by position is left to those who know the names of the parameters", async (stage) => {
    const consumer = await stage.connect({ tasks: [remind] });
    const spread = task("spread", (_context, ...ids: number[]): number => ids[0]);
    consumer.register(spread);
    const producer = await stage.connect();
    for (const name of ["remind", "spread"]) {
      await consumer.strike({ task: name, parameter: "0", value: 1 });
    }

    const named = await producer.add<typeof remind>("remind")(1);
    const nameless = await producer.add<typeof spread>("spread")(1);
    await stage.finish(consumer);

    deepEqual([named.disposition, nameless.disposition], ["scheduled", "scheduled"]);
    equal(await named.result(), "1: hello");
    await rejects(nameless.result(), { reason: "struck" });
  });

  // 57: also by new workers
  test("is seen by a worker that starts after it was made", async (stage) => {
    const producer = await stage.connect();
    const struck = await producer.add<typeof remind>("remind")(1);
    const other = await producer.add<typeof remind>("remind")(2);
    await producer.strike({ task: "remind", parameter: "customerId", value: 1 });

    const consumer = await stage.connect({ tasks: [remind] });
    stage.start(consumer);

    await stage.soon(rejects(struck.result(), { reason: "struck" }));
    equal(await stage.soon(other.result()), "2: hello");
  });

  // 56: a worker that cannot look runs nothing
  test("is waited for by a worker that cannot look what is struck", async (stage) => {
    const storage = await stage.open();
    let failures = 3;
    const strikes: Storage["strikes"] = (options) =>
      failures-- > 0
        ? Promise.reject(new ConnectionError("Cannot reach it"))
        : storage.strikes(options);
    const consumer = await stage.connect({
      tasks: [remind],
      storage: altered(storage, { strikes }),
    });
    const producer = await stage.connect();
    await producer.strike({ task: "remind", parameter: "customerId", value: 1 });
    const struck = await producer.add<typeof remind>("remind")(1);
    const other = await producer.add<typeof remind>("remind")(2);

    stage.start(consumer, { reconnectionDelay: 5 });

    await stage.soon(rejects(struck.result(), { reason: "struck" }));
    equal(await stage.soon(other.result()), "2: hello");
    ok(failures < 0);
  });

  // 35, 56: only what was claimed waits for that; what has run is not run again
  test("holds up nothing that finishes while it cannot be looked at", async (stage) => {
    const storage = await stage.open();
    let away = false;
    let failures = 0;
    const strikes: Storage["strikes"] = (options) => {
      if (!away) return storage.strikes(options);
      failures++;
      return Promise.reject(new ConnectionError("Cannot reach it"));
    };
    const consumer = await stage.connect({ storage: altered(storage, { strikes }) });
    const producer = await stage.connect();
    const runs: string[] = [];
    const gates = Array.from({ length: 4 }, () => Promise.withResolvers<void>());
    stage.afterwards(() => gates.forEach(({ resolve }) => resolve()));
    const hold = task("hold", async (_context, n: number): Promise<number> => {
      runs.push(`hold ${n}`);
      await gates[n].promise;
      return n;
    });
    function note(customerId: number): void {
      runs.push(`note ${customerId}`);
    }
    consumer.register([hold, note]);
    const held: Execution<number>[] = [];
    for (const n of gates.keys()) held.push(await producer.add<typeof hold>("hold")(n));
    stage.start(consumer, { concurrency: 8, redeliveryTimeout: 200, reconnectionDelay: 5 });
    await stage.eventually(() => runs.length === gates.length);

    away = true;
    await producer.strike({ task: "note", parameter: "customerId", value: 1 });
    const struck = await producer.add<typeof note>("note")(1);
    const other = await producer.add<typeof note>("note")(2);
    await stage.eventually(() => failures > 0);
    for (const [n, { resolve }] of gates.entries()) {
      resolve();
      equal(await stage.soon(held[n].result()), n);
    }
    await stage.advance(300); // longer than any lease
    const before = [...runs];
    away = false;
    await stage.soon(other.result());
    await stage.soon(rejects(struck.result(), { reason: "struck" }));

    deepEqual(before, ["hold 0", "hold 1", "hold 2", "hold 3"]);
    deepEqual(runs, [...before, "note 2"]);
  });

  // 57: what was taken over from the dead is looked at as well
  test("skips what a dead worker left behind", async (stage) => {
    const storage = await stage.open();
    const docket = await stage.connect({ tasks: [remind] });
    const execution = await docket.add(remind)(1);
    const token = "1234567890123456789012";
    const step = { consumer: "dead~1", lane: 0, call: 1, token, commits: [], from: ">", want: 1 };
    equal((await storage.step({ ...step, maxDeliveries: 5 })).claims.length, 1);
    await docket.strike({ task: "remind" });

    stage.start(docket, { redeliveryTimeout: 40 });

    await stage.soon(rejects(execution.result(), { reason: "struck" }));
    await storage.retire("dead~1");
  });

  // 11
  test("survives clear()", async (stage) => {
    const docket = await stage.connect();
    await docket.strike({ task: "remind" });
    await docket.add(bill)(1);

    await docket.clear();

    deepEqual(await docket.strikes(), [{ task: "remind" }]);
    await assertStruck(await docket.add(remind)(1));
    await assertStruck(await (await stage.connect()).add(remind)(1));
  });

  test("of another docket strikes nothing", async (stage) => {
    const docket = await stage.connect();
    const other = await stage.connect({ name: `${stage.name}.b` });

    await other.strike({ task: "remind" });

    equal((await docket.add(remind)(1)).disposition, "scheduled");
    deepEqual(await docket.strikes(), []);
    await stage.finish(docket);
  });

  // 58: no match, one warning, no crash
  test("that cannot be compared with an argument is no match, and is warned about once", async (stage) => {
    const docket = await stage.connect();
    const seen: unknown[] = [];
    function weigh(weight: unknown): void {
      seen.push(weight);
    }
    docket.register(weigh);
    await docket.strike({ task: "weigh", parameter: "weight", operator: ">", value: 5 });
    const weights = ["heavy", null, undefined, { kg: 6 }, [6], NaN, 6n];

    for (const weight of weights) {
      equal((await docket.add(weigh)(weight)).disposition, "scheduled");
    }
    await assertStruck(await docket.add(weigh)(6));
    await stage.finish(docket, { concurrency: 1 });

    deepEqual(seen, weights);
    await docket.strike({ task: "other" }); // all strikes are read anew
    await docket.add(weigh, { delay: "1h" })("heavy");
    equal(warnings().length, 1);
    ok(/cannot be compared/.test(warnings()[0]));
    ok(!JSON.stringify(logged.map(({ properties }) => properties)).includes("heavy")); // 85
  });

  test("that is stored in a form nobody knows is passed over, and the others count", async (stage) => {
    const storage = await stage.open();
    const docket = await stage.connect();
    const rules = ["nope", "{}", "[]", '["a","b","~",1]', '["remind","customerId","~=","1"]'];
    for (const [index, rule] of rules.entries()) {
      await storage.strike(rule, true, `${index}`.padStart(22, "0"));
    }
    await docket.strike({ task: "bill" });

    await assertStruck(await docket.add(bill)(1));
    const execution = await docket.add(remind)(1);
    await stage.finish(docket);

    equal(await execution.result(), "1: hello");
    deepEqual(await docket.strikes(), [{ task: "bill" }]);
  });
});

onEveryStorage("A strike on a parameter that nobody has", (test) => {
  test("is kept, and is warned about", async (stage) => {
    const docket = await stage.connect({ tasks: [remind] });
    const unknown: Strike[] = [
      { task: "remind", parameter: "customer", value: 1 },
      { task: "remind", parameter: "customer.customerId", value: 1 },
      { task: "nobody", parameter: "customerId", value: 1 },
      { parameter: "customer", value: 1 },
    ];

    for (const [index, strike] of unknown.entries()) {
      equal(await docket.strike(strike), true);
      equal(warnings().length, index + 1);
      const { properties } = logged.at(-1)!;
      equal(properties.parameter, strike.parameter);
      equal(properties.task, strike.task ?? "any task");
    }
    equal((await docket.strikes()).length, unknown.length);
    await docket.restore(unknown[0]); // taking it back is nothing to warn about
    equal(warnings().length, unknown.length);
  });

  test("is not warned about when the own registry has it", async (stage) => {
    const docket = await stage.connect({ tasks: [remind] });

    await docket.strike({ task: "remind", parameter: "customerId", value: 1 });
    await docket.strike({ task: "remind", parameter: "text.length", value: 1 });
    await docket.strike({ parameter: "customerId", value: 1 });
    await docket.strike({ task: "nobody" }); // no parameter, nothing to misspell

    deepEqual(warnings(), []);
  });

  // The strike itself is made, whatever can be told of it
  test("is not warned about when nobody can tell which workers there are", async (stage) => {
    const storage = await stage.open();
    const workers: Storage["workers"] = () =>
      Promise.reject(new ConnectionError("Cannot reach it"));
    const docket = await stage.connect({ storage: altered(storage, { workers }) });

    equal(await docket.strike({ task: "nobody", parameter: "customerId", value: 1 }), true);

    deepEqual(await docket.strikes(), [
      { task: "nobody", parameter: "customerId", operator: "==", value: 1 },
    ]);
    deepEqual(warnings(), []);
  });

  test("is not warned about when a live worker elsewhere has it", async (stage) => {
    const consumer = await stage.connect({ tasks: [remind] });
    stage.start(consumer);
    await stage.eventually(async () => (await consumer.workers()).length === 1);
    const operator = await stage.connect();

    await operator.strike({ task: "remind", parameter: "customerId", value: 1 });
    await operator.strike({ parameter: "text", value: "x" });

    deepEqual(warnings(), []);
  });
});

onEveryStorage("A strike on a task that nobody has", (test) => {
  test("is kept, and is warned about where workers could tell", async (stage) => {
    const consumer = await stage.connect({ tasks: [remind] });
    const operator = await stage.connect();
    await operator.strike({ task: "yet to come" }); // nobody can tell
    deepEqual(warnings(), []);
    stage.start(consumer);
    await stage.eventually(async () => (await consumer.workers()).length === 1);

    await operator.strike({ task: "remind" });
    await operator.strike({ task: "remidn" });

    equal(warnings().length, 1);
    equal((await operator.strikes()).length, 3);
  });
});

onEveryStorage("A strike that could never match", (test) => {
  const bad: readonly (readonly [string, unknown, typeof TypeError | typeof RangeError])[] = [
    ["nothing", undefined, TypeError],
    ["null", null, TypeError],
    ["a name alone", "remind", TypeError],
    ["neither task nor parameter", {}, TypeError],
    ["a value without a parameter", { task: "remind", value: 1 }, TypeError],
    ["an operator without a parameter", { task: "remind", operator: "==" }, TypeError],
    ["no value", { parameter: "a" }, TypeError],
    ["an empty task", { task: "" }, TypeError],
    ["an empty parameter", { parameter: "", value: 1 }, TypeError],
    ["a task of another type", { task: 5 }, TypeError],
    ["an anonymous task", { task: [() => {}][0] }, TypeError],
    ["an unknown field", { task: "remind", parameters: "a" }, TypeError],
    ["an unknown operator", { parameter: "a", operator: "=", value: 1 }, TypeError],
    ["a function", { parameter: "a", value: () => {} }, TypeError],
    ["no order", { parameter: "a", operator: ">", value: {} }, TypeError],
    ["a range of one", { parameter: "a", operator: "between", value: [1] }, TypeError],
    ["a range of two kinds", { parameter: "a", operator: "between", value: [1, "2"] }, TypeError],
    ["a range upside down", { parameter: "a", operator: "between", value: [2, 1] }, RangeError],
  ];

  test("is refused before anything is written", async (stage) => {
    const storage = await stage.open();
    const docket = await stage.connect({ storage });

    for (const [what, strike, kind] of bad) {
      await rejects(docket.strike(strike as Strike), kind, what);
      await rejects(docket.restore(strike as Strike), kind, what);
    }

    deepEqual(await storage.strikes(), { version: "", rules: [] });
    deepEqual(warnings(), []);
  });
});

onEveryStorage("Docket.addAll()", (test) => {
  test("tells of each call whether it is struck, and schedules the others", async (stage) => {
    const docket = await stage.connect();
    await docket.strike({ task: "remind", parameter: "customerId", operator: "<", value: 3 });
    const call = docket.call(remind);

    const executions = await docket.addAll([5, 1, 4, 2, 1, 3].map((id) => call(id)));
    const none = await docket.addAll([1, 2].map((id) => call(id)));
    await stage.finish(docket);

    const dispositions = [...executions, ...none].map(({ disposition }) => disposition);
    const expected = ["scheduled", "struck", "scheduled", "struck", "struck", "scheduled"];
    deepEqual(dispositions, [...expected, "struck", "struck"]);
    for (const execution of executions) {
      if (execution.disposition === "struck") await assertStruck(execution);
      else equal(await execution.result(), `${execution.args[0]}: hello`);
    }
  });

  test("leaves out what is struck of more calls than one request holds", async (stage) => {
    const docket = await stage.connect();
    const operator = await stage.connect();
    await acquaint(docket);
    await operator.strike({ task: "remind", parameter: "text", value: "struck" });
    const call = docket.call(remind, { delay: "1h" });
    const texts = Array.from({ length: 2_500 }, (_, n) => n % 3 === 0 ? "struck" : "fine");

    const executions = await docket.addAll(texts.map((text, n) => call(n, text)));

    deepEqual(
      executions.map(({ disposition, args }) => [disposition, args[0]]),
      texts.map((text, n) => [text === "struck" ? "struck" : "scheduled", n]),
    );
    const scheduled = texts.filter((text) => text === "fine").length;
    equal((await docket.snapshot({ limit: 1 })).counts.scheduled, scheduled + 1);
  });
});

/** A docket that counts what it asks of its storage. */
async function counting(stage: Stage): Promise<{ docket: Docket; asked: string[] }> {
  const storage = await stage.open();
  const asked: string[] = [];
  const schedule = storage.schedule.bind(storage);
  const counted = altered(storage, {
    schedule(...args) {
      asked.push("schedule");
      return schedule(...args);
    },
    strikes(...args) {
      asked.push("strikes");
      return storage.strikes(...args);
    },
  });
  return { docket: await stage.connect({ storage: counted }), asked };
}

/** Strikes and restores so many customers. */
async function strikeAndRestore(docket: Docket, customers: number): Promise<void> {
  for (let from = 0; from < customers; from += 500) {
    const strikes = Array.from({ length: Math.min(500, customers - from) }, (_, n): Strike => (
      { task: "remind", parameter: "customerId", value: from + n }
    ));
    const struck = await Promise.all(strikes.map((strike) => docket.strike(strike)));
    const restored = await Promise.all(strikes.map((strike) => docket.restore(strike)));
    ok([...struck, ...restored].every((changed) => changed));
  }
}

// 57, F56: compacted
onEveryStorage("Ten thousand strikes that were restored", (test) => {
  test("cost whoever comes afterwards as little as a single one", async (stage) => {
    const operator = await stage.connect({ tasks: [remind] });
    await strikeAndRestore(operator, 1);
    const early = await counting(stage);
    await early.docket.add(remind, { delay: "1h" })(1);

    await strikeAndRestore(operator, 10_000);
    const late = await counting(stage);
    await late.docket.add(remind, { delay: "1h" })(1);
    await late.docket.add(remind, { delay: "1h" })(2);

    deepEqual(await operator.strikes(), []);
    deepEqual(late.asked, [...early.asked, "schedule"]);
    ok(early.asked.length <= 3, early.asked.join());
  });
});

// 37, 56: what is remembered of calls is no truth, and may get lost
onRedis("Strikes whose version was deleted", (test) => {
  test("are heeded by new docket handles, by old ones and by new workers", async (stage) => {
    const redis = new Redis(stage.url, { protocol: 2 });
    stage.afterwards(() => redis.disconnect());
    const operator = await stage.connect();
    const old = await stage.connect();
    await operator.strike({ task: "remind", parameter: "customerId", value: 1 });
    await acquaint(old);

    await redis.del(`{${stage.name}}:calls`);
    const fresh = await stage.connect();
    for (const docket of [fresh, old, operator]) {
      await assertStruck(await docket.add(remind)(1));
    }
    const producer = await stage.connect(); // has no tasks, and so knows no parameters
    const struck = await producer.add<typeof remind>("remind")(1);
    const other = await producer.add<typeof remind>("remind")(2);
    const consumer = await stage.connect({ tasks: [remind] });
    stage.start(consumer);

    equal(await stage.soon(other.result()), "2: hello");
    await stage.soon(rejects(struck.result(), { reason: "struck" }));
  });

  test("are heeded by who looked before the first of them, once the docket was swept", async (stage) => {
    const redis = new Redis(stage.url, { protocol: 2 });
    stage.afterwards(() => redis.disconnect());
    const storage = await stage.open();
    const old = await stage.connect();
    await acquaint(old);
    const operator = await stage.connect();
    await operator.strike({ task: "remind" });

    await redis.del(`{${stage.name}}:calls`);
    await storage.sweep({ limit: 100, pause: 0, silence: 60_000 });

    await assertStruck(await old.add(remind)(1));
  });
});

// 57: compacted
onRedis("Ten thousand strikes that were restored", (test) => {
  /** Every key of the docket, with its fields and bytes. */
  async function measure(redis: Redis, docket: string): Promise<Record<string, unknown>> {
    const measured: Record<string, unknown> = {};
    for (const key of (await redis.keys(`{${docket}}:*`)).sort()) {
      const type = await redis.type(key);
      const fields = type === "hash" ? await redis.hkeys(key) : [];
      measured[key] = [type, fields.sort(), await redis.call("MEMORY", "USAGE", key)];
    }
    return measured;
  }

  test("leave nothing in Redis", async (stage) => {
    const redis = new Redis(stage.url, { protocol: 2 });
    stage.afterwards(() => redis.disconnect());
    const operator = await stage.connect({ tasks: [remind] });
    await strikeAndRestore(operator, 50); // the last requests are remembered, and no more of them
    const before = await measure(redis, stage.name);

    await strikeAndRestore(operator, 10_000);

    deepEqual(await measure(redis, stage.name), before);
    deepEqual(await operator.strikes(), []);
  });
});

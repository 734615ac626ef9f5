/**
 * Names of parameters: for `argument(name)`, and for what of the arguments may be logged.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import { after, before, beforeEach } from "node:test";
import { inspect } from "node:util";
import { configure, type LogRecord, reset } from "@logtape/logtape";
import { randomId } from "../../src/base/ids.ts";
import {
  type Codec,
  Dependency,
  Depends,
  type Execution,
  logged,
  loggedLength,
  Params,
  Perpetual,
  Retry,
  task,
  Timeout,
} from "../../mod.ts";
import { aborted, failureOf, Freezer, onEveryStorage, onMemory } from "../_harness.ts";

/** Everything that is logged, however unimportant. */
const lines: LogRecord[] = [];

before(() =>
  configure({
    sinks: { memory: (record) => lines.push(record) },
    loggers: [
      { category: [], sinks: ["memory"], lowestLevel: "trace" },
      { category: ["logtape", "meta"], sinks: [], lowestLevel: "error" },
    ],
  })
);
beforeEach(() => void lines.splice(0));
after(() => reset());

/** What must be seen nowhere. */
const SECRET = "sesame";

/** Whole, with everything that hangs on it. */
function textOf(record: LogRecord): string {
  return inspect(record, {
    depth: 30,
    showHidden: true,
    maxArrayLength: Infinity,
    maxStringLength: Infinity,
  });
}

function failures(): LogRecord[] {
  return lines.filter(({ level }) => level === "warning" || level === "error");
}

onEveryStorage("TaskContext.argument()", (test) => {
  test("gives an argument by the name that its parameter has in the source", async (stage) => {
    const docket = await stage.connect();
    const ship = task(
      "ship",
      ({ argument }, customerId: number, locale = "en", ...items: string[]): unknown => ({
        customerId: argument("customerId"),
        locale: argument("locale"),
        third: argument("2"),
        passed: [customerId, locale, items],
      }),
    );
    const whole = await docket.add(ship)(7, "fr", "a", "b");
    const short = await docket.add(ship)(7);

    await stage.finish(docket);

    deepEqual(await whole.result(), {
      customerId: 7,
      locale: "fr",
      third: "a",
      passed: [7, "fr", ["a", "b"]],
    });
    // A default is the handler's own: what was not given is not there.
    deepEqual(await short.result(), {
      customerId: 7,
      locale: undefined,
      third: undefined,
      passed: [7, "en", []],
    });
  });

  test("goes by the names of Params where they are given", async (stage) => {
    const docket = await stage.connect();
    const params = new Params("customer", logged("constructor"), loggedLength("__proto__"));
    const ship = task(
      "ship",
      { params },
      ({ argument }, _a: number, _b: string, _c: string[]): unknown[] =>
        ["customer", "constructor", "__proto__"].map((name) => argument(name)),
    );
    const execution = await docket.add(ship)(7, "b", ["c"]);

    await stage.finish(docket);

    deepEqual(await execution.result(), [7, "b", ["c"]]);
  });

  test("throws a TypeError for a name that there is not, and tells which there are", async (stage) => {
    const docket = await stage.connect();
    const named = task(
      "named",
      ({ argument }, _id: number, _name: string): unknown => argument("id"),
    );
    const renamed = task(
      "renamed",
      { params: new Params("customer") },
      ({ argument }, _id: number): unknown => argument("_id"),
    );
    const bare = task("bare", ({ argument }): unknown => argument("toString"));
    const executions = [
      await docket.add(named)(1, "a"),
      await docket.add(renamed)(1),
      await docket.add(bare)(),
    ];

    await stage.finish(docket);

    const causes = await Promise.all(executions.map(failureOf));
    deepEqual(causes.map(({ name }) => name), ["TypeError", "TypeError", "TypeError"]);
    deepEqual(causes.map(({ message }) => message), [
      'Cannot give the argument "id" of "named": its parameters are _id, _name',
      'Cannot give the argument "_id" of "renamed": its parameters are customer',
      'Cannot give the argument "toString" of "bare": its parameters are not known: name them with Params',
    ]);
  });

  test("gives a factory what the handler is called with, also deep below", async (stage) => {
    const docket = await stage.connect();
    const connection = new Depends(({ argument }) => `to ${argument("region")}`);
    const customer = new Depends({ connection }, (context) => {
      return `${context.argument("customerId")} ${context.connection}`;
    });
    const closing: unknown[] = [];
    const session = new Depends(function* ({ argument }) {
      yield argument;
      closing.push(argument("customerId"));
    });
    const ship = task(
      "ship",
      { customer, session },
      ({ customer, session }, _customerId: number, _region: string): unknown[] => [
        customer,
        session("_region"),
      ],
    );
    const named = task(
      "named",
      { customer, session, params: new Params("customerId", "region") },
      (
        { customer, session },
        _id: number,
        _place: string,
      ): unknown[] => [customer, session("region")],
    );
    const unknown = await docket.add(ship)(7, "eu");
    const known = await docket.add(named)(7, "eu");

    await stage.finish(docket);

    deepEqual(await known.result(), ["7 to eu", "eu"]);
    deepEqual(closing, [7]);
    equal((await failureOf(unknown)).name, "DependencyError");
  });

  test("gives each attempt, and each run of a chain, what it is called with", async (stage) => {
    const docket = await stage.connect();
    const seen: unknown[] = [];
    const chain = task(
      "chain",
      { perpetual: new Perpetual<[n: number]>(), retry: new Retry({ attempts: 2 }) },
      ({ argument, perpetual, attempt }, n: number): void => {
        seen.push(argument("n"));
        if (attempt === 1) throw new Error("whoops");
        perpetual.perpetuate(n + 1);
        if (n === 3) perpetual.cancel();
      },
    );
    await docket.add(chain, { key: "k" })(1);

    stage.start(docket);
    await stage.eventually(async () => (await docket.execution("k"))?.state === "completed");

    deepEqual(seen, [1, 1, 2, 2, 3, 3]);
  });

  test("gives arguments that only the codec can carry", async (stage) => {
    const docket = await stage.connect();
    const look = task(
      "look",
      ({ argument }, given: Map<string, Date>): boolean =>
        argument("given") === given && given.get("d")!.getTime() === 5,
    );
    const execution = await docket.add(look)(new Map([["d", new Date(5)]]));

    await stage.finish(docket);

    equal(await execution.result(), true);
  });
});

onEveryStorage("Params", (test) => {
  // 85
  test("has failures and retries logged with what may be logged, and nothing else", async (stage) => {
    const docket = await stage.connect();
    const params = new Params(
      "customerId",
      logged("locale"),
      loggedLength("items"),
      logged("note"),
    );
    const ship = task(
      "ship",
      { params, retry: new Retry({ attempts: 3 }) },
      (_context, _id: string, _locale: string, _items: string[], _note?: string): void => {
        throw new Error("whoops");
      },
    );

    await docket.add(ship, { key: "k" })(SECRET, "en", [SECRET, SECRET]);
    await stage.finish(docket);

    const shown = failures().map(({ level, properties }) => [
      level,
      properties.attempt,
      properties.arguments,
    ]);
    const expected = { locale: "en", items: 2 };
    deepEqual(shown, [["warning", 1, expected], ["warning", 2, expected], ["error", 3, expected]]);
    deepEqual(lines.filter((line) => textOf(line).includes(SECRET)), []);
  });

  // 85
  test("has nothing logged of a task without it, or without logged parameters", async (stage) => {
    const docket = await stage.connect();
    const fail = () => {
      throw new Error("whoops");
    };
    const bare = task("bare", (_context, _password: string): void => fail());
    const named = task(
      "named",
      { params: new Params("password") },
      (_context, _password: string): void => fail(),
    );
    function plain(_password: string): void {
      fail();
    }

    await docket.add(bare)(SECRET);
    await docket.add(named)(SECRET);
    await docket.add(plain)(SECRET);
    await stage.finish(docket);

    equal(failures().length, 3);
    for (const { properties } of failures()) {
      deepEqual(Object.keys(properties.arguments ?? {}), [], String(properties.task));
    }
    deepEqual(lines.filter((line) => textOf(line).includes(SECRET)), []);
  });

  // 85: whatever goes wrong
  test("keeps arguments out of every line, whatever goes wrong", async (stage) => {
    const docket = await stage.connect();
    const later = { delay: "1h" } as const;
    const failing = new Depends(() => {
      throw new Error("cannot connect");
    });
    const closing = new Depends(() => ({
      [Symbol.dispose]() {
        throw new Error("cannot close");
      },
    }));
    class Undecided extends Dependency<void> {
      override open(): void {}
      override decide(): never {
        throw new Error("cannot decide");
      }
      override succeed(): never {
        throw new Error("cannot go on");
      }
    }
    const tasks = {
      opens: task("opens", { failing }, (_context, _password: string): void => {}),
      closes: task("closes", { closing }, (_context, _password: string): void => {}),
      fails: task("fails", { closing }, (_context, _password: string): void => {
        throw new Error("whoops");
      }),
      undecided: task("undecided", { policy: new Undecided() }, (_context, _password: string) => {
        throw new Error("whoops");
      }),
      times: task("times", { timeout: new Timeout(5) }, async ({ signal }, _password: string) => {
        await aborted(signal);
      }),
      gives: task("gives", (_context, _password: string): unknown => () => "no function is kept"),
      asks: task("asks", ({ argument }, _password: string): unknown => argument("pasword")),
      goesOn: task(
        "goesOn",
        { perpetual: new Perpetual<[password: unknown]>({ onExhausted: "stop" }) },
        ({ perpetual }, _password: unknown): void => perpetual.perpetuate(() => "nor here"),
      ),
      struck: task("struck", (_context, _password: string): void => {}),
      holds: task("holds", async ({ signal, progress }, _password: string): Promise<void> => {
        progress.increment();
        await aborted(signal);
        throw signal.reason;
      }),
    };
    for (const [name, each] of Object.entries(tasks)) {
      await docket.add(each as typeof tasks.struck, { key: name })(SECRET);
    }
    await docket.add("nobody knows it", { key: "unknown" })(SECRET);
    await docket.add(tasks.struck, { key: "replaced", ...later })(SECRET);
    await docket.replace(tasks.struck, { key: "replaced", ...later })(SECRET);
    await docket.cancel("replaced");
    await docket.strike({ task: "struck" });
    await docket.strike({ parameter: "_password", value: { the: SECRET } });
    await docket.add(tasks.struck, { key: "again" })(SECRET);
    const worker = stage.start(docket, {
      onError() {
        throw new Error("nor can this");
      },
    });
    const held = await docket.execution("holds");
    await stage.eventually(async () => {
      const found = await Promise.all(Object.keys(tasks).map((key) => docket.execution(key)));
      const going = found.filter((each) => each?.completedAt === undefined);
      return going.every((each) => each?.key === "holds" || each?.key === "goesOn") &&
        (await held!.refresh()).state === "running";
    });
    await docket.cancel("goesOn");
    await stage.soon(worker.close()); // gives back what it holds
    stage.start(docket);
    await stage.eventually(async () => (await held!.refresh()).state === "running");
    await docket.cancel("holds");
    await stage.eventually(async () => (await held!.refresh()).state === "cancelled");

    ok(failures().length >= 10, `only ${failures().length} lines`);
    deepEqual(lines.filter((line) => textOf(line).includes(SECRET)).map(textOf), []);
  });

  // 85: what cannot be read is not shown either
  test("keeps arguments out of the line about what cannot be read", async (stage) => {
    const wrapped: Codec = {
      encode: (value) => `${SECRET} ${JSON.stringify(value)}`,
      decode: (text) => JSON.parse(text.slice(SECRET.length)),
    };
    const producer = await stage.connect({ codec: wrapped });
    const consumer = await stage.connect();
    const storage = await stage.open();
    const look = task("look", (_context, _text: string): void => {});
    consumer.register(look);
    const schedule = { mode: "add", due: undefined } as const;
    const bodies = [
      SECRET,
      `{"${SECRET}`,
      `{"task":"look","args":{"a":"${SECRET}"}}`,
      `{"task":"look","args":"~${SECRET}"}`,
      `{"task":"look","args":"[${SECRET}"}`,
      `{"task":"look","args":"{\\"a\\":\\"${SECRET}\\"}"}`,
      `{"task":"look","args":[{"__proto__":"${SECRET}"}]}`,
    ];
    await storage.schedule(bodies.map((body, n) => ({
      key: `k${n}`,
      generation: randomId(),
      ...schedule,
      body,
    })));
    await producer.add(look, { key: "wrapped" })(SECRET);

    await stage.finish(consumer);

    equal(failures().length, bodies.length + 1);
    const telling = lines.filter((line) => textOf(line).includes(SECRET));
    deepEqual(telling.map(({ properties }) => properties.key), []);
  });

  // 85: also where two workers have it
  test("keeps arguments out of the line about a lease that was lost", async (stage) => {
    const freezer = new Freezer();
    stage.afterwards(() => freezer.thaw());
    const docket = await stage.connect({ storage: freezer.around(await stage.open()) });
    const other = await stage.connect();
    const gate = Promise.withResolvers<void>();
    stage.afterwards(() => gate.resolve());
    let began = false; // here, not just in the storage: else the frozen one never hears of its claim
    const work = task("work", async ({ worker }, _password: string): Promise<void> => {
      if (worker.name !== "mortal") return;
      began = true;
      await gate.promise;
    });
    other.register(work);
    const { key } = await docket.add(work)(SECRET);
    const execution: Execution = (await other.execution(key))!;
    stage.start(docket, { name: "mortal", redeliveryTimeout: 200 });
    await stage.eventually(() => began);

    freezer.freeze();
    stage.start(other, { redeliveryTimeout: 200 });
    await stage.soon(execution.result());
    freezer.thaw();
    gate.resolve();

    await stage.eventually(() =>
      lines.some(({ rawMessage }) => `${rawMessage}`.startsWith("Fenced"))
    );
    deepEqual(lines.filter((line) => textOf(line).includes(SECRET)), []);
  });

  test("is one of its kind, and gives the handler nothing", async (stage) => {
    const docket = await stage.connect();
    const look = task(
      "look",
      { params: new Params("id") },
      (context, id: number): unknown[] => [context.params, id],
    );
    const execution = await docket.add(look)(7);

    await stage.finish(docket);

    deepEqual(await execution.result(), [undefined, 7]);
  });

  test("may name fewer or more than there are", async (stage) => {
    const docket = await stage.connect();
    const few = task(
      "few",
      { params: new Params(logged("a")) },
      (_context, _a: number, _b: string): void => {
        throw new Error("whoops");
      },
    );
    const many = task(
      "many",
      { params: new Params(logged("a"), logged("b"), loggedLength("c")) },
      (_context, _a: number): void => {
        throw new Error("whoops");
      },
    );

    await docket.add(few)(1, SECRET);
    await docket.add(many)(2);
    await stage.finish(docket, { concurrency: 1 });

    deepEqual(failures().map(({ properties }) => properties.arguments), [{ a: 1 }, { a: 2 }]);
    deepEqual(lines.filter((line) => textOf(line).includes(SECRET)), []);
  });
});

onMemory("Params", (test) => {
  test("names what strikes go by, and what workers say they can run", async (stage) => {
    const docket = await stage.connect();
    const ran: number[] = [];
    const ship = task(
      "ship",
      { params: new Params("customer", loggedLength("items")) },
      (_context, id: number, _list: string[]): void => void ran.push(id),
    );
    docket.register(ship);
    await docket.strike({ task: "ship", parameter: "customer", value: 7 });
    const executions = [
      await docket.add(ship)(7, []),
      await docket.add(ship)(8, []),
    ];
    const worker = stage.start(docket);
    await stage.soon(executions[1].result());
    const [info] = await docket.workers();
    await worker.close();

    deepEqual(executions.map(({ disposition }) => disposition), ["struck", "scheduled"]);
    deepEqual(ran, [8]);
    deepEqual(info.tasks.ship, ["customer", "items"]);
  });
});

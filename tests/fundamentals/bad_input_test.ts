/**
 * Mistakes are told where they are made, with the type that fits, before anything is written.
 *
 * @module
 */

import {
  deepStrictEqual as deepEqual,
  ok,
  rejects,
  strictEqual as equal,
  throws,
} from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { test as declare } from "node:test";
import {
  type AddOptions,
  ConcurrencyLimit,
  Cooldown,
  Cron,
  Debounce,
  Depends,
  Docket,
  type DocketOptions,
  type Execution,
  ExponentialRetry,
  PayloadTooLargeError,
  Perpetual,
  RateLimit,
  Retry,
  SerializationError,
  task,
  Timeout,
  Worker as DocketWorker,
} from "../../mod.ts";
import { onEveryStorage, type Stage } from "../_harness.ts";

/** Nothing was scheduled in this test, whatever it tried. */
async function nothingWritten(stage: Stage): Promise<void> {
  const storage = await stage.open();
  equal(await storage.count(), 0);
  const [found] = await storage.load(["k"]);
  deepEqual(Object.values(found).filter((part) => part !== undefined), []);
}

/** The message names what was wrong. */
function telling(name: string, ...parts: readonly string[]): (error: Error) => true {
  return (error) => {
    equal(error.name, name, error.message);
    for (const part of parts) ok(error.message.includes(part), `${error.message} lacks ${part}`);
    ok(error.message.startsWith("Cannot "), error.message);
    ok(!error.message.endsWith("."), error.message);
    return true;
  };
}

class Custom {
  readonly x = 1;
}

class Special extends Map<string, string> {}

function deep(levels: number): unknown {
  let value: unknown = 1;
  for (let n = 0; n < levels; n++) value = { a: value };
  return value;
}

/** What cannot be carried, and where it stands. */
const unserializable: readonly (readonly [what: string, args: unknown[], path: string])[] = [
  ["a function", [() => 1], "args[0]"],
  ["a method", [{ user: { save() {} } }], "args[0].user.save"],
  ["a symbol", ["fine", Symbol("s")], "args[1]"],
  ["a class instance", [{ list: [1, new Custom()] }], "args[0].list[1]"],
  ["a subclass of a built-in", [new Special()], "args[0]"],
  ["a promise", [Promise.resolve(1)], "args[0]"],
  ["a weak map", [new WeakMap()], "args[0]"],
  ["a symbol key", [{ [Symbol("s")]: 1 }], "args[0]"],
  ["a __proto__ key", [JSON.parse('{"a":{"__proto__":{}}}')], "args[0].a.__proto__"],
  ["something too deep", [deep(101)], "args[0]"],
  ["something in a map", [new Map([["k", () => 1]])], "args[0].get(k)"],
  ["something in a set", [new Set([Symbol("s")])], "args[0].values()"],
  ["the cause of an error", [new Error("e", { cause: () => 1 })], "args[0].cause"],
  ["a getter that throws", [{
    get x(): number {
      throw new Error("no");
    },
  }], "args"],
];

onEveryStorage("Docket.add()", (test) => {
  for (const [what, args, path] of unserializable) {
    test(`refuses ${what}, and says where it stands`, async (stage) => {
      const docket = await stage.connect();
      function take(..._args: unknown[]): void {}

      await rejects(docket.add(take, { key: "k" })(...args), (error) => {
        ok(error instanceof SerializationError, String(error));
        equal(error.code, "SERIALIZATION");
        ok(error.path.startsWith(path), `${error.path} is not ${path}`);
        ok(error.message.startsWith("Cannot carry "), error.message);
        return true;
      });
      await nothingWritten(stage);
    });
  }

  // F36
  test("refuses arguments that are too large", async (stage) => {
    const docket = await stage.connect({ maxPayloadBytes: 100 });
    function take(_text: string): void {}

    for (const text of ["x".repeat(97), "é".repeat(49), "🎈".repeat(25)]) {
      await rejects(docket.add(take, { key: "k" })(text), (error) => {
        ok(error instanceof PayloadTooLargeError, String(error));
        equal(error.code, "PAYLOAD_TOO_LARGE");
        equal(error.limit, 100);
        equal(error.bytes, new TextEncoder().encode(JSON.stringify([text])).length);
        ok(error.message.includes('"take"'));
        return true;
      });
    }
    await nothingWritten(stage);
  });

  // F36
  test("refuses more than a mebibyte when nothing else is said", async (stage) => {
    const docket = await stage.connect();
    function take(text: string): number {
      return text.length;
    }

    const fits = await docket.add(take)("x".repeat(1_048_572));
    await rejects(docket.add(take, { key: "k" })("x".repeat(1_048_573)), PayloadTooLargeError);
    await stage.finish(docket);

    equal(await fits.result(), 1_048_572);
    await nothingWritten(stage);
  });

  test("refuses times and keys that cannot be, where they are given", async (stage) => {
    const docket = await stage.connect();
    function noop(): void {}
    const refused: readonly (readonly [options: unknown, name: string, ...parts: string[]])[] = [
      [{ when: 1, delay: 1 }, "TypeError", '"when"', '"delay"'],
      [{ when: NaN }, "RangeError", '"when"', "NaN"],
      [{ when: Infinity }, "RangeError", '"when"', "Infinity"],
      [{ when: new Date(NaN) }, "RangeError", '"when"', "invalid Date"],
      [{ when: 8.65e15 }, "RangeError", '"when"'],
      [{ when: "tomorrow" }, "TypeError", '"when"', '"tomorrow"'],
      [{ when: {} }, "TypeError", '"when"'],
      [{ when: null }, "TypeError", '"when"', "null"],
      [{ when: 1n }, "TypeError", '"when"'],
      [{ delay: -1 }, "RangeError", '"delay"', "-1"],
      [{ delay: NaN }, "RangeError", '"delay"', "NaN"],
      [{ delay: Infinity }, "RangeError", '"delay"', "Infinity"],
      [{ delay: "soon" }, "RangeError", '"delay"', '"soon"'],
      [{ delay: "" }, "RangeError", '"delay"'],
      [{ delay: "5" }, "RangeError", '"delay"'],
      [{ delay: "-5s" }, "RangeError", '"delay"'],
      [{ delay: { seconds: -1 } }, "RangeError", '"delay"'],
      [{ delay: { seconds: NaN } }, "RangeError", '"delay"'],
      [{ delay: { fortnights: 1 } }, "TypeError", '"delay"', "fortnights"],
      [{ delay: {} }, "TypeError", '"delay"'],
      [{ delay: null }, "TypeError", '"delay"', "null"],
      ...("Temporal" in globalThis // not before Node 26
        ? [[{ delay: Temporal.Duration.from("-PT1S") }, "RangeError", '"delay"'] as const]
        : []),
      [{ key: "x".repeat(1_025) }, "RangeError", "key", "1024"],
      [{ key: "é".repeat(513) }, "RangeError", "key", "1024"],
      [{ key: "\ud83c" }, "TypeError", "key", "surrogate"],
      [{ key: "a\udf88b" }, "TypeError", "key", "surrogate"],
      [{ key: 42 }, "TypeError", "key", "number"],
      [{ key: null }, "TypeError", "key"],
      [{ key: ["k"] }, "TypeError", "key"],
    ];

    for (const [options, name, ...parts] of refused) {
      throws(() => docket.add(noop, options as AddOptions), telling(name, ...parts));
      throws(
        () => docket.replace(noop, { key: "k", ...options as AddOptions }),
        telling(name, ...parts),
      );
    }
    await nothingWritten(stage);
  });

  test("refuses what is no task, or has no name", async (stage) => {
    const docket = await stage.connect();

    throws(() => docket.add(() => {}), telling("TypeError", "anonymous", "task("));
    throws(() => docket.add((() => function () {})()), telling("TypeError", "anonymous"));
    throws(() => docket.add(""), telling("TypeError", "name"));
    for (const nothing of [undefined, null, 42, {}, Symbol("s")]) {
      throws(() => docket.add(nothing as never), telling("TypeError", "task"));
    }
    await nothingWritten(stage);
  });

  test("refuses another function under a name that is taken", async (stage) => {
    const docket = await stage.connect();
    const [one, other] = [1, 2].map((n) => task("same", (): number => n));
    const first = await docket.add(one)();

    throws(() => docket.add(other, { key: "k" }), telling("TypeError", '"same"'));
    await nothingWrittenUnder(stage, "k");
    await stage.finish(docket);

    equal(await first.result(), 1);
  });

  test("does nothing once its signal has aborted", async (stage) => {
    const docket = await stage.connect();
    function noop(): void {}
    const enough = new Error("enough");

    await rejects(docket.add(noop, { key: "k", signal: AbortSignal.abort(enough) })(), enough);
    await nothingWritten(stage);
  });

  test("refuses when the docket is closed", async (stage) => {
    const docket = await stage.connect();
    function noop(): void {}
    await docket.close();

    await rejects(docket.add(noop, { key: "k" })(), { code: "CONNECTION" });
    await rejects(docket.replace(noop, { key: "k" })(), { code: "CONNECTION" });
    await rejects(docket.cancel("k"), { code: "CONNECTION" });
    await rejects(docket.execution("k"), { code: "CONNECTION" });
    await nothingWritten(stage);
  });
});

async function nothingWrittenUnder(stage: Stage, key: string): Promise<void> {
  const [{ live, ended }] = await (await stage.open()).load([key]);
  deepEqual([live, ended], [undefined, undefined]);
}

onEveryStorage("Docket.cancel() and Docket.execution()", (test) => {
  test("refuse keys that cannot be", async (stage) => {
    const docket = await stage.connect();
    for (const key of ["x".repeat(1_025), "\ud83c", 42, undefined, null]) {
      const fits = (error: Error) => error instanceof TypeError || error instanceof RangeError;
      await rejects(docket.cancel(key as string), fits);
      await rejects(docket.execution(key as string), fits);
    }
  });
});

onEveryStorage("Execution.result()", (test) => {
  test("refuses a timeout that cannot be", async (stage) => {
    const docket = await stage.connect();
    function noop(): void {}
    const execution: Execution = await docket.add(noop, { delay: "1h" })();

    await rejects(execution.result({ timeout: -1 }), telling("RangeError", '"timeout"'));
    await rejects(execution.result({ timeout: "soon" }), telling("RangeError", '"timeout"'));
    await rejects(execution.result({ timeout: {} }), telling("TypeError", '"timeout"'));
  });
});

onEveryStorage("Docket.connect()", (test) => {
  test("refuses names that cannot be", async (stage) => {
    const names = ["", " ", "a b", "a:b", "{a}", "a/b", "é", "a\n", "x".repeat(129), "*", "a|b"];
    for (const name of names) {
      const refused = telling("TypeError", JSON.stringify(name));
      await rejects(Docket.connect({ name, url: stage.url, clock: stage.clock }), refused);
    }
    const odd = ["x".repeat(128), "A.b_c-9"].map((name) => `${name}${stage.name}`.slice(-128));
    for (const name of odd) equal((await stage.connect({ name })).name, name);
  });

  test("refuses options that cannot be", async (stage) => {
    const refused: readonly (readonly [options: unknown, name: string, ...parts: string[]])[] = [
      [{ maxPayloadBytes: 0 }, "RangeError", '"maxPayloadBytes"'],
      [{ maxPayloadBytes: 1.5 }, "RangeError", '"maxPayloadBytes"', "1.5"],
      [{ maxPayloadBytes: NaN }, "RangeError", '"maxPayloadBytes"', "NaN"],
      [{ executionTtl: -1 }, "RangeError", "executionTtl"],
      [{ executionTtl: "long" }, "RangeError", "executionTtl"],
      [{ executionTtl: { failed: NaN } }, "RangeError", "executionTtl.failed"],
      [{ executionTtl: {} }, "TypeError", "executionTtl"],
      [{ connectTimeout: -1 }, "RangeError", '"connectTimeout"'],
      [{ commandTimeout: "x" }, "RangeError", '"commandTimeout"'],
      [{ tasks: [() => {}] }, "TypeError", "anonymous"],
      [{ tasks: 42 }, "TypeError", "register"],
    ];
    const { name, url, clock } = stage;
    for (const [options, error, ...parts] of refused) {
      const connecting = Docket.connect({ name, url, clock, ...options as DocketOptions });
      await rejects(connecting, telling(error, ...parts));
    }
  });
});

declare("Docket.connect() refuses URLs that cannot be, and echoes no secret", async () => {
  for (const url of ["", "localhost", "not a url", "redis//x:secret@y", "http://u:secret@host/0"]) {
    await rejects(Docket.connect({ url }), (error: Error) => {
      equal(error.name, "TypeError");
      ok(!error.message.includes("secret"), error.message);
      return true;
    });
  }
});

declare("Docket.connect() fails fast when nothing answers, and echoes no secret", async () => {
  const listener = createServer().listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;
  await new Promise((resolve) => listener.close(resolve));
  const url = `redis://user:secret@127.0.0.1:${port}/0`;

  await rejects(Docket.connect({ url, connectTimeout: 500 }), (error: Error) => {
    equal(error.name, "ConnectionError");
    ok(error.message.includes(`127.0.0.1:${port}`), error.message);
    ok(!`${error.message} ${error.stack} ${error.cause}`.includes("secret"), error.message);
    return true;
  });
});

declare("task() refuses declarations that cannot be", () => {
  const refuse = (declaration: () => unknown, ...parts: readonly string[]) =>
    throws(declaration, telling("TypeError", ...parts));
  const handler = (): void => {};

  refuse(() => task("", handler), "name");
  refuse(() => task(undefined as never, handler), "name");
  refuse(() => task("t", undefined as never), '"t"');
  refuse(() => task("t", {}, "x" as never), '"t"');
  // @ts-expect-error a name of the context
  refuse(() => task("t", { docket: new Depends(() => 1) }, handler), '"docket"', '"t"');
  // @ts-expect-error a name of the context in a coming version
  refuse(() => task("t", { progress: new Depends(() => 1) }, handler), '"progress"', '"t"');
  // @ts-expect-error no dependency
  refuse(() => task("t", { db: 42 }, handler), '"db"', '"t"');
  refuse(
    () => task("t", { one: new Retry(), two: new ExponentialRetry() }, handler),
    '"one"',
    '"two"',
    "retry",
  );
  refuse(() => task("t", { a: new Timeout(1), b: new Timeout(2) }, handler), '"a"', "timeout");
  throws(() => new Depends(undefined as never), TypeError);
});

declare("Retry, ExponentialRetry and Timeout refuse options that cannot be", () => {
  const refused: readonly (readonly [make: () => unknown, name: string, option: string])[] = [
    [() => new Retry({ attempts: 0 }), "RangeError", "attempts"],
    [() => new Retry({ attempts: -1 }), "RangeError", "attempts"],
    [() => new Retry({ attempts: 1.5 }), "RangeError", "attempts"],
    [() => new Retry({ attempts: NaN }), "RangeError", "attempts"],
    [() => new Retry({ delay: -1 }), "RangeError", "delay"],
    [() => new Retry({ delay: "x" }), "RangeError", "delay"],
    [() => new Retry({ retryIf: true as never }), "TypeError", "retryIf"],
    [() => new ExponentialRetry({ minimumDelay: -1 }), "RangeError", "minimumDelay"],
    [() => new ExponentialRetry({ maximumDelay: NaN }), "RangeError", "maximumDelay"],
    [
      () => new ExponentialRetry({ minimumDelay: 2, maximumDelay: 1 }),
      "RangeError",
      "maximumDelay",
    ],
    [() => new ExponentialRetry({ factor: 0.5 }), "RangeError", "factor"],
    [() => new ExponentialRetry({ factor: Infinity }), "RangeError", "factor"],
    [() => new ExponentialRetry({ jitter: -0.1 }), "RangeError", "jitter"],
    [() => new ExponentialRetry({ jitter: 1.1 }), "RangeError", "jitter"],
    [() => new ExponentialRetry({ attempts: 0 }), "RangeError", "attempts"],
    [() => new Timeout(0), "RangeError", "after"],
    [() => new Timeout(-1), "RangeError", "after"],
    [() => new Timeout(Infinity), "RangeError", "after"],
    [() => new Timeout("x"), "RangeError", "after"],
    [() => new Timeout({} as never), "TypeError", "after"],
  ];

  for (const [make, name, option] of refused) throws(make, telling(name, `"${option}"`));
});

declare("Docket.connect() refuses options that do not exist", async () => {
  const misspelt = { url: "memory://misspelt", nmae: "orders" };

  await rejects(Docket.connect(misspelt), {
    name: "TypeError",
    message: /^Cannot use "nmae" for Docket\.connect\(\): there is no such option; there are name,/,
  });
});

declare("Docket.add() and replace() refuse options that do not exist", async () => {
  // Taken for absent, a misspelt delay would run the task now.
  await using docket = await Docket.connect({ url: "memory://misspelt" });
  function note(): void {}
  const misspelt = { key: "note", dealy: "1h" };

  throws(() => docket.add(note, misspelt), /^TypeError: Cannot use "dealy" for add\(\)/);
  throws(() => docket.replace(note, misspelt), /^TypeError: Cannot use "dealy" for replace\(\)/);
  equal(await docket.execution("note"), undefined);
});

declare("Worker refuses options that do not exist", async () => {
  await using docket = await Docket.connect({ url: "memory://misspelt" });
  const misspelt = { concurency: 5 };

  throws(() => new DocketWorker(docket, misspelt as object), /^TypeError: Cannot use "concurency"/);
});

declare("Dependencies refuse options that do not exist", () => {
  const max = 1, per = "1s", quiet = "1s", period = "1s";
  const refused: readonly (readonly [make: () => unknown, named: string])[] = [
    [() => new Retry({ atempts: 2 } as object), `"atempts" for a Retry`],
    [() => new ExponentialRetry({ delay: 2 } as object), `"delay" for an ExponentialRetry`],
    [() => new Perpetual({ evry: "1h" } as object), `"evry" for a Perpetual`],
    [() => new Cron("@daily", { tz: "UTC" } as object), `"tz" for a Cron`],
    [() => new ConcurrencyLimit({ max, per } as never), `"per" for a ConcurrencyLimit`],
    [() => new RateLimit({ max, per, exces: "drop" } as never), `"exces" for a RateLimit`],
    [() => new Cooldown({ period, quiet } as never), `"quiet" for a Cooldown`],
    [() => new Debounce({ quiet, period } as never), `"period" for a Debounce`],
  ];

  for (const [make, named] of refused) {
    throws(
      make,
      new RegExp(`^TypeError: Cannot use ${named}: there is no such option; there are `),
    );
  }
});

declare("Docket.add() refuses a bound function, whose name no worker could know", async () => {
  await using docket = await Docket.connect({ url: "memory://misspelt" });
  function note(): void {}

  throws(() => docket.add(note.bind(null)), /^TypeError: Cannot use a bound function as a task/);
});

/**
 * What arguments and results carry: exactly what was given, or a refusal before anything is written.
 *
 * @module
 */

import { deepStrictEqual, ok, rejects, strictEqual as equal, throws } from "node:assert/strict";
import { type Codec, Retry, SerializationError, task } from "../../mod.ts";
import { failureOf, onEveryStorage } from "../_harness.ts";

const cyclic: { name: string; self?: unknown } = { name: "cyclic" };
cyclic.self = cyclic;
const shared = { shared: true };

/** F32: what must come back exactly as it went. */
const carried: Readonly<Record<string, unknown>> = {
  "text": 'with "quotes", | bars, \u0000, \u2028, 🎈 and é',
  "a long text": "x".repeat(100_000),
  "something that looks encoded": "~[1]",
  "numbers": [0, 1, -1, 1e21, 5e-324, Number.MAX_SAFE_INTEGER, 0.1 + 0.2],
  "odd numbers": [NaN, Infinity, -Infinity, -0],
  "a negative zero": -0,
  "a negative zero inside": { balance: [-0] },
  "a bigint": 12345678901234567890n,
  "nothing": [undefined, null],
  "an object": { a: { b: [{ c: 1 }] }, "": 0, "constructor": "a name like any other" },
  "an object without a prototype": Object.assign(Object.create(null), { a: 1 }),
  "a date": new Date(1_700_000_000_123),
  "maps and sets": [new Map<unknown, unknown>([[1, "a"], ["b", new Set([2])]]), new Set([])],
  "a pattern": /a\/b"c/giu,
  "a URL": new URL("https://example.com/a?b=c#d"),
  "bytes": [new Uint8Array([0, 255]), new Float64Array([NaN]), new Uint8Array([1]).buffer],
  "an error": new RangeError("too far", { cause: new Error("before") }),
  "Temporal, where the runtime has it": "Temporal" in globalThis
    ? [
      Temporal.Instant.from("2026-01-01T00:00:00Z"),
      Temporal.Duration.from("PT5M"),
      Temporal.ZonedDateTime.from("2026-01-01T00:00[Europe/Berlin]"),
    ]
    : [],
};

onEveryStorage("Arguments", (test) => {
  test("arrive as they were given, and results return so", async (stage) => {
    const docket = await stage.connect();
    const received = new Map<string, unknown>();
    function echo(name: string, value: unknown): unknown {
      received.set(name, value);
      return value;
    }
    const executions = await Promise.all(
      Object.entries(carried).map(([name, value]) => docket.add(echo, { key: name })(name, value)),
    );

    await stage.finish(docket);

    for (const execution of executions) {
      deepStrictEqual(received.get(execution.key), carried[execution.key], execution.key);
      deepStrictEqual(await execution.result(), carried[execution.key], execution.key);
    }
    equal(executions.length, received.size);
  });

  // On its own, as for deepStrictEqual in Node 20 no two of them are equal.
  test("may be a date that is none", async (stage) => {
    const docket = await stage.connect();
    function echo(date: Date): Date {
      return date;
    }
    const execution = await docket.add(echo)(new Date(NaN));

    await stage.finish(docket);

    const result = await execution.result();
    ok(result instanceof Date);
    equal(result.getTime(), NaN);
  });

  test("may be cyclic, or the same object twice", async (stage) => {
    const docket = await stage.connect();
    let arrived: readonly [typeof cyclic, object, object] | undefined;
    function keep(...args: [typeof cyclic, object, object]): void {
      arrived = args;
    }

    await docket.add(keep)(cyclic, shared, shared);
    await stage.finish(docket);

    const [loop, one, other] = arrived!;
    equal(loop.self, loop);
    equal(loop.name, "cyclic");
    equal(one, other);
    deepStrictEqual(one, { shared: true });
  });

  test("keep their number: absent ones get their defaults", async (stage) => {
    const docket = await stage.connect();
    const received: unknown[][] = [];
    function note(a = "a", b = "b", ...rest: unknown[]): void {
      received.push([a, b, ...rest]);
    }

    await docket.add(note, { when: 1 })();
    await docket.add(note, { when: 2 })(undefined, "B");
    await docket.add(note, { when: 3 })("A", "B", undefined, null);
    await stage.finish(docket, { concurrency: 1 });

    deepStrictEqual(received, [["a", "b"], ["a", "B"], ["A", "B", undefined, null]]);
  });

  test("are those of the moment of the call", async (stage) => {
    const docket = await stage.connect();
    let arrived: unknown;
    function keep(order: { state: string }): void {
      arrived = order;
    }
    const order = { state: "ordered" };

    const scheduled = docket.add(keep)(order);
    order.state = "changed";
    await scheduled;
    await stage.finish(docket);

    deepStrictEqual(arrived, { state: "ordered" });
  });

  test("arrive anew at each attempt", async (stage) => {
    const docket = await stage.connect();
    const seen: number[] = [];
    const grow = task("grow", { retry: new Retry({ attempts: 3 }) }, (_context, list: number[]) => {
      seen.push(list.push(0));
      if (seen.length < 3) throw new Error("whoops");
    });

    await docket.add(grow)([1]);
    await stage.finish(docket);

    deepStrictEqual(seen, [2, 2, 2]);
  });

  test("are shown by the handle, in any process", async (stage) => {
    const docket = await stage.connect();
    const observer = await stage.connect();
    function noop(..._args: unknown[]): void {}
    const args = [1, { when: new Date(0) }, new Map([["a", 1n]])];

    const execution = await docket.add(noop, { key: "noop", delay: "1h" })(...args);

    deepStrictEqual(execution.args, args);
    deepStrictEqual((await observer.execution("noop"))?.args, args);
  });

  test("up to the limit are carried", async (stage) => {
    const docket = await stage.connect({ maxPayloadBytes: 1_000 });
    function measure(text: string): number {
      return text.length;
    }

    const execution = await docket.add(measure)("x".repeat(996)); // with brackets and quotes
    await stage.finish(docket);

    equal(await execution.result(), 996);
  });

  // 39: an error before the body fails that task only; another attempt could not read them either
  test("that cannot be read fail that task only, at once", async (stage) => {
    const docket = await stage.connect();
    const storage = await stage.open();
    let runs = 0;
    const count = task("count", { retry: Retry.forever() }, (): void => void runs++);
    docket.register(count);
    const generation = "AAAAAAAAAAAAAAAAAAAAAA";
    const body = JSON.stringify({ task: "count", args: '~[["Nonsense",1]]' });
    await storage.schedule([{ key: "bad", generation, mode: "add", due: undefined, body }]);
    const good = await docket.add(count)();

    await stage.finish(docket);

    const bad = await docket.execution("bad");
    await rejects(bad!.result(), (error: Error) => error.cause instanceof Error);
    equal(bad?.state, "failed");
    equal((bad?.error as Error).name, "SerializationError");
    equal((await good.refresh()).state, "completed");
    equal(runs, 1);
  });
});

onEveryStorage("A result", (test) => {
  // F33: the work is done, doing it again would do it twice
  test("that cannot be carried fails the task, once", async (stage) => {
    const docket = await stage.connect();
    let runs = 0;
    const give = task("give", { retry: Retry.forever() }, (): unknown => {
      runs++;
      return { user: { save: () => {} } };
    });
    const execution = await docket.add(give)();

    await stage.finish(docket);

    const cause = await failureOf(execution);
    equal(runs, 1);
    ok(cause instanceof Error);
    equal(cause.name, "SerializationError");
    ok(cause.message.includes("result.user.save"), cause.message);
  });

  // F36: as large as arguments may be, and no larger
  test("that is too large fails the task, once", async (stage) => {
    const docket = await stage.connect({ maxPayloadBytes: 100 });
    let runs = 0;
    const give = task("give", { retry: Retry.forever() }, (_context, length: number): string => {
      runs++;
      return "é".repeat(length);
    });
    const [fits, exceeds] = [await docket.add(give)(49), await docket.add(give)(50)];

    await stage.finish(docket);

    const cause = await failureOf(exceeds);
    equal(cause.name, "PayloadTooLargeError");
    equal(
      cause.message,
      'Cannot keep the result of "give": it takes 102 bytes, more than the 100 allowed',
    );
    equal((await fits.result()).length, 49);
    equal(runs, 2);
  });

  // "" is what stands for undefined: these are something else
  test("that is empty is told from none", async (stage) => {
    const docket = await stage.connect();
    function echo(value: unknown): unknown {
      return value;
    }
    const values = ["", null, 0, false, [], {}, undefined];
    const executions = await Promise.all(values.map((value) => docket.add(echo)(value)));

    await stage.finish(docket);

    const results = await Promise.all(executions.map((execution) => execution.result()));
    deepStrictEqual(results, values);
  });
});

onEveryStorage("Docket.connect({ codec })", (test) => {
  /** Text in reverse, so that nobody mistakes it for JSON. */
  const backwards: Codec = {
    encode: (value) => [...JSON.stringify(value) ?? ""].reverse().join(""),
    decode: (text) => text === "" ? undefined : JSON.parse([...text].reverse().join("")),
  };

  test("encodes arguments and results its own way", async (stage) => {
    const docket = await stage.connect({ codec: backwards });
    const plain = await stage.connect();
    const storage = await stage.open();
    function echo(value: unknown): unknown {
      return value;
    }

    const execution = await docket.add(echo, { key: "echo" })({ a: [1, "b"] });
    const [{ live }] = await storage.load(["echo"]);
    const stranger = await plain.execution("echo");
    await stage.finish(docket);

    ok(live?.body.includes(JSON.stringify(backwards.encode([{ a: [1, "b"] }]))));
    equal(stranger?.task, "echo"); // the name is ours
    throws(() => stranger?.args, SerializationError);
    deepStrictEqual(execution.args, [{ a: [1, "b"] }]);
    deepStrictEqual(await execution.result(), { a: [1, "b"] });
  });
});

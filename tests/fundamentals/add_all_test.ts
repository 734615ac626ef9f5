/**
 * Many calls in one round trip.
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
import type { Call, Scheduling } from "../../src/storage/contract.ts";
import {
  type CallOptions,
  ConnectionError,
  type Docket,
  type Execution,
  PlannedCall,
  StorageFullError,
  task,
} from "../../mod.ts";
import { altered, onEveryStorage, onMemory, type Stage } from "../_harness.ts";

function note(_n: number): void {}

/** A docket of which it is known what it has scheduled. */
async function counted(
  stage: Stage,
  before: (calls: readonly Call[], options?: Scheduling) => Promise<void> = () => Promise.resolve(),
): Promise<{ readonly docket: Docket; readonly requests: (readonly Call[])[] }> {
  const storage = await stage.open();
  const schedule = storage.schedule.bind(storage);
  const requests: (readonly Call[])[] = [];
  const docket = await stage.connect({
    storage: altered(storage, {
      async schedule(calls, options) {
        requests.push(calls);
        await before(calls, options);
        return await schedule(calls, options);
      },
    }),
  });
  return { docket, requests };
}

function dispositionsOf(executions: readonly Execution[]): (string | undefined)[] {
  return executions.map(({ disposition }) => disposition);
}

onEveryStorage("Docket.addAll()", (test) => {
  test("schedules every call, each with its own arguments, key and result", async (stage) => {
    const docket = await stage.connect();
    const greet = task("greet", ({ key }, name: string, greeting = "Hello"): string => {
      return `${greeting}, ${name}! (${key})`;
    });
    function double(n: number): number {
      return 2 * n;
    }

    const executions = await docket.addAll([
      docket.call(greet, { key: "jane" })("Jane"),
      docket.call(double)(21),
      docket.call<typeof greet>("greet", { key: "john" })("John", "Howdy"),
      docket.call("double", { key: "named" })(4),
    ]);
    await stage.finish(docket);

    const results = await Promise.all(executions.map((execution) => execution.result()));
    deepEqual(results, ["Hello, Jane! (jane)", 42, "Howdy, John! (john)", 8]);
    deepEqual(dispositionsOf(executions), Array(4).fill("scheduled"));
    deepEqual(executions.map(({ task }) => task), ["greet", "double", "greet", "double"]);
    deepEqual(executions.map(({ args }) => args), [["Jane"], [21], ["John", "Howdy"], [4]]);
    equal(executions[1].key.length, 20);
  });

  test("is one request for up to a thousand calls", async (stage) => {
    const { docket, requests } = await counted(stage);
    const calls = Array.from({ length: 1_000 }, (_, n) => docket.call(note)(n));

    const executions = await docket.addAll(calls);

    deepEqual(requests.map(({ length }) => length), [1_000]);
    deepEqual(executions.map(({ args }) => args), Array.from({ length: 1_000 }, (_, n) => [n]));
    deepEqual(executions.map(({ key }) => key), calls.map(({ key }) => key));
  });

  test("is as many requests as it takes for more, and gives all in order", async (stage) => {
    const { docket, requests } = await counted(stage);
    const seen: number[] = [];
    const record = task("record", (_context, n: number): void => void seen.push(n));

    const executions = await docket.addAll(
      Array.from({ length: 2_500 }, (_, n) => docket.call(record, { key: `k${n}` })(n)),
    );
    await stage.finish(docket, { concurrency: 1 });

    deepEqual(requests.map(({ length }) => length).toSorted((a, b) => b - a), [1_000, 1_000, 500]);
    deepEqual(new Set(dispositionsOf(executions)), new Set(["scheduled"]));
    deepEqual(executions.map(({ args }) => args[0]), Array.from({ length: 2_500 }, (_, n) => n));
    deepEqual(seen, Array.from({ length: 2_500 }, (_, n) => n)); // first come, first run
  });

  // 6, 7: the first of two with one key, wherever they stand
  test("keeps the first of two calls with one key, however far apart they are", async (stage) => {
    const docket = await stage.connect();
    const other = await stage.connect();
    const seen: string[] = [];
    const record = task("record", (_context, text: string): void => void seen.push(text));
    const call = (key: string, text: string) => docket.call(record, { key })(text);
    const filler = Array.from({ length: 2_200 }, (_, n) => docket.call(note)(n));

    const near = await docket.addAll([call("a", "first"), call("a", "second"), call("b", "other")]);
    await other.strike({ task: "something else" }); // so that every request is sent once more
    const far = await docket.addAll([call("c", "first"), ...filler, call("c", "second")]);
    await stage.finish(docket);

    deepEqual(dispositionsOf(near), ["scheduled", "exists", "scheduled"]);
    deepEqual(near[1].args, ["first"]);
    deepEqual([far[0].disposition, far.at(-1)?.disposition], ["scheduled", "exists"]);
    deepEqual(far.at(-1)?.args, ["first"]);
    deepEqual(seen.toSorted(), ["first", "first", "other"]);
  });

  test("tells of each call what became of it", async (stage) => {
    const docket = await stage.connect();
    function struck(_n: number): void {}
    await docket.add(note, { key: "live", delay: "1h" })(0);
    await docket.strike({ task: "struck" });
    await docket.strike({ task: note, parameter: "_n", operator: ">", value: 100 });

    const executions = await docket.addAll([
      docket.call(struck, { key: "s1" })(1),
      docket.call(note, { key: "live" })(1),
      docket.call(note, { key: "s2" })(101),
      docket.call(note, { key: "new", delay: "1h" })(2),
      docket.call("struck", { key: "s3" })(3),
      docket.call(note, { key: "new" })(3),
    ]);

    deepEqual(dispositionsOf(executions), [
      "struck",
      "exists",
      "struck",
      "scheduled",
      "struck",
      "exists",
    ]);
    deepEqual(executions.map(({ args }) => args[0]), [1, 0, 101, 2, 3, 2]);
    deepEqual(executions.map(({ state }) => state), [
      "cancelled",
      "scheduled",
      "cancelled",
      "scheduled",
      "cancelled",
      "scheduled",
    ]);
    deepEqual(executions.map(({ reason }) => reason), [
      "struck",
      undefined,
      "struck",
      undefined,
      "struck",
      undefined,
    ]);
    for (const key of ["s1", "s2", "s3"]) equal(await docket.execution(key), undefined);
  });

  // 56: also strikes that this docket has not heard of
  test("schedules nothing that somebody else has struck", async (stage) => {
    const docket = await stage.connect();
    const other = await stage.connect();
    function struck(): void {}
    await docket.addAll([docket.call(note)(0)]);

    await other.strike({ task: "struck" });
    const executions = await docket.addAll(
      Array.from(
        { length: 1_500 },
        (_, n) =>
          n % 2 === 0
            ? docket.call(struck, { key: `k${n}` })()
            : docket.call(note, { key: `k${n}` })(n),
      ),
    );

    deepEqual(
      dispositionsOf(executions),
      Array.from({ length: 1_500 }, (_, n) => n % 2 === 0 ? "struck" : "scheduled"),
    );
  });

  test("heeds the options of each call", async (stage) => {
    const docket = await stage.connect();
    const now = stage.clock.now();
    const at = now + 3_600_000;
    const greet = task("greet", (_context, name: string): string => `Hello, ${name}!`);

    const executions = await docket.addAll([
      docket.call(greet, { when: new Date(at), key: "when" })("when"),
      docket.call(greet, { when: at })("number"),
      docket.call(greet, { delay: "2h" })("delay"),
      docket.call(greet, { delay: 0 })("now"),
      docket.call(greet, { when: 0, ttl: 0, key: "past" })("past"),
    ]);
    const shown = executions.map(({ when, state }) => [when!.getTime(), state] as const);
    stage.start(docket);
    await stage.soon(executions[3].result());
    await stage.eventually(async () => (await executions[4].refresh()).state === "completed");
    const storage = await stage.open();
    const [{ ended }] = await storage.load(["past"]);

    deepEqual(shown.map(([, state]) => state), [
      "scheduled",
      "scheduled",
      "scheduled",
      "queued",
      "queued",
    ]);
    deepEqual([shown[0][0], shown[1][0]], [at, at]);
    ok(shown[2][0] >= now + 7_200_000 && shown[2][0] <= stage.clock.now() + 7_200_000);
    equal(ended?.text.includes("past!"), false);
    for (const execution of executions.slice(0, 3)) {
      equal((await execution.refresh()).state, "scheduled");
    }
  });

  test("gives nothing for nothing, and asks nobody", async (stage) => {
    const { docket, requests } = await counted(stage);
    function struck(): void {}
    await docket.strike({ task: "struck" });
    await docket.add(note)(1); // now it knows the strikes
    requests.length = 0;

    deepEqual(await docket.addAll([]), []);
    const executions = await docket.addAll([docket.call(struck)(), docket.call(struck)()]);

    deepEqual(dispositionsOf(executions), ["struck", "struck"]);
    deepEqual(requests, []);
  });

  // 12: everything is validated before the first is scheduled
  // 7, 12: a part that has to look at the strikes again is not overtaken by the next one
  test("keeps the order, and the first of two, also where something is struck", async (stage) => {
    const docket = await stage.connect();
    const ran: number[] = [];
    function seen(n: number): void {
      ran.push(n);
    }
    function banned(): void {}
    await docket.strike({ task: banned });
    await docket.add(banned)(); // now it knows
    const calls = Array.from({ length: 1_500 }, (_, n) => docket.call(seen)(n));
    const twice = (n: number) => docket.call(seen, { key: "twice" })(n);

    const executions = await docket.addAll([docket.call(banned)(), twice(-1), ...calls, twice(-2)]);

    const dispositions = executions.map(({ disposition }) => disposition);
    deepEqual([dispositions[0], dispositions[1], dispositions.at(-1)], [
      "struck",
      "scheduled",
      "exists",
    ]);
    await stage.finish(docket, { concurrency: 1 });
    deepEqual(ran, [-1, ...calls.keys()]);
  });

  test("schedules none when one of them is no planned call", async (stage) => {
    const docket = await stage.connect();
    const storage = await stage.open();
    const good = docket.call(note, { key: "good" })(1);
    const bad: readonly unknown[] = [
      undefined,
      null,
      note,
      "note",
      {},
      { ...good },
      docket.call(note),
      [good],
      Promise.resolve(good),
    ];

    for (const [index, one] of bad.entries()) {
      await rejects(
        docket.addAll([good, one as PlannedCall, good]),
        {
          name: "TypeError",
          message: "Cannot schedule this: give what docket.call(task)(…args) returned",
        },
        `number ${index}`,
      );
    }

    equal(await storage.count(), 0);
    deepEqual(dispositionsOf(await docket.addAll([good])), ["scheduled"]);
  });

  test("refuses what is no list", async (stage) => {
    const docket = await stage.connect();
    const good = docket.call(note)(1);

    for (const calls of [undefined, null, 5, {}, good, new Set([good])]) {
      await rejects(docket.addAll(calls as unknown as PlannedCall[]), { name: "TypeError" });
    }
  });

  test("takes a planned call once, however often it is given", async (stage) => {
    const docket = await stage.connect();
    const calls = [docket.call(note)(1), docket.call(note)(2)];

    const first = await docket.addAll(calls);
    const again = await docket.addAll([...calls, calls[0]]);

    deepEqual(dispositionsOf(first), ["scheduled", "scheduled"]);
    deepEqual(dispositionsOf(again), ["exists", "exists", "exists"]);
    deepEqual(again.map(({ key }) => key), [calls[0].key, calls[1].key, calls[0].key]);
  });

  test("carries the arguments as they were when the call was planned", async (stage) => {
    const docket = await stage.connect();
    const seen: unknown[] = [];
    const record = task("record", (_context, given: unknown): void => void seen.push(given));
    const list = [1];
    const call = docket.call(record)(list);

    list.push(2);
    await docket.addAll([call]);
    await stage.finish(docket);

    deepEqual(seen, [[1]]);
  });

  test("rejects when the docket is closed, or its signal has aborted", async (stage) => {
    const docket = await stage.connect();
    const storage = await stage.open();
    const calls = Array.from({ length: 1_200 }, (_, n) => docket.call(note)(n));
    const enough = new Error("enough");

    await rejects(docket.addAll(calls, { signal: AbortSignal.abort(enough) }), enough);
    await rejects(docket.addAll([], { signal: AbortSignal.abort(enough) }), enough);
    await docket.close();
    await rejects(docket.addAll(calls), { code: "CONNECTION" });

    equal(await storage.count(), 0);
  });

  test("rejects as the storage does, without pretending anything", async (stage) => {
    let failure: Error;
    const { docket } = await counted(stage, () => Promise.reject(failure));

    for (const error of [new StorageFullError("full"), new ConnectionError("away")]) {
      failure = error;
      await rejects(docket.addAll([docket.call(note)(1)]), error);
    }
  });

  // 18
  test("schedules one of each key when ten dockets add the same at once", async (stage) => {
    const dockets = await Promise.all(Array.from({ length: 10 }, () => stage.connect()));

    const all = await Promise.all(
      dockets.map((docket, n) =>
        docket.addAll(Array.from({ length: 100 }, (_, k) => docket.call(note, { key: `k${k}` })(n)))
      ),
    );
    await stage.finish(dockets[0]);

    for (let k = 0; k < 100; k++) {
      const same = all.map((executions) => executions[k]);
      const winners = same.filter(({ disposition }) => disposition === "scheduled");
      equal(winners.length, 1, `k${k}`);
      deepEqual(same.map(({ args }) => args), Array(10).fill(winners[0].args), `k${k}`);
    }
  });
});

onMemory("Docket.call()", (test) => {
  test("schedules nothing, and shows what it plans", async (stage) => {
    const { docket, requests } = await counted(stage);

    const call = docket.call(note, { key: "k", delay: "1h" })(1);
    const other = docket.call(note)(2);

    ok(call instanceof PlannedCall);
    deepEqual([call.task, call.key, call.args], ["note", "k", [1]]);
    ok(other.key !== "" && other.key !== docket.call(note)(2).key);
    deepEqual(requests, []);
    equal(await docket.execution("k"), undefined);
    deepEqual(docket.tasks, ["note"]);
  });

  // Already here, and not when something was scheduled before it
  test("refuses bad options, tasks and arguments at once", async (stage) => {
    const docket = await stage.connect({ maxPayloadBytes: 100 });
    const bad: readonly (readonly [CallOptions, string, RegExp])[] = [
      [{ when: new Date(NaN) }, "RangeError", /"when"/],
      [{ delay: -1 }, "RangeError", /"delay"/],
      [{ delay: 1, when: 1 }, "TypeError", /"when" and "delay"/],
      [{ ttl: -1 }, "RangeError", /"ttl"/],
      [{ key: "\ud800" }, "TypeError", /surrogate/],
      [{ key: "x".repeat(1_025) }, "RangeError", /1024 bytes/],
      [{ kye: "k" } as CallOptions, "TypeError", /"kye"/],
      [{ signal: AbortSignal.abort() } as CallOptions, "TypeError", /"signal"/],
    ];

    for (const [options, name, message] of bad) {
      throws(() => docket.call(note, options), { name, message });
      throws(() => docket.call("note", options), { name, message });
    }
    throws(() => docket.call(() => {}), { name: "TypeError", message: /anonymous/ });
    throws(() => docket.call(""), { name: "TypeError", message: /without a name/ });
    throws(() => docket.call(5 as unknown as string), { name: "TypeError" });
    throws(() => docket.call("note")(() => 1), { code: "SERIALIZATION", path: "args[0]" });
    throws(() => docket.call("note")("x".repeat(100)), { code: "PAYLOAD_TOO_LARGE" });
  });

  test("cannot be awaited without its second call", async (stage) => {
    const docket = await stage.connect();
    // deno-lint-ignore no-explicit-any -- what JavaScript would do
    const forgotten = docket.call(note) as any;

    await rejects(async () => await forgotten, {
      name: "TypeError",
      message: /^Cannot await what add\(\), replace\(\) or call\(\) returned/,
    });
  });

  test("gives something that can be awaited, and then is itself", async (stage) => {
    const docket = await stage.connect();
    const call = docket.call(note)(1);

    equal(await call, call);
  });
});

/**
 * Resources of an execution: opened once, closed in reverse before it is settled, whatever happens.
 *
 * @module
 */

import {
  deepStrictEqual as deepEqual,
  ok,
  rejects,
  strictEqual as equal,
} from "node:assert/strict";
import { DependencyError, type DependencyFailure, Depends, Retry, task } from "../../mod.ts";
import { failureOf, onEveryStorage } from "../_harness.ts";

/** A resource that tells what happens to it. */
function telling(name: string, happened: string[]): Depends<string> {
  return new Depends(async function* () {
    happened.push(`open ${name}`);
    try {
      yield name;
    } finally {
      await Promise.resolve();
      happened.push(`close ${name}`);
    }
  });
}

onEveryStorage("Depends", (test) => {
  test("gives what its factory gives", async (stage) => {
    const docket = await stage.connect();
    const value = new Depends(() => 1);
    const promised = new Depends(() => Promise.resolve(2));
    const generated = new Depends(function* () {
      yield 3;
    });
    const asyncGenerated = new Depends(async function* () {
      yield await Promise.resolve(4);
    });
    const nothing = new Depends(() => undefined);
    const all = task(
      "all",
      { value, promised, generated, asyncGenerated, nothing },
      (context): unknown[] => [
        context.value,
        context.promised,
        context.generated,
        context.asyncGenerated,
        context.nothing,
      ],
    );
    const execution = await docket.add(all)();

    await stage.finish(docket);

    deepEqual(await execution.result(), [1, 2, 3, 4, undefined]);
  });

  test("gives its factory the context of the execution", async (stage) => {
    const docket = await stage.connect();
    const seen = new Depends(({ docket, worker, execution, key, attempt, signal, log }) => ({
      docket,
      worker,
      execution,
      key,
      attempt,
      signal,
      log,
    }));
    let checked = false;
    const look = task("look", { seen }, (context): void => {
      const { seen } = context;
      equal(seen.docket, docket);
      equal(seen.worker, context.worker);
      equal(seen.key, "look");
      equal(seen.execution.key, "look");
      equal(seen.attempt, 1);
      equal(seen.signal, context.signal);
      equal(typeof seen.log.info, "function");
      checked = true;
    });

    await docket.add(look, { key: "look" })();
    await stage.finish(docket);

    ok(checked);
  });

  test("is made from others, in the order of the record", async (stage) => {
    const docket = await stage.connect();
    const happened: string[] = [];
    const a = telling("a", happened);
    const b = new Depends({ a }, ({ a, key }) => {
      happened.push(`open b of ${a}`);
      return `${a}b ${key}`;
    });
    const c = new Depends({ b, a }, ({ a, b }) => `${b} ${a}c`);
    const nested = task("nested", { c }, ({ c }): string => c);
    const execution = await docket.add(nested, { key: "k" })();

    await stage.finish(docket);

    equal(await execution.result(), "ab k ac");
    deepEqual(happened, ["open a", "open b of a", "close a"]);
  });

  // One per identity, however many ask
  test("is opened once per execution, however many ask for it", async (stage) => {
    const docket = await stage.connect();
    let opened = 0;
    const shared = new Depends(() => ({ number: ++opened }));
    const left = new Depends({ shared }, ({ shared }) => shared);
    const right = new Depends({ shared }, ({ shared }) => shared);
    const compare = task(
      "compare",
      { left, right, shared, again: shared },
      ({ left, right, shared, again }): boolean =>
        left === right && right === shared && shared === again,
    );
    const execution = await docket.add(compare)();

    await stage.finish(docket);

    equal(await execution.result(), true);
    equal(opened, 1);
  });

  test("is another one for each Depends, also with the same factory", async (stage) => {
    const docket = await stage.connect();
    const make = () => ({});
    const one = new Depends(make);
    const other = new Depends(make);
    const compare = task("compare", { one, other }, ({ one, other }): boolean => one === other);
    const execution = await docket.add(compare)();

    await stage.finish(docket);

    equal(await execution.result(), false);
  });

  // 63: dependencies are opened per execution; nothing leaks between two
  test("is opened anew for each execution and each attempt", async (stage) => {
    const docket = await stage.connect();
    const seen: object[] = [];
    let alive = 0;
    const resource = new Depends(async function* () {
      alive++;
      yield {};
      alive--;
    });
    const use = task(
      "use",
      { resource, retry: new Retry({ attempts: 2 }) },
      async ({ resource, attempt }): Promise<void> => {
        seen.push(resource);
        await stage.sleep(1);
        if (attempt === 1) throw new Error("whoops");
      },
    );
    for (let n = 0; n < 3; n++) await docket.add(use)();

    await stage.finish(docket);

    equal(new Set(seen).size, 6);
    equal(alive, 3); // a generator without `finally` is not resumed to its end by a failure
  });

  test("is closed last opened first, after the handler", async (stage) => {
    const docket = await stage.connect();
    const happened: string[] = [];
    const use = task(
      "use",
      { a: telling("a", happened), b: telling("b", happened), c: telling("c", happened) },
      async (): Promise<void> => {
        await stage.sleep(1);
        happened.push("handler");
      },
    );

    await docket.add(use)();
    await stage.finish(docket);

    deepEqual(happened, [
      ...["open a", "open b", "open c"],
      "handler",
      ...["close c", "close b", "close a"],
    ]);
  });

  test("disposes what is disposable", async (stage) => {
    const docket = await stage.connect();
    const happened: string[] = [];
    const sync = new Depends(() => ({ [Symbol.dispose]: () => void happened.push("sync") }));
    const both = new Depends(() => ({
      [Symbol.dispose]: () => void happened.push("wrong"),
      async [Symbol.asyncDispose]() {
        await Promise.resolve();
        happened.push("async");
      },
    }));
    const use = task("use", { sync, both }, (): void => void happened.push("handler"));

    await docket.add(use)();
    await stage.finish(docket);

    deepEqual(happened, ["handler", "async", "sync"]);
  });

  // "Disposed before settling": whoever hears of the end finds everything closed
  test("is closed before the execution is settled, under its lease", async (stage) => {
    const docket = await stage.connect();
    const observer = await stage.connect();
    let runs = 0;
    let stateWhileClosing: string | undefined;
    const slow = new Depends(async function* () {
      yield "slow";
      await stage.sleep(1_100); // more than two leases
      stateWhileClosing = (await observer.execution("use"))?.state;
    });
    const use = task("use", { slow }, (): string => {
      runs++;
      return "done";
    });
    const execution = await docket.add(use, { key: "use" })();
    // Two who would take it if its lease were let go
    stage.start(docket, { redeliveryTimeout: 500 });
    stage.start(docket, { redeliveryTimeout: 500 });

    equal(await stage.soon(execution.result()), "done");

    equal(stateWhileClosing, "running");
    equal(runs, 1);
  });

  test("resumes a generator with the error of a task that failed", async (stage) => {
    const docket = await stage.connect();
    const happened: string[] = [];
    const transaction = new Depends(async function* () {
      try {
        yield "begin";
        happened.push("commit");
      } catch (error) {
        happened.push(`roll back: ${(error as Error).message}`);
        throw error;
      }
    });
    const transfer = task("transfer", { transaction }, (_context, amount: number): void => {
      if (amount < 0) throw new RangeError("negative");
    });
    const good = await docket.add(transfer)(1);
    const bad = await docket.add(transfer)(-1);

    await stage.finish(docket, { concurrency: 1 });

    equal((await good.refresh()).state, "completed");
    await rejects(bad.result(), (error: Error) => error.cause instanceof RangeError);
    deepEqual(happened, ["commit", "roll back: negative"]);
  });

  test("cannot turn a failure into a success", async (stage) => {
    const docket = await stage.connect();
    const swallowing = new Depends(function* () {
      try {
        yield 1;
      } catch {
        // and say nothing
      }
    });
    const fail = task("fail", { swallowing }, (): void => {
      throw new RangeError("whoops");
    });
    const execution = await docket.add(fail)();

    await stage.finish(docket);

    await rejects(execution.result(), (error: Error) => error.cause instanceof RangeError);
  });

  test("keeps the task's own error when closing throws another", async (stage) => {
    const docket = await stage.connect();
    const happened: string[] = [];
    const breaking = new Depends(() => ({
      [Symbol.dispose]() {
        throw new Error("cannot close");
      },
    }));
    const fail = task("fail", { first: telling("first", happened), breaking }, (): void => {
      throw new RangeError("whoops");
    });
    const execution = await docket.add(fail)();

    await stage.finish(docket);

    await rejects(execution.result(), (error: Error) => error.cause instanceof RangeError);
    deepEqual(happened, ["open first", "close first"]);
  });

  // "A throw here fails the execution", and the others are closed all the same
  test("fails a task when it cannot be closed", async (stage) => {
    const docket = await stage.connect();
    const happened: string[] = [];
    const breaking = (message: string) =>
      new Depends(async function* () {
        yield message;
        await Promise.resolve();
        throw new Error(message);
      });
    const use = task(
      "use",
      {
        first: telling("first", happened),
        second: breaking("second broke"),
        third: breaking("third broke"),
        fourth: telling("fourth", happened),
      },
      (): string => "done",
    );
    const execution = await docket.add(use)();

    await stage.finish(docket);

    const cause = await failureOf(execution);
    equal(cause.name, "DependencyError");
    ok(cause.message.includes("second broke") && cause.message.includes("third broke"));
    deepEqual(happened, ["open first", "open fourth", "close fourth", "close first"]);
  });

  test("is a failure like any other when it cannot be closed: it is tried again", async (stage) => {
    const docket = await stage.connect();
    const asked: unknown[] = [];
    const breaking = new Depends(function* ({ attempt }) {
      yield attempt;
      if (attempt < 3) throw new Error("cannot close");
    });
    const retry = new Retry({ attempts: 5, retryIf: (error) => asked.push(error) > 0 });
    const use = task("use", { breaking, retry }, ({ attempt }): number => attempt);
    const execution = await docket.add(use)();

    await stage.finish(docket);

    equal(await execution.result(), 3);
    ok(asked.every((error) => error instanceof DependencyError));
    equal((asked[0] as DependencyError).failures.length, 1);
  });

  // 39: errors before the body fail the task only. DependencyError lists every one that failed.
  test("fails a task with every dependency that could not be opened", async (stage) => {
    const docket = await stage.connect();
    const happened: string[] = [];
    let failures: readonly DependencyFailure[] = [];
    const broken = (message: string) =>
      new Depends(() => {
        throw new Error(message);
      });
    let runs = 0;
    const use = task(
      "use",
      {
        first: telling("first", happened),
        db: broken("no database"),
        cache: broken("no cache"),
        last: telling("last", happened),
        retry: new Retry({
          attempts: 2,
          retryIf(error) {
            ok(error instanceof DependencyError);
            failures = error.failures;
            return false;
          },
        }),
      },
      (): void => void runs++,
    );
    function next(): string {
      return "alive";
    }
    const execution = await docket.add(use)();
    const after = await docket.add(next)();

    await stage.finish(docket);

    const cause = await failureOf(execution);
    equal(cause.name, "DependencyError");
    deepEqual(
      failures.map(({ name, error }) => [name, (error as Error).message]),
      [["db", "no database"], ["cache", "no cache"]],
    );
    equal(runs, 0);
    deepEqual(happened, ["open first", "open last", "close last", "close first"]);
    equal(await after.result(), "alive");
  });

  test("is tried again when it could not be opened", async (stage) => {
    const docket = await stage.connect();
    const flaky = new Depends(({ attempt }) => {
      if (attempt < 3) throw new Error("not yet");
      return attempt;
    });
    const use = task("use", { flaky, retry: new Retry({ attempts: 3 }) }, ({ flaky }): number => {
      return flaky;
    });
    const execution = await docket.add(use)();

    await stage.finish(docket);

    equal(await execution.result(), 3);
  });

  test("fails its dependants with what made it fail", async (stage) => {
    const docket = await stage.connect();
    const connection = new Depends(() => Promise.reject(new Error("no connection")));
    const customers = new Depends({ connection }, () => "customers");
    const use = task("use", { customers }, (): void => {});
    const execution = await docket.add(use)();

    await stage.finish(docket);

    const cause = await failureOf(execution);
    equal(cause.name, "DependencyError");
    ok(cause.message.includes("customers") && cause.message.includes("no connection"));
  });

  test("refuses a generator that yields nothing, or twice", async (stage) => {
    const docket = await stage.connect();
    const happened: string[] = [];
    const none = task("none", {
      // deno-lint-ignore require-yield -- that is its mistake
      nothing: new Depends(function* (): Generator<number> {
        happened.push("nothing");
      }),
    }, (): void => void happened.push("ran"));
    const twice = task("twice", {
      two: new Depends(function* () {
        try {
          yield 1;
          yield 2;
        } finally {
          happened.push("closed");
        }
      }),
    }, (): void => {});
    const executions = [await docket.add(none)(), await docket.add(twice)()];

    await stage.finish(docket, { concurrency: 1 });

    for (const execution of executions) {
      const cause = await failureOf(execution);
      ok(/yields? (nothing|twice)/.test(cause.message), cause.message);
    }
    deepEqual(happened, ["nothing", "closed"]);
  });
});

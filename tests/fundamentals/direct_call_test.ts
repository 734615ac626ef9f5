/**
 * A task called directly: without a docket, a storage or a worker.
 *
 * @module
 */

import {
  deepStrictEqual as deepEqual,
  notStrictEqual as notEqual,
  ok,
  rejects,
  strictEqual as equal,
  throws,
} from "node:assert/strict";
import { test } from "node:test";
import {
  DependencyError,
  Depends,
  Docket,
  ExponentialRetry,
  logged,
  Params,
  Perpetual,
  Progress,
  Retry,
  task,
  Timeout,
  Worker,
} from "../../mod.ts";
import { FakeClock } from "../../src/testing/clock.ts";

test("A task called directly runs here and now, and gives its result", async () => {
  const greet = task("greet", (_context, name: string, greeting = "Hello"): string => {
    return `${greeting}, ${name}!`;
  });

  equal(await greet("Jane"), "Hello, Jane!");
  equal(await greet("John", "Howdy"), "Howdy, John!");
});

test("A task called directly rejects with what it throws", async () => {
  const whoops = new RangeError("whoops");
  const fail = task("fail", { retry: new Retry({ attempts: 3 }) }, (): void => {
    throw whoops;
  });

  await rejects(fail(), (error) => error === whoops);
});

test("A task called directly has a random key, attempt 1 and a signal that does not abort", async () => {
  const look = task("look", ({ key, attempt, signal, log }) => {
    log.info("nobody listens");
    return { key, attempt, signal };
  });

  const first = await look();
  const second = await look();

  equal(typeof first.key, "string");
  notEqual(first.key, second.key);
  equal(first.attempt, 1);
  ok(first.signal instanceof AbortSignal);
  equal(first.signal.aborted, false);
});

test("A task called directly opens its dependencies and closes them in reverse", async () => {
  const happened: string[] = [];
  const connection = new Depends(async function* ({ key, attempt }) {
    happened.push(`open ${typeof key} ${attempt}`);
    yield "connection";
    happened.push("close connection");
  });
  const customers = new Depends({ connection }, ({ connection }) => ({
    from: connection,
    [Symbol.dispose]: () => void happened.push("close customers"),
  }));
  const use = task("use", { customers }, ({ customers }): string => {
    happened.push("handler");
    return customers.from;
  });

  equal(await use(), "connection");

  deepEqual(happened, ["open string 1", "handler", "close customers", "close connection"]);
});

test("A task called directly closes its dependencies with the error when it throws", async () => {
  const happened: string[] = [];
  const resource = new Depends(function* () {
    try {
      yield 1;
    } catch (error) {
      happened.push((error as Error).message);
      throw error;
    }
  });
  const fail = task("fail", { resource }, (): void => {
    throw new Error("whoops");
  });

  await rejects(fail(), { message: "whoops" });

  deepEqual(happened, ["whoops"]);
});

test("A task called directly rejects with its own error when closing throws too", async () => {
  const breaking = new Depends(() => ({
    [Symbol.dispose]() {
      throw new Error("cannot close");
    },
  }));
  const fail = task("fail", { breaking }, (): void => {
    throw new RangeError("whoops");
  });

  await rejects(fail(), { name: "RangeError", message: "whoops" });
});

test("A task called directly rejects when its dependencies cannot be opened or closed", async () => {
  const closed = new Depends(() => {
    throw new Error("closed on Sundays");
  });
  const breaking = new Depends(function* () {
    yield 1;
    throw new Error("cannot close");
  });

  await rejects(task("open", { closed }, (): void => {})(), DependencyError);
  await rejects(task("close", { breaking }, (): void => {})(), DependencyError);
});

test("A task called directly gets the value of its policies, which enforce nothing", async () => {
  const use = task(
    "use",
    { retry: new ExponentialRetry({ attempts: 5 }), timeout: new Timeout(1) },
    async ({ retry, timeout, signal }) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      timeout.extend();
      return {
        ...retry,
        remaining: timeout.remaining(),
        aborted: signal.aborted,
        request: retry.after("5s").due,
      };
    },
  );

  const { attempt, attempts, remaining, aborted, request } = await use();

  deepEqual({ attempt, attempts, aborted }, { attempt: 1, attempts: 5, aborted: false });
  ok(remaining <= 1);
  deepEqual(request, { after: 5_000 });
});

test("A task called directly throws a TypeError when it reads what only a worker has", async () => {
  for (const property of ["docket", "worker", "execution"] as const) {
    const poll = task("poll", (context): unknown => context[property]);

    await rejects(poll(), {
      name: "TypeError",
      message:
        `Cannot use "${property}" in "poll" outside a worker: call it as poll.with({ ${property} })(…)`,
    });
  }
});

test("A task called directly may name what only a worker has without reading it", async () => {
  const poll = task("poll", (context): boolean => "docket" in context);

  equal(await poll(), true);
});

test("A dependency of a task called directly is told the same", async () => {
  const scheduler = new Depends(({ docket }) => docket);
  const poll = task("poll", { scheduler }, (): void => {});

  await rejects(
    poll(),
    (error) =>
      error instanceof DependencyError &&
      (error.cause as Error).message.includes("poll.with({ docket })"),
  );
});

test("A task called directly has progress of its own, which nobody sees", async () => {
  const seen: Progress[] = [];
  const connection = new Depends(({ progress }) => {
    progress.update({ total: 3, message: "connecting" });
    return progress;
  });
  const count = task("count", { connection }, ({ progress, connection }): unknown => {
    seen.push(progress);
    progress.increment();
    return [progress === connection, progress.snapshot];
  });

  const expected = [true, { current: 1, total: 3, message: "connecting" }];
  deepEqual(await count(), expected);
  deepEqual(await count(), expected);
  equal(new Set(seen).size, 2);
});

test("A task called directly refuses bad progress as a worker would", async () => {
  const count = task("count", ({ progress }): void => progress.update({ current: -1 }));

  await rejects(count(), { name: "RangeError", message: /-1 for "current"/ });
});

test("Task.with() gives progress, also to dependencies", async () => {
  const told: number[] = [];
  const given = new Progress(({ current }) => told.push(current));
  const connection = new Depends(({ progress }) => progress.increment());
  const count = task("count", { connection }, ({ progress }): void => progress.increment(2));

  await count.with({ progress: given })();

  deepEqual(told, [1, 3]);
});

test("A task called directly has its arguments by name, also in dependencies", async () => {
  const customer = new Depends(({ argument }) => `customer ${argument("customerId")}`);
  const ship = task(
    "ship",
    { customer },
    ({ customer, argument }, _customerId: number, locale = "en"): unknown[] => [
      customer,
      argument("locale"),
      locale,
    ],
  );
  const named = task(
    "named",
    { customer, params: new Params("customerId", logged("locale")) },
    ({ customer, argument }, _id: number, _locale?: string): unknown[] => [
      customer,
      argument("locale"),
    ],
  );

  deepEqual(await named(7, "fr"), ["customer 7", "fr"]);
  deepEqual(await named(7), ["customer 7", undefined]);
  await rejects(ship(7), (error: Error) => {
    const cause = error.cause as Error;
    equal(cause.name, "TypeError");
    ok(cause.message.includes('"customerId" of "ship": its parameters are _customerId, locale'));
    return true;
  });
});

test("Task.with() gives arguments by name instead", async () => {
  const look = task("look", ({ argument }, _id: number): unknown => argument("id"));

  equal(await look.with({ argument: (name) => `the ${name}` })(7), "the id");
});

test("A task called directly that is perpetual runs once", async () => {
  let runs = 0;
  const tick = task(
    "tick",
    { perpetual: new Perpetual<[n: number]>({ every: "1s" }) },
    ({ perpetual }, n: number): number => {
      runs++;
      perpetual.perpetuate(n + 1);
      perpetual.after("1m");
      return Number(perpetual.every);
    },
  );

  equal(await tick(1), 1_000);
  equal(runs, 1);
});

test("Task.with() gives values instead of opening, for the named dependencies only", async () => {
  const opened: string[] = [];
  const db = new Depends(() => {
    opened.push("db");
    return { find: (id: number) => `real ${id}` };
  });
  const mail = new Depends(() => {
    opened.push("mail");
    return { sender: "real" };
  });
  const look = task(
    "look",
    { db, mail },
    ({ db, mail }, id: number): string => `${db.find(id)} ${mail.sender}`,
  );

  const result = await look.with({ db: { find: (id) => `fake ${id}` } })(7);

  equal(result, "fake 7 real");
  deepEqual(opened, ["mail"]);
});

test("Task.with() does not close what it was given", async () => {
  let closed = false;
  const db = new Depends(() => ({ [Symbol.dispose]: () => void (closed = true) }));
  const use = task("use", { db }, (): void => {});

  await use.with({ db: { [Symbol.dispose]: () => void (closed = true) } })();

  equal(closed, false);
});

test("Task.with() gives the context, also to dependencies", async () => {
  const clock = new FakeClock();
  await using docket = await Docket.connect({
    name: "direct",
    url: "memory://direct-call",
    clock,
  });
  const controller = new AbortController();
  const keyed = new Depends(({ key, docket }) => `${docket.name} ${key}`);
  const poll = task(
    "poll",
    { keyed },
    async ({ docket, key, attempt, signal, keyed }, text: string): Promise<unknown[]> => {
      const next = await docket.add(poll, { key: "next", delay: "1h" })("again");
      return [key, attempt, signal === controller.signal, keyed, text, next.key];
    },
  );

  const result = await poll.with({
    docket,
    key: "given",
    attempt: 3,
    signal: controller.signal,
  })("now");

  deepEqual(result, ["given", 3, true, "direct given", "now", "next"]);
  equal(await docket.cancel("next"), "cancelled");
});

test("Task.with() stands in for a Depends wherever it is nested", async () => {
  let opened = 0;
  const connection = new Depends(() => `real ${++opened}`);
  const customers = new Depends({ connection }, ({ connection }) => `customers of ${connection}`);
  const orders = new Depends({ connection }, ({ connection }) => `orders of ${connection}`);
  const use = task(
    "use",
    { customers, orders, connection },
    ({ customers, orders, connection }): string[] => [customers, orders, connection],
  );
  let given = 0;

  const result = await use.with({}, [connection, () => `fake ${++given}`])();

  deepEqual(result, ["customers of fake 1", "orders of fake 1", "fake 1"]);
  equal(opened, 0);
});

test("Task.with() awaits a replacement that is a promise, and fails with one that rejects", async () => {
  const connection = new Depends(() => "real");
  const use = task("use", { connection }, ({ connection }): string => connection);

  equal(await use.with({}, [connection, () => Promise.resolve("fake")])(), "fake");
  await rejects(
    use.with({}, [connection, () => Promise.reject(new Error("no fake"))])(),
    DependencyError,
  );
});

test("Task.with() leaves the task itself as it was", async () => {
  const db = new Depends(() => "real");
  const use = task("use", { db }, ({ db }): string => db);
  const faked = use.with({ db: "fake" });

  equal(await faked(), "fake");
  equal(await use(), "real");
  equal(await faked(), "fake");
});

test("Task.with() takes undefined for absent", async () => {
  const poll = task("poll", ({ key, docket }): unknown => [key, docket]);

  await rejects(poll.with({ docket: undefined, key: undefined })(), { name: "TypeError" });
});

test("Task.with() refuses what the task does not declare", () => {
  const use = task("use", { db: new Depends(() => 1) }, (): void => {});

  throws(
    // @ts-expect-error a dependency of no such name
    () => use.with({ database: 1 }),
    { name: "TypeError", message: /"database".*"use"/ },
  );
});

test("task() shows its name and dependencies, and cannot be renamed", () => {
  const retry = new Retry({ attempts: 2 });
  const use = task("mail.send", { retry }, (): void => {});

  equal(use.name, "mail.send");
  equal(use.dependencies.retry, retry);
  throws(() => ((use as { name: string }).name = "other"), TypeError);
});

test("task.with() gives a name to the task alone, and not to what its dependencies declare", async () => {
  const outer = new Depends(() => "outer");
  const inner = new Depends(() => "inner");
  const reader = new Depends({ db: inner }, ({ db }) => `reads ${db}`);
  const both = task("both", { db: outer, reader }, ({ db, reader }): string => `${db}, ${reader}`);

  equal(await both.with({ db: "fake" })(), "fake, reads inner");
});

test("task.with() takes a worker's own context, whose values are made when they are read", async () => {
  await using docket = await Docket.connect({ url: "memory://with-context" });
  const nested = task(
    "nested",
    ({ docket, key, attempt }): string => `${docket.name} ${key} ${attempt}`,
  );
  const whole = task("whole", async (context): Promise<string> => await nested.with(context)());
  const execution = await docket.add(whole, { key: "k" })();

  await using worker = new Worker(docket);
  await worker.runUntilFinished();

  equal(await execution.result(), "docket k 1");
});

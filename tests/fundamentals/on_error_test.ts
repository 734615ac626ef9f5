/**
 * `onError`: who runs a worker hears of everything its tasks throw.
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
import {
  CancelledError,
  DependencyError,
  Depends,
  type Execution,
  NonRetryableError,
  Perpetual,
  Retry,
  SerializationError,
  task,
  Timeout,
  TimeoutError,
  Worker,
  type WorkerOptions,
} from "../../mod.ts";
import { randomId } from "../../src/base/ids.ts";
import { aborted, failureOf, onEveryStorage } from "../_harness.ts";
import { captureLogs } from "../_logs.ts";

const logged = captureLogs();

/** Remembers what it was told. */
class Listener {
  readonly errors: unknown[] = [];
  readonly executions: Execution[] = [];
  readonly onError: WorkerOptions["onError"] = (error, execution) => {
    this.errors.push(error);
    this.executions.push(execution);
  };
}

onEveryStorage("A worker's onError", (test) => {
  test("hears of each attempt that fails, also of those that are tried again", async (stage) => {
    const docket = await stage.connect();
    const { onError, errors, executions } = new Listener();
    const thrown: Error[] = [];
    const flaky = task("flaky", { retry: new Retry({ attempts: 3 }) }, ({ attempt }): void => {
      thrown.push(new RangeError(`attempt ${attempt}`));
      throw thrown.at(-1);
    });
    await docket.add(flaky, { key: "flaky" })();

    await stage.finish(docket, { name: "web", onError });

    equal(errors.length, 3);
    for (const [index, error] of errors.entries()) equal(error, thrown[index]); // the very same
    deepEqual(executions.map(({ attempt }) => attempt), [1, 2, 3]);
  });

  test("is given the execution as it was when it failed", async (stage) => {
    const docket = await stage.connect();
    const { onError, executions } = new Listener();
    function whoops(_text: string, _number: number): void {
      throw new Error("whoops");
    }
    await docket.add(whoops, { key: "key" })("hello", 5);

    await stage.finish(docket, { name: "web", onError });

    const [{ key, task: name, args, state, attempt, deliveries, worker, startedAt }] = executions;
    deepEqual([key, name, args], ["key", "whoops", ["hello", 5]]);
    deepEqual([state, attempt, deliveries, worker], ["running", 1, 1, "web"]);
    ok(startedAt instanceof Date);
    equal((await executions[0].refresh()).state, "failed"); // a handle like any other
  });

  test("hears whatever is thrown, as it is", async (stage) => {
    const docket = await stage.connect();
    const { onError, errors } = new Listener();
    const things = ["text", 0, undefined, null, { an: "object" }, Symbol("whoops")];
    const fling = task("fling", (_context, index: number): void => {
      throw things[index];
    });
    for (const index of things.keys()) await docket.add(fling)(index);

    await stage.finish(docket, { concurrency: 1, onError });

    deepEqual(errors, things);
  });

  test("hears of failures outside of the task's own body", async (stage) => {
    const docket = await stage.connect();
    const { onError, errors } = new Listener();
    const opening = new Depends((): number => {
      throw new Error("cannot open");
    });
    const closing = new Depends(function* () {
      yield 1;
      throw new Error("cannot close");
    });
    const closed = task("closed", { closing }, (): void => {});
    const opened = task("opened", { opening }, (): void => {});
    const slow = task("slow", { timeout: new Timeout(20) }, async ({ signal }): Promise<void> => {
      await aborted(signal);
    });
    docket.register([opened, closed, slow]);
    for (const name of ["opened", "closed", "slow"]) {
      await docket.add(name)();
      await stage.finish(docket, { onError });
    }
    const body = JSON.stringify({ task: "slow", args: '~[["Nonsense",1]]' });
    const storage = await stage.open();
    const call = { key: "odd", generation: randomId(), mode: "add", due: undefined } as const;
    await storage.schedule([{ ...call, body }]);

    await stage.finish(docket, { onError });

    const kinds = [DependencyError, DependencyError, TimeoutError, SerializationError];
    deepEqual(errors.map((error) => (error as Error).constructor), kinds);
  });

  test("hears of a result that cannot be carried", async (stage) => {
    const docket = await stage.connect();
    const { onError, errors } = new Listener();
    const odd = task("odd", (): unknown => () => {});
    const execution = await docket.add(odd)();

    await stage.finish(docket, { onError });

    equal((await failureOf(execution)).name, "SerializationError");
    deepEqual(errors.map((error) => (error as Error).name), ["SerializationError"]);
  });

  test("hears of next arguments that cannot be carried", async (stage) => {
    const docket = await stage.connect();
    const { onError, errors, executions } = new Listener();
    const tick = task(
      "tick",
      { perpetual: new Perpetual<[value: unknown]>({ every: "1h" }) },
      ({ perpetual }, _value: unknown): string => {
        perpetual.perpetuate(() => {});
        return "done";
      },
    );
    const execution = await docket.add(tick, { key: "tick" })("old");

    await stage.finish(docket, { onError });

    equal((await failureOf(execution)).name, "SerializationError");
    deepEqual(errors.map((error) => (error as Error).constructor), [SerializationError]);
    deepEqual(executions.map(({ key, args }) => [key, args]), [["tick", ["old"]]]);
  });

  test("hears what a task throws itself, and not of its next arguments as well", async (stage) => {
    const docket = await stage.connect();
    const { onError, errors } = new Listener();
    const whoops = new Error("whoops");
    const tick = task(
      "tick",
      { perpetual: new Perpetual<[value: unknown]>({ every: "1h" }) },
      ({ perpetual }, _value: unknown): void => {
        perpetual.perpetuate(() => {});
        throw whoops;
      },
    );
    await docket.add(tick, { key: "tick" })("old");

    await stage.finish(docket, { onError });

    equal(errors.length, 1);
    equal(errors[0], whoops);
  });

  test("hears of what is not to be tried again once", async (stage) => {
    const docket = await stage.connect();
    const { onError, errors } = new Listener();
    const refuse = task("refuse", { retry: Retry.forever() }, (): void => {
      throw new NonRetryableError("never");
    });
    await docket.add(refuse)();

    await stage.finish(docket, { onError });

    equal(errors.length, 1);
  });

  test("hears of what its fallback throws", async (stage) => {
    const docket = await stage.connect();
    const { onError, errors, executions } = new Listener();
    const error = new Error("not mine either");
    await docket.add("nobody", { key: "key" })();

    await stage.finish(docket, {
      onError,
      fallback() {
        throw error;
      },
    });

    equal(errors[0], error);
    deepEqual(executions.map(({ key, task }) => [key, task]), [["key", "nobody"]]);
  });

  test("hears nothing of what completes, is cancelled, struck or unknown", async (stage) => {
    const docket = await stage.connect();
    const { onError, errors } = new Listener();
    const started = Promise.withResolvers<void>();
    let reason: unknown;
    const wait = task("wait", async ({ signal }): Promise<void> => {
      started.resolve();
      await aborted(signal);
      reason = signal.reason;
      signal.throwIfAborted();
    });
    const fine = await docket.add(function fine(): void {})();
    const struck = await docket.add(function struck(): void {})();
    const unknown = await docket.add("nobody")();
    const running = await docket.add(wait, { key: "wait" })();
    await docket.strike({ task: "struck" });
    stage.start(docket, { onError });
    await stage.soon(started.promise);
    await docket.cancel("wait");

    await stage.soon(rejects(running.result(), { reason: "cancelled" }));
    await stage.soon(rejects(struck.result(), { reason: "struck" }));
    await stage.soon(fine.result());
    await stage.eventually(async () => (await unknown.refresh()).state === "scheduled");

    ok(reason instanceof CancelledError);
    deepEqual(errors, []);
  });

  test("hears nothing of what is given back when its worker stops", async (stage) => {
    const docket = await stage.connect();
    const { onError, errors } = new Listener();
    let runs = 0;
    const wait = task("wait", async ({ signal }): Promise<void> => {
      runs++;
      await aborted(signal);
      signal.throwIfAborted();
    });
    const execution = await docket.add(wait)();
    const worker = stage.start(docket, { onError, gracePeriod: 0 });
    await stage.eventually(() => runs === 1);

    await stage.soon(worker.close());

    equal((await execution.refresh()).state, "queued");
    deepEqual(errors, []);
  });

  // 36: what it throws is nobody's failure
  test("may throw, which is logged and changes nothing", async (stage) => {
    const docket = await stage.connect();
    const flaky = task("flaky", { retry: new Retry({ attempts: 2 }) }, ({ attempt }): string => {
      if (attempt === 1) throw new Error("whoops");
      return "fine";
    });
    const execution = await docket.add(flaky)();
    const fail = await docket.add(function fail(): void {
      throw new Error("the task's own");
    })();

    await stage.finish(docket, {
      onError() {
        throw new Error("from onError");
      },
    });

    equal(await execution.result(), "fine");
    equal((await failureOf(fail)).message, "the task's own");
    const own = logged.filter(({ properties }) => properties.reason === "from onError");
    deepEqual(own.map(({ level }) => level), ["error", "error"]);
  });

  test("may be asynchronous, and reject, which is logged", async (stage) => {
    const docket = await stage.connect();
    const execution = await docket.add(function fail(): void {
      throw new Error("the task's own");
    })();

    await stage.finish(docket, {
      onError: async () => {
        await Promise.resolve();
        throw new Error("from onError");
      },
    });

    equal((await failureOf(execution)).message, "the task's own");
    const own = logged.filter(({ properties }) => properties.reason === "from onError");
    equal(own.length, 1);
  });

  test("must be a function", async (stage) => {
    const docket = await stage.connect();

    for (const onError of ["log", null, {}]) {
      throws(() => new Worker(docket, { onError: onError as never }), TypeError);
    }
  });
});

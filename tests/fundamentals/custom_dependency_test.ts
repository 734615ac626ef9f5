/**
 * Dependencies of the user's own: values, cleaning up, and policies that decide about failures.
 *
 * @module
 */

import {
  deepStrictEqual as deepEqual,
  ok,
  rejects,
  strictEqual as equal,
} from "node:assert/strict";
import {
  type Decision,
  Dependency,
  Depends,
  type Failure,
  Retry,
  type Scope,
  task,
  TimeoutError,
} from "../../mod.ts";
import { aborted, failureOf, onEveryStorage } from "../_harness.ts";

/** Tells what happens to it. */
class Telling extends Dependency<string> {
  readonly #name: string;
  readonly #happened: string[];

  constructor(name: string, happened: string[]) {
    super();
    this.#name = name;
    this.#happened = happened;
  }

  override open({ defer, context }: Scope): string {
    this.#happened.push(`open ${this.#name} for attempt ${context.attempt}`);
    defer((failure) => {
      const how = failure ? `${(failure.error as Error).message} at ${failure.attempt}` : "success";
      this.#happened.push(`close ${this.#name} after ${how}`);
    });
    return this.#name;
  }
}

/** Decides as it was told. */
class Deciding extends Dependency<null> {
  readonly #decision: (failure: Failure) => unknown;

  constructor(decision: (failure: Failure) => unknown) {
    super();
    this.#decision = decision;
  }

  override open(): null {
    return null;
  }

  override decide(failure: Failure): Decision {
    return this.#decision(failure) as Decision;
  }
}

onEveryStorage("Dependency", (test) => {
  test("opens before the handler and closes after it, last deferred first", async (stage) => {
    const docket = await stage.connect();
    const happened: string[] = [];
    const use = task(
      "use",
      {
        a: new Telling("a", happened),
        b: new Telling("b", happened),
        retry: new Retry({ attempts: 2 }),
      },
      ({ a, b, attempt }): string => {
        if (attempt === 1) throw new Error("whoops");
        return a + b;
      },
    );
    const execution = await docket.add(use)();

    await stage.finish(docket);

    equal(await execution.result(), "ab");
    deepEqual(happened, [
      "open a for attempt 1",
      "open b for attempt 1",
      "close b after whoops at 1",
      "close a after whoops at 1",
      "open a for attempt 2",
      "open b for attempt 2",
      "close b after success",
      "close a after success",
    ]);
  });

  test("opens others through its scope, once per execution", async (stage) => {
    const docket = await stage.connect();
    let opened = 0;
    const connection = new Depends(() => `connection ${++opened}`);
    class Repository extends Dependency<string[]> {
      override async open({ open, openAll }: Scope): Promise<string[]> {
        const { one, key } = await openAll({ one: connection });
        return [await open(connection), one, key];
      }
    }
    const use = task(
      "use",
      { repository: new Repository(), connection },
      ({ repository, connection }): string[] => [...repository, connection],
    );
    const execution = await docket.add(use, { key: "k" })();

    await stage.finish(docket);

    deepEqual(await execution.result(), ["connection 1", "connection 1", "k", "connection 1"]);
  });

  test("measures time with the docket's clock", async (stage) => {
    const docket = await stage.connect();
    class Stopwatch extends Dependency<() => number> {
      override open({ clock }: Scope): () => number {
        equal(clock, stage.clock);
        const start = clock.monotonic();
        return () => clock.monotonic() - start;
      }
    }
    const use = task("use", { watch: new Stopwatch() }, async ({ watch }): Promise<number> => {
      await stage.sleep(20);
      return watch();
    });
    const execution = await docket.add(use)();

    await stage.finish(docket);

    ok(await execution.result() >= 19); // timers may round a fraction down
  });

  test("opens policies first, so that they govern how the rest is opened", async (stage) => {
    const docket = await stage.connect();
    const happened: string[] = [];
    class Policy extends Telling {
      override get policy(): string {
        return "telling";
      }
    }
    const use = task(
      "use",
      { a: new Telling("a", happened), policy: new Policy("policy", happened) },
      (): void => {},
    );

    await docket.add(use)();
    await stage.finish(docket);

    deepEqual(happened.map((line) => line.split(" for ")[0]), [
      "open policy",
      "open a",
      "close a after success",
      "close policy after success",
    ]);
  });

  test("may abandon an execution whose handler does not settle", async (stage) => {
    const docket = await stage.connect();
    let reason: unknown;
    class Impatient extends Dependency<null> {
      override open({ abandon, clock, defer }: Scope): null {
        defer(clock.timer(20, () => abandon?.(new TimeoutError("out of patience"))));
        return null;
      }
    }
    const hang = task("hang", { impatient: new Impatient() }, async ({ signal }): Promise<void> => {
      await aborted(signal);
      reason = signal.reason;
      await new Promise(() => {});
    });
    const execution = await docket.add(hang)();

    await stage.finish(docket);

    await rejects(
      execution.result(),
      (error: Error) => (error.cause as Error).message === "out of patience",
    );
    ok(reason instanceof TimeoutError);
  });

  test("decides about failures", async (stage) => {
    const docket = await stage.connect();
    const failures: Failure[] = [];
    const policy = new Deciding((failure) => {
      failures.push(failure);
      return failure.attempt < 3 ? { kind: "retry", due: { after: 5 } } : { kind: "fail" };
    });
    const flaky = task("flaky", { policy }, ({ attempt }): void => {
      throw new Error(`whoops ${attempt}`);
    });
    const execution = await docket.add(flaky)();

    await stage.finish(docket);

    await rejects(execution.result(), { code: "EXECUTION_FAILED" });
    deepEqual(
      failures.map(({ error, attempt }) => [(error as Error).message, attempt]),
      [["whoops 1", 1], ["whoops 2", 2], ["whoops 3", 3]],
    );
  });

  test("is heard in the order of the record: the first that decides", async (stage) => {
    const docket = await stage.connect();
    const asked: string[] = [];
    const say = (name: string, decision: unknown) =>
      new Deciding(() => {
        asked.push(name);
        return decision;
      });
    const flaky = task(
      "flaky",
      { silent: say("silent", undefined), no: say("no", { kind: "fail" }), yes: say("yes", null) },
      (): void => {
        throw new Error("whoops");
      },
    );
    const execution = await docket.add(flaky)();

    await stage.finish(docket);

    equal((await execution.refresh()).state, "failed");
    deepEqual(asked, ["silent", "no"]);
  });

  // 36: every execution ends settled or rescheduled, also when a user's own policy misbehaves
  const misbehaving: Readonly<Record<string, (failure: Failure) => unknown>> = {
    "throws": () => {
      throw new Error("cannot decide");
    },
    "asks for a time that is none": () => ({ kind: "retry", due: { after: NaN } }),
    "asks for an instant that is none": () => ({ kind: "retry", due: { at: Infinity } }),
    "asks for a negative delay": () => ({ kind: "retry", due: { after: -Infinity } }),
    "asks for a time that is no number": () => ({ kind: "retry", due: { after: "soon" } }),
    "asks for an empty time": () => ({ kind: "retry", due: {} }),
    "decides what nobody knows": () => ({ kind: "perhaps" }),
    "answers with something else": () => 42,
  };
  for (const [how, decision] of Object.entries(misbehaving)) {
    test(`that ${how} fails its own task only`, async (stage) => {
      const docket = await stage.connect();
      const bad = task("bad", { policy: new Deciding(decision) }, (): void => {
        throw new Error("whoops");
      });
      function good(): string {
        return "alive";
      }
      const executions = [await docket.add(good)(), await docket.add(bad)()];
      executions.push(await docket.add(good)());

      await stage.finish(docket);

      const states = await Promise.all(
        executions.map(async (execution) => (await execution.refresh()).state),
      );
      deepEqual(states, ["completed", "failed", "completed"]);
    });
  }

  test("fails the task when it cannot be opened, or closed", async (stage) => {
    const docket = await stage.connect();
    class Shut extends Dependency<null> {
      override open(): null {
        throw new Error("shut");
      }
    }
    class Stuck extends Dependency<null> {
      override open({ defer }: Scope): null {
        defer(() => Promise.reject(new Error("stuck")));
        return null;
      }
    }
    let runs = 0;
    const one = task("one", { shut: new Shut() }, (): void => void runs++);
    const other = task("other", { stuck: new Stuck() }, (): void => void runs++);
    const executions = [await docket.add(one)(), await docket.add(other)()];

    await stage.finish(docket);

    for (const [index, word] of ["shut", "stuck"].entries()) {
      const cause = await failureOf(executions[index]);
      equal(cause.name, "DependencyError");
      ok(cause.message.includes(word));
    }
    equal(runs, 1);
  });
});

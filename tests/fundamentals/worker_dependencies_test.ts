/**
 * A worker's own dependencies, around those of every task.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, strictEqual as equal, throws } from "node:assert/strict";
import {
  Cron,
  Dependency,
  Depends,
  type Failure,
  Perpetual,
  Retry,
  type Scope,
  task,
  Timeout,
  Worker,
} from "../../mod.ts";
import { failureOf, onEveryStorage, onMemory } from "../_harness.ts";
import { captureLogs } from "../_logs.ts";

captureLogs(); // failures are logged

/** Tells when it is opened and closed. */
class Witness extends Dependency<string> {
  readonly #name: string;
  readonly #story: string[];

  constructor(name: string, story: string[]) {
    super();
    this.#name = name;
    this.#story = story;
  }

  override open({ context, defer }: Scope): string {
    this.#story.push(`open ${this.#name} for ${context.key}`);
    defer((failure?: Failure) =>
      void this.#story.push(`close ${this.#name}${failure ? " after a failure" : ""}`)
    );
    return this.#name;
  }
}

onEveryStorage("A worker's dependencies", (test) => {
  test("are opened around those of every task, plain functions too", async (stage) => {
    const story: string[] = [];
    const outer = new Witness("outer", story);
    const declared = task(
      "declared",
      { inner: new Witness("inner", story) },
      (): void => void story.push("run"),
    );
    function plain(): void {
      story.push("run plain");
    }
    const docket = await stage.connect();

    for (const [work, key] of [[declared, "a"], [plain, "b"]] as const) {
      await docket.add(work, { key })();
      await stage.finish(docket, { dependencies: { outer } });
    }

    deepEqual(story, [
      ...["open outer for a", "open inner for a", "run", "close inner", "close outer"],
      ...["open outer for b", "run plain", "close outer"],
    ]);
  });

  test("are policies for tasks that have none of their own", async (stage) => {
    const attempts: string[] = [];
    const failing = (name: string) => ({ attempt }: { attempt: number }): never => {
      attempts.push(`${name} ${attempt}`);
      throw new Error(name);
    };
    const own = task("own", { tries: new Retry({ attempts: 2 }) }, failing("own"));
    const none = task("none", failing("none"));
    const docket = await stage.connect();
    const executions = [await docket.add(own)(), await docket.add(none)()];

    await stage.finish(docket, {
      concurrency: 1,
      dependencies: { retry: new Retry({ attempts: 3 }) },
    });

    for (const execution of executions) await failureOf(execution);
    deepEqual(attempts.filter((one) => one.startsWith("own")), ["own 1", "own 2"]);
    deepEqual(attempts.filter((one) => one.startsWith("none")), ["none 1", "none 2", "none 3"]);
  });

  test("give way to a task's own of the same name", async (stage) => {
    const story: string[] = [];
    const use = task("use", { it: new Depends(() => "the task's") }, ({ it }): string => it);
    const docket = await stage.connect();
    const execution = await docket.add(use)();

    await stage.finish(docket, { dependencies: { it: new Witness("the worker's", story) } });

    equal(await execution.result(), "the task's");
    deepEqual(story, []);
  });

  test("fail the execution when they cannot be opened", async (stage) => {
    let runs = 0;
    const docket = await stage.connect();
    const execution = await docket.add(task("use", (): void => void runs++))();
    const broken = new Depends((): number => {
      throw new Error("no database");
    });

    await stage.finish(docket, { dependencies: { broken } });

    equal((await failureOf(execution)).message, "Cannot open dependencies: broken (no database)");
    equal(runs, 0);
  });
});

onMemory("A worker's dependencies", (test) => {
  test("may be a timeout", async (stage) => {
    const docket = await stage.connect();
    const execution = await docket.add(task("hang", () => new Promise<void>(() => {})))();

    await stage.finish(docket, { dependencies: { timeout: new Timeout("50ms") } });

    equal((await failureOf(execution)).name, "TimeoutError");
  });

  test("are refused where they cannot work", async (stage) => {
    const docket = await stage.connect();
    const wrong: Record<string, unknown>[] = [
      { key: new Retry() }, // a name of the context
      { a: new Retry(), b: new Retry() },
      { a: 5 },
      { every: new Perpetual() },
      { daily: new Cron("@daily") },
    ];
    for (const dependencies of wrong) {
      throws(() => new Worker(docket, { dependencies: dependencies as never }), TypeError);
    }
  });
});

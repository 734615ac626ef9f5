/**
 * What every handler is given, before what it declares.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, strictEqual as equal } from "node:assert/strict";
import { after, before, beforeEach } from "node:test";
import { configure, type LogRecord, reset } from "@logtape/logtape";
import { Depends, Progress, Retry, task } from "../../mod.ts";
import { onEveryStorage } from "../_harness.ts";

const logged: LogRecord[] = [];

before(() =>
  configure({
    sinks: { memory: (record) => logged.push(record) },
    loggers: [
      { category: "docket", sinks: ["memory"], lowestLevel: "info" },
      { category: ["logtape", "meta"], sinks: [], lowestLevel: "error" },
    ],
  })
);
beforeEach(() => void logged.splice(0));
after(() => reset());

onEveryStorage("TaskContext", (test) => {
  test("has the docket, the worker, the execution, its key and its attempt", async (stage) => {
    const docket = await stage.connect();
    const worker = stage.worker(docket, { name: "web-1" });
    const seen: unknown[] = [];
    const look = task(
      "look",
      { retry: new Retry({ attempts: 2 }) },
      (context, text: string): void => {
        seen.push([
          context.docket === docket,
          context.worker === worker,
          context.key,
          context.attempt,
          context.signal.aborted,
          context.execution.key,
          context.execution.task,
          [...context.execution.args],
          context.execution.state,
          context.execution.attempt,
          context.execution.worker,
          text,
        ]);
        if (context.attempt === 1) throw new Error("whoops");
      },
    );

    await docket.add(look, { key: "k" })("text");
    await stage.soon(worker.runUntilFinished());

    const common = (attempt: number) => [
      ...[true, true, "k", attempt, false],
      ...["k", "look", ["text"], "running", attempt, "web-1", "text"],
    ];
    deepEqual(seen, [common(1), common(2)]);
  });

  test("is each execution's own", async (stage) => {
    const docket = await stage.connect();
    const seen = new Set<object>();
    const keys: string[] = [];
    const look = task("look", async (context): Promise<void> => {
      seen.add(context);
      await stage.sleep(2);
      keys.push(context.key);
    });
    await docket.add(look, { key: "a" })();
    await docket.add(look, { key: "b" })();

    await stage.finish(docket);

    equal(seen.size, 2);
    deepEqual(keys.sort(), ["a", "b"]);
  });

  test("lets a task schedule more work", async (stage) => {
    const docket = await stage.connect();
    const seen: string[] = [];
    const child = task("child", (_context, text: string): void => void seen.push(text));
    const parent = task("parent", async ({ docket, key }): Promise<void> => {
      await docket.add(child, { key: `${key}/1` })("one");
      await docket.add(child, { key: `${key}/2`, delay: 10 })("two");
    });
    await docket.add(parent, { key: "p" })();

    await stage.finish(docket);

    deepEqual(seen, ["one", "two"]);
  });

  test("has a logger that tells which execution it is", async (stage) => {
    const docket = await stage.connect();
    const greet = task("greet", ({ log }, name: string): void => {
      log.info("Hello, {name}", { name });
    });

    await docket.add(greet, { key: "k" })("Jane");
    await stage.finish(docket, { name: "web-1" });

    const own = logged.filter(({ category }) => category.join(".") === "docket.task");
    equal(own.length, 1);
    const [{ level, properties }] = own;
    equal(level, "info");
    deepEqual(
      { ...properties },
      { docket: docket.name, worker: "web-1", task: "greet", key: "k", attempt: 1, name: "Jane" },
    );
  });

  test("has a logger that tells the attempt, and knows nothing of the arguments", async (stage) => {
    const docket = await stage.connect();
    const connection = new Depends(({ log }) => log.info("connecting"));
    const flaky = task(
      "flaky",
      { connection, retry: new Retry({ attempts: 2 }) },
      ({ log, attempt }, _secret: string): void => {
        log.info("working");
        if (attempt === 1) throw new Error("whoops");
      },
    );

    await docket.add(flaky, { key: "k" })("sesame");
    await stage.finish(docket, { name: "web-1" });

    const own = logged.filter(({ category }) => category[1] === "task");
    deepEqual(
      own.map(({ rawMessage, properties }) => [rawMessage, { ...properties }]),
      [
        "connecting",
        "working",
        "connecting",
        "working",
      ].map((message, index) => [
        message,
        {
          docket: docket.name,
          worker: "web-1",
          task: "flaky",
          key: "k",
          attempt: index < 2 ? 1 : 2,
        },
      ]),
    );
  });

  test("has progress and arguments, also taken off it", async (stage) => {
    const docket = await stage.connect();
    const look = task(
      "look",
      ({ progress, argument, ...rest }, id: number, _name?: string): unknown[] => {
        progress.increment();
        return [
          progress instanceof Progress,
          progress.current,
          argument("id"),
          argument("_name"),
          id,
          Object.keys(rest),
        ];
      },
    );
    const execution = await docket.add(look)(7);

    await stage.finish(docket);

    deepEqual(await execution.result(), [true, 1, 7, undefined, 7, []]);
  });

  test("has one progress for everything that a run asks", async (stage) => {
    const docket = await stage.connect();
    const seen = new Set<Progress>();
    const nested = new Depends((context) => {
      seen.add(context.progress);
      return context.progress;
    });
    const outer = new Depends({ nested }, ({ nested, progress }) => {
      seen.add(progress);
      return nested === progress;
    });
    const look = task("look", { outer, nested }, (context): void => {
      seen.add(context.progress).add(context.progress).add(context.nested);
      equal(context.outer, true);
    });
    const execution = await docket.add(look)();

    await stage.finish(docket);

    await execution.result();
    equal(seen.size, 1);
  });

  test("is not given to a plain function", async (stage) => {
    const docket = await stage.connect();
    let received: unknown[] = [];
    function plain(...args: unknown[]): void {
      received = args;
    }

    await docket.add(plain)(1, "two");
    await stage.finish(docket);

    deepEqual(received, [1, "two"]);
  });
});

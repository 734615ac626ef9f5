/** Tasks that every `docket worker` knows. */

import { deepStrictEqual as deepEqual, rejects, strictEqual as equal } from "node:assert/strict";
import { getEventListeners } from "node:events";
import { after, before, test } from "node:test";
import { configure, type LogRecord, reset } from "@logtape/logtape";
import { standardTasks } from "../../src/docket/standard_tasks.ts";
import { CancelledError } from "../../mod.ts";
import { failureOf, onMemory } from "../_harness.ts";

const { trace, fail, sleep } = standardTasks;
const logged: LogRecord[] = [];

before(() =>
  configure({
    sinks: { memory: (record) => logged.push(record) },
    loggers: [
      { category: ["docket", "task"], sinks: ["memory"], lowestLevel: "debug" },
      { category: ["logtape", "meta"], sinks: [], lowestLevel: "error" },
    ],
  })
);
after(() => reset());

/** What was logged since the last time. */
function traces(): [level: string, text: string][] {
  return logged.splice(0).map(({ level, message }) => [level, message.join("")]);
}

test("standardTasks has three durable names, and cannot be changed", () => {
  deepEqual(Object.values(standardTasks).map(({ name }) => name), ["trace", "fail", "sleep"]);
  equal(Object.isFrozen(standardTasks), true);
});

test("standardTasks.trace() logs its message as it stands", async () => {
  equal(await trace("at {key} & {message}"), undefined);

  deepEqual(traces(), [["info", "at {key} & {message}"]]);
});

test("standardTasks.fail() throws its message", async () => {
  await rejects(fail("whoops"), { name: "Error", message: "whoops" });
});

test("standardTasks.sleep() waits, and leaves no listener behind", async () => {
  const { signal } = new AbortController();
  const start = performance.now();

  equal(await sleep.with({ signal })(0.02), undefined);

  equal(performance.now() - start >= 19, true); // timers may round a fraction down
  equal(getEventListeners(signal, "abort").length, 0);
  await sleep(0);
});

test("standardTasks.sleep() throws the reason of its signal when that aborts", async () => {
  const controller = new AbortController();
  const { signal } = controller;
  const reason = new CancelledError("no longer");

  const sleeping = sleep.with({ signal })(3_600);
  while (getEventListeners(signal, "abort").length === 0) await Promise.resolve();
  controller.abort(reason);

  await rejects(sleeping, (error) => error === reason);
  await rejects(sleep.with({ signal })(3_600), (error) => error === reason);
  equal(getEventListeners(signal, "abort").length, 0);
});

for (const seconds of [-1, NaN, Infinity, -Infinity, "5", null, undefined, 5n, {}]) {
  test(`standardTasks.sleep() refuses ${typeof seconds} ${String(seconds)}`, async () => {
    await rejects(sleep(seconds as number), {
      name: "RangeError",
      message: /^Cannot sleep for .* seconds: it must be a finite number that is not negative$/,
    });
  });
}

onMemory("standardTasks", (test) => {
  test("run on a docket, by name", async (stage) => {
    const docket = await stage.connect({ tasks: standardTasks });
    logged.splice(0);
    const start = stage.clock.now();
    const traced = await docket.add<typeof trace>("trace")("hello");
    const failed = await docket.add<typeof fail>("fail")("whoops");
    const slept = await docket.add<typeof sleep>("sleep")(90);

    await stage.advance(1);
    const worker = stage.start(docket);
    await stage.soon(traced.result());
    await stage.soon(failed.result().catch(() => {}));
    equal((await slept.refresh()).state, "running");
    await stage.advance(90_000);
    await stage.soon(slept.result());
    await stage.soon(worker.close());

    deepEqual(traces().filter(([level]) => level === "info"), [["info", "hello"]]);
    equal((await failureOf(failed)).message, "whoops");
    equal(stage.clock.now() - start >= 90_000, true);
  });

  test("sleep no longer once they are cancelled", async (stage) => {
    const docket = await stage.connect({ tasks: standardTasks });
    const slept = await docket.add(sleep, { key: "nap" })(3_600);
    stage.start(docket);
    await stage.eventually(async () => (await slept.refresh()).state === "running");

    await docket.cancel("nap");

    await rejects(stage.soon(slept.result()), { code: "EXECUTION_CANCELLED" });
  });
});

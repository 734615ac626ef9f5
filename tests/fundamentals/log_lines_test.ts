/**
 * One line in the log for each thing that happens to a run, for programs as much as for people.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import type { LogRecord } from "@logtape/logtape";
import { ConcurrencyLimit, logged, Params, Perpetual, Retry, task } from "../../mod.ts";
import { onEveryStorage } from "../_harness.ts";
import { captureLogs } from "../_logs.ts";

const records = captureLogs("info");

const ARGS = "[object Object]";

/** Level, text, and what is told beside it, of a worker's lines. */
function lines(): [string, string, Readonly<Record<string, unknown>>][] {
  return records.filter(({ category }) => category.join(".") === "docket.worker")
    .map((record) => [record.level, textOf(record), record.properties]);
}

function textOf({ message }: LogRecord): string {
  return message.map((part) => typeof part === "string" ? part : String(part)).join("");
}

onEveryStorage("The log", (test) => {
  test("has a line of each start and each end, with its times", async (stage) => {
    const docket = await stage.connect();
    const greet = task("greet", { names: new Params(logged("name"), "card") }, async (
      _context,
      _name: string,
      _card: string,
    ): Promise<void> => await stage.sleep(20));
    await docket.add(greet, { key: "k" })("Jane", "canary-4111");
    await stage.advance(20);

    await stage.finish(docket);

    const [start, end, ...others] = lines();
    deepEqual(others, []);
    for (const [level, , { task, key, attempt, punctuality, arguments: args }] of [start, end]) {
      equal(level, "info");
      deepEqual({ task, key, attempt, args }, {
        task: "greet",
        key: "k",
        attempt: 1,
        args: { name: "Jane" },
      });
      ok(Number(punctuality) >= 19, `${punctuality}`);
    }
    const late = start[2].punctuality;
    equal(start[1], `greet k with ${ARGS} starts at attempt 1, ${late} ms after it was due`);
    const { duration } = end[2];
    ok(Number(duration) >= 19, `${duration}`);
    equal(end[1], `greet k with ${ARGS} completed after ${duration} ms`);
    ok(!JSON.stringify(lines()).includes("canary"));
  });

  test("has a line of each retry and of a failure, with what was thrown", async (stage) => {
    const docket = await stage.connect();
    const flaky = task("flaky", { retry: new Retry({ attempts: 2 }) }, (): void => {
      throw new RangeError("no");
    });
    await docket.add(flaky, { key: "k" })();

    await stage.finish(docket);

    const [, retry, , failure, ...others] = lines();
    deepEqual(others, []);
    equal(retry[0], "warning");
    const [first, second] = [retry, failure].map(([, , { duration }]) => duration);
    equal(retry[1], `flaky k failed at attempt 1 after ${first} ms and will be tried again: no`);
    equal(failure[0], "error");
    equal(failure[1], `flaky k failed at attempt 2 after ${second} ms: no`);
    for (const [, , { duration, punctuality, error }] of [retry, failure]) {
      ok(Number(duration) >= 0 && Number(punctuality) >= 0);
      ok(error instanceof RangeError && error.stack?.includes("log_lines_test"));
    }
  });

  test("says nothing of a run that waits before a gate", async (stage) => {
    const docket = await stage.connect();
    const one = new ConcurrencyLimit({ max: 1 });
    const limited = task("limited", { one }, () => stage.sleep(5));
    for (const key of ["a", "b"]) await docket.add(limited, { key })();

    await stage.finish(docket);

    equal(lines().filter(([, text]) => text.includes(" starts ")).length, 2);
    equal(lines().filter(([, text]) => text.includes(" completed ")).length, 2);
  });

  test("has a line of each run of a chain", async (stage) => {
    const docket = await stage.connect();
    let runs = 0;
    const tick = task("tick", { perpetual: new Perpetual() }, ({ perpetual }): void => {
      if (++runs === 2) perpetual.cancel();
    });
    await docket.add(tick, { key: "k" })();

    await stage.finish(docket);

    deepEqual(lines().map(([, text]) => text.replaceAll(/\d+ ms/g, "…")), [
      "tick k starts at attempt 1, … after it was due",
      "tick k completed after …",
      "tick k starts at attempt 1, … after it was due",
      "tick k completed after …",
    ]);
  });

  test("warns of an unknown task once, however many there are", async (stage) => {
    const docket = await stage.connect();
    for (const key of ["a", "b", "c"]) await docket.add("unheard", { key })();

    stage.start(docket);
    await stage.eventually(async () => (await docket.snapshot()).counts.scheduled === 3);

    const warned = records.filter((record) => textOf(record).includes("unheard"));
    equal(warned.length, 1, warned.map(textOf).join());
  });
});

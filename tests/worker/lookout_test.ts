/**
 * What is told of handlers that keep the event loop, and of those that do not end (F07, F08).
 *
 * @module
 */

import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import { test as declare } from "node:test";
import { Depends, type Docket, task, Timeout } from "../../mod.ts";
import { systemClock } from "../../src/base/clock.ts";
import type { Claim } from "../../src/storage/contract.ts";
import { Lookout } from "../../src/worker/lookout.ts";
import { Run, Running } from "../../src/worker/run.ts";
import { onMemory, onRedis } from "../_harness.ts";
import { captureLogs } from "../_logs.ts";

const records = captureLogs("warning");

/** What is told of with a short lease is a tenth of a second or more. */
const LEASE = 400;
const LONG = 200;
const SHORT = 20;

declare("Lookout tells of nothing where no task ran while the event loop stood still", async () => {
  const running = new Running(1);
  const lookout = new Lookout({ clock: systemClock, lease: LEASE, running, stuckAfter: LONG });
  const end = new AbortController();
  const looking = lookout.run(end.signal);
  const run = new Run({ key: "k", token: "t", body: "" } as Claim, 0);
  let looks = 0;
  const looked = Promise.withResolvers<void>();
  const takeLast = running.takeLast.bind(running);
  running.takeLast = () => {
    if (++looks === 2) looked.resolve();
    queueMicrotask(() => looks === 1 && compute(2 * LONG)); // somebody else, after the look that saw the last run
    return takeLast();
  };

  running.add(run);
  running.delete(run);
  await looked.promise;
  await pause(0);
  end.abort();
  await looking;

  deepEqual(told("stood still").filter(({ count }) => count === 0), []);
});

// In real time: a fake clock stands still while somebody computes.
onRedis("The log", (test) => {
  test("names the handler that kept the event loop before its first pause, and for how long", async (stage) => {
    const docket = await stage.connect();
    const begun = Promise.withResolvers<void>();
    const over = Promise.withResolvers<void>();
    async function idle(): Promise<void> {
      begun.resolve();
      await over.promise;
    }
    function grind(): void {
      compute(3 * LONG);
    }
    await docket.add(idle)();
    stage.start(docket, { redeliveryTimeout: LEASE });
    await begun.promise;

    const execution = await docket.add(grind, { key: "k" })();
    await execution.result();
    await pause(LONG);
    over.resolve();

    const [{ task, key, blocked }, ...more] = told("kept the event loop");
    deepEqual([task, key], ["grind", "k"]);
    ok(Number(blocked) >= 3 * LONG, `${blocked}`);
    deepEqual(more, []);
    // And it is told once: the timers that were late for it are no news.
    deepEqual(told("stood still").filter((line) => Number(line.blocked) > 2 * LONG), []);
  });

  test("names it where dependencies were opened before", async (stage) => {
    const docket = await stage.connect();
    const tool = new Depends(() => Promise.resolve("tool"));
    await addIdle(docket);
    await docket.add(task("grind", { tool }, () => compute(LONG)), { key: "k" })();

    await stage.finish(docket, { redeliveryTimeout: LEASE });

    deepEqual(told("kept the event loop").map(({ task, key }) => [task, key]), [["grind", "k"]]);
  });

  test("names the one that ran, where the event loop was kept after a pause", async (stage) => {
    const docket = await stage.connect();
    async function grind(): Promise<void> {
      await pause(SHORT);
      compute(LONG);
    }
    await docket.add(grind, { key: "k" })();

    await stage.finish(docket, { redeliveryTimeout: LEASE });

    const { task, key, blocked } = longest(told("stood still"));
    deepEqual([task, key], ["grind", "k"]);
    ok(Number(blocked) >= LONG / 2, `${blocked}`);
  });

  test("names all that ran, where one of them kept the event loop after a pause", async (stage) => {
    const docket = await stage.connect();
    const others = await addIdle(docket, LONG + 2 * SHORT);
    async function grind(): Promise<void> {
      await pause(SHORT);
      compute(LONG);
    }
    await docket.add(grind, { key: "k" })();

    await stage.finish(docket, { redeliveryTimeout: LEASE });

    const { tasks } = longest(told("stood still"));
    for (const name of ["grind k", ...others.map(({ key }) => `idle ${key}`)]) {
      ok(String(tasks).includes(name), `${tasks}`);
    }
  });

  test("is silent where handlers pause often enough", async (stage) => {
    const docket = await stage.connect();
    async function polite(): Promise<void> {
      for (let n = 0; n < 10; n++) {
        compute(SHORT);
        await pause(0);
      }
    }
    await docket.add(polite)();

    await stage.finish(docket, { redeliveryTimeout: "1h" }); // then it is a second, whatever the machine does

    deepEqual(records, []);
  });

  test("tells once of a run that may be stuck, and it goes on", async (stage) => {
    const docket = await stage.connect();
    async function dawdle(): Promise<string> {
      await pause(2 * LONG);
      return "done";
    }
    const execution = await docket.add(dawdle, { key: "k" })();

    await stage.finish(docket, { redeliveryTimeout: LEASE, stuckAfter: SHORT });

    equal(await execution.result(), "done");
    deepEqual(told("may be stuck").map(({ task, key }) => [task, key]), [["dawdle", "k"]]);
  });
});

onMemory("The log", (test) => {
  test("tells of a handler that goes on although it was told to stop", async (stage) => {
    const docket = await stage.connect();
    const deaf = task("deaf", { timeout: new Timeout(SHORT) }, () => new Promise(() => {}));
    const execution = await docket.add(deaf, { key: "k" })();

    await stage.finish(docket);

    equal((await execution.refresh()).state, "failed");
    const [{ task: name, key, reason }, ...more] = told("goes on although");
    deepEqual([name, key, more], ["deaf", "k", []]);
    ok(String(reason).includes("20 ms"), `${reason}`);
  });
});

/** Tasks that run beside what is looked at, and do nothing. */
async function addIdle(docket: Docket, span = SHORT) {
  async function idle(): Promise<void> {
    await pause(span);
  }
  return [await docket.add(idle)(), await docket.add(idle)()];
}

function compute(span: number): void {
  const end = performance.now() + span;
  while (performance.now() < end);
}

function pause(span: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, span));
}

/** What was told besides, in lines with this text. */
function told(text: string): Readonly<Record<string, unknown>>[] {
  return records.filter(({ rawMessage }) => String(rawMessage).includes(text))
    .map(({ properties }) => properties);
}

/** The stall that a test made: a busy machine may have had others. */
function longest(lines: Readonly<Record<string, unknown>>[]): Readonly<Record<string, unknown>> {
  return lines.toSorted((a, b) => Number(b.blocked) - Number(a.blocked))[0];
}

/**
 * Many who wait for many tasks that take no time at all: none misses an end, and nothing is left of them.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import { env } from "node:process";
import { test as declare } from "node:test";
import { randomId } from "../../src/base/ids.ts";
import { type Execution, type ExecutionEvent, Retry, task } from "../../mod.ts";
import { assertNoLeaks } from "../_leaks.ts";
import { altered, onEveryStorage, onMemory } from "../_harness.ts";
import type { Growth } from "./_following.ts";

const MANY = 1_000;

/** What the heap of a process at rest varies by is a fraction of that: 100 bytes for each that was followed. */
const BOUND = 1_000_000;

function echo(n: number): number {
  return n;
}

function show(event: ExecutionEvent): string {
  if (event.kind === "progress") return `${event.current}/${event.total}`;
  return event.attempt > 1 ? `${event.state} #${event.attempt}` : event.state;
}

async function follow(execution: Execution): Promise<string[]> {
  const seen: string[] = [];
  for await (const event of execution.events()) seen.push(show(event));
  return seen;
}

/** The whole life of a task, of which somebody who comes late sees the last part. */
function assertTail(seen: readonly string[], whole: readonly string[]): void {
  deepEqual(seen, whole.slice(-seen.length));
  ok(seen.length > 0);
}

onEveryStorage("A thousand tasks of no time", (test) => {
  // 64: nobody waits for ever
  test("give each its result to whoever asks at once", async (stage) => {
    const docket = await stage.connect({ tasks: [echo] });
    stage.start(docket, { concurrency: 100 });

    const results = Array.from({ length: MANY }, async (_, n) => {
      return await (await docket.add(echo)(n)).result();
    });

    deepEqual(await stage.soon(Promise.all(results)), Array.from({ length: MANY }, (_, n) => n));
  });

  // 64
  test("tell each its end to whoever follows at once", async (stage) => {
    const docket = await stage.connect({ tasks: [echo] });
    stage.start(docket, { concurrency: 100 });

    const lives = Array.from({ length: MANY }, async (_, n) => {
      return await follow(await docket.add(echo)(n));
    });

    for (const seen of await stage.soon(Promise.all(lives))) {
      assertTail(seen, ["queued", "running", "completed"]);
    }
  });

  // 64, 65: in other processes, too, and several for each
  test("tell each its end to all who wait for it, wherever they are", async (stage) => {
    const docket = await stage.connect();
    const others = await Promise.all([stage.connect(), stage.connect()]);
    const worker = await stage.connect({ tasks: [echo] });
    stage.start(worker, { concurrency: 20 });

    const executions = await docket.addAll(
      Array.from({ length: 300 }, (_, n) => docket.call(echo)(n)),
    );
    const waiting = executions.map(async (execution, n) => {
      const far = await Promise.all(others.map((other) => other.execution(execution.key)));
      const [result, ...lives] = await Promise.all([
        execution.result(),
        ...[execution, execution, ...far].map((each) => follow(each!)),
      ]);
      equal(result, n);
      return lives;
    });

    for (const seen of (await stage.soon(Promise.all(waiting))).flat()) {
      assertTail(seen, ["queued", "running", "completed"]);
    }
  });

  // 64: there is no moment at which a change slips through
  test("are followed without a gap from whatever moment on", async (stage) => {
    const docket = await stage.connect();
    const flaky = task(
      "flaky",
      { retry: new Retry({ attempts: 2 }) },
      async ({ attempt }): Promise<void> => {
        await stage.sleep(attempt);
        if (attempt === 1) throw new Error("whoops");
      },
    );
    docket.register(flaky);
    stage.start(docket, { concurrency: 50 });

    const lives = Array.from({ length: MANY }, async (_, n) => {
      const execution = await docket.add(flaky)();
      await stage.sleep(n % 11);
      return await follow(execution);
    });

    const whole = ["queued", "running", "queued #2", "running #2", "completed #2"];
    for (const seen of await stage.soon(Promise.all(lives))) assertTail(seen, whole);
  });

  test("are followed to their ends although nobody keeps a record", async (stage) => {
    const docket = await stage.connect({ tasks: [echo], executionTtl: 0 });
    stage.start(docket, { concurrency: 100 });

    const lives = Array.from({ length: MANY }, async (_, n) => {
      const execution = await docket.add(echo)(n);
      await Promise.all([execution.result(), follow(execution)]);
      return execution.state;
    });

    deepEqual(new Set(await stage.soon(Promise.all(lives))), new Set(["completed"]));
  });
});

onEveryStorage("A thousand followers of one task", (test) => {
  test("are all told the same, and each leaves when it likes", async (stage) => {
    const docket = await stage.connect();
    const gate = Promise.withResolvers<void>();
    stage.afterwards(() => gate.resolve());
    const hold = task("hold", async ({ progress }): Promise<void> => {
      progress.update({ current: 1, total: 2 });
      await gate.promise;
    });
    const execution = await docket.add(hold, { delay: 50 })();
    const attached = new Set<number>();
    const leaving = Array.from({ length: MANY }, async (_, n) => {
      const seen: string[] = [];
      for await (const event of execution.events()) {
        attached.add(n);
        seen.push(show(event));
        if (n % 2 === 0 && event.kind === "progress") break;
      }
      return seen;
    });
    await stage.eventually(() => attached.size === MANY);

    stage.start(docket);
    await stage.soon(Promise.all(leaving.filter((_, n) => n % 2 === 0)));
    gate.resolve();
    const lives = await stage.soon(Promise.all(leaving));

    const whole = ["scheduled", "queued", "running", "1/2", "completed"];
    for (const [n, seen] of lives.entries()) {
      deepEqual(seen, n % 2 === 0 ? whole.slice(0, -1) : whole);
    }
  });
});

onMemory("A docket that many have followed tasks on", (test) => {
  // 65, 77
  test("listens to nothing and has no timer afterwards", async (stage) => {
    const storage = await stage.open();
    const listening: AbortSignal[] = [];
    const docket = await stage.connect({
      tasks: [echo],
      storage: altered(storage, {
        watch(change, options) {
          listening.push(options.signal);
          return storage.watch(change, options);
        },
      }),
    });
    const worker = stage.start(docket, { concurrency: 100 });
    const waiting = Array.from({ length: MANY }, async (_, n) => {
      const execution = await docket.add(echo)(n);
      await Promise.all([execution.result(), follow(execution)]);
      for await (const _event of execution.events()) break;
    });
    await stage.soon(Promise.all(waiting));
    await worker.close();

    await stage.advance(10_000);

    equal(listening.length, 1);
    deepEqual(listening.map(({ aborted }) => aborted), [true]);
    equal(stage.clock.pending, 0);
  });
});

// 65, 77, 80
declare("A process that has followed 10,000 tasks has forgotten them (redis)", async () => {
  const url = env.REDIS_URL;
  if (!url) throw new Error("Cannot test on Redis: set REDIS_URL, or run `deno task test`");
  const docket = `following-${randomId()}`;

  const { before, after, tasks } = await followInOwnProcess(url, docket);

  const growth = after - before;
  ok(growth < BOUND, `the heap grew by ${growth} bytes, ${growth / tasks} each, from ${before}`);
  await assertNoLeaks(url, docket);
});

/** Alone in its process, so that what other tests do to the heap is not counted. */
async function followInOwnProcess(url: string, docket: string): Promise<Growth> {
  const module = new URL("_following.ts", import.meta.url).href;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", "--v8-flags=--expose-gc", module, url, docket],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
    signal: AbortSignal.timeout(120_000),
  });
  const { success, stdout } = await child.output();
  ok(success, "the following process did not end well");
  return JSON.parse(new TextDecoder().decode(stdout));
}

/**
 * Many who wait before one limit: nobody polls, and they come in the order in which they were turned away (invariant 59).
 *
 * @module
 */

import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import { ConcurrencyLimit, task } from "../../mod.ts";
import { onOwnRedis } from "../_harness.ts";

const WAITERS = 5_000;

/** How many of them are let in before the rest is cleared away. */
const LET_IN = 300;

/** For how long commands are counted, in milliseconds. */
const SPAN = 2_000;

onOwnRedis("ConcurrencyLimit", (test) => {
  test("has 5,000 wait before one key without polling, and wakes them in order", async (stage) => {
    const order: number[] = [];
    let open = () => {};
    const opened = new Promise<void>((resolve) => open = resolve);
    const work = task(
      "work",
      { limit: new ConcurrencyLimit({ max: 1 }) },
      async (_context, n: number): Promise<void> => {
        order.push(n);
        if (n === 0) await opened;
      },
    );
    const docket = await stage.connect();
    await docket.addAll(Array.from({ length: WAITERS + 1 }, (_, n) => docket.call(work)(n)));
    stage.start(docket, { concurrency: 10 });
    await stage.eventually(async () =>
      (await docket.snapshot({ limit: 1 })).counts.waiting === WAITERS
    );

    // A sweep, which looks at everything now and then, may fall into one span and not into the next.
    let spent = Infinity;
    for (let spans = 0; spans < 3 && spent >= 40; spans++) {
      const before = await commands(stage.admin);
      await stage.sleep(SPAN);
      spent = await commands(stage.admin) - before;
    }

    ok(spent < 40, `${spent} commands in ${SPAN} ms`); // as of a worker with nothing to do
    equal(order.length, 1);
    open();
    await stage.eventually(() => order.length > LET_IN);
    const letIn = order.slice(0, LET_IN);
    await docket.clear();
    deepEqual(letIn, letIn.map((_, n) => n));
  });
});

async function commands(redis: { info(section: string): Promise<string> }): Promise<number> {
  const stats = await redis.info("commandstats");
  return [...stats.matchAll(/calls=(\d+)/g)].reduce((sum, [, calls]) => sum + Number(calls), 0);
}

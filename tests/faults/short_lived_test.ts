/**
 * Ten thousand workers that come and go, or die: the docket remembers none of them (F57, invariant 76).
 *
 * @module
 */

import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import { randomId } from "../../src/base/ids.ts";
import { NEW, type Storage } from "../../src/storage/contract.ts";
import { onOwnRedis, type OwnRedisStage } from "../_harness.ts";

const WORKERS = 10_000;
const AT_ONCE = 100;

/** Every so many workers one dies, instead of signing off. */
const DIES = 10;

/** Who was not heard of for so long is dead. */
const SILENCE = 50;

onOwnRedis("F57 of 10,000 workers that come and go", (test) => {
  test("none is remembered, the dead ones included", async (stage) => {
    const storage = await stage.open();

    for (let n = 0; n < WORKERS; n += AT_ONCE) {
      const some = Array.from({ length: AT_ONCE }, (_, i) => live(storage, n + i));
      await Promise.all(some);
    }

    const { consumers, remembered } = await known(stage);
    ok(consumers > 0 && consumers <= WORKERS / DIES, `${consumers} consumers`);
    ok(remembered <= WORKERS / DIES + 10, `${remembered} remembered`);
    await stage.eventually(async () => {
      await storage.sweep({ limit: 100, pause: 0, silence: SILENCE });
      return (await known(stage)).consumers === 0;
    });
    deepEqual(await storage.workers(), []);
  });
});

/** A worker that says it is there, looks for work once, and leaves or dies. */
async function live(storage: Storage, n: number): Promise<void> {
  const consumer = `worker ${n}~${randomId()}`;
  await storage.advertise(consumer, SILENCE, `{"n":${n}}`);
  await storage.step({
    consumer,
    lane: 0,
    call: 1,
    token: randomId(),
    commits: [],
    want: 1,
    from: NEW,
    maxDeliveries: 5,
  });
  if (n % DIES === 0) return;
  await storage.withdraw(consumer);
  equal(await storage.retire(consumer), true);
}

/** How many the group knows, and how many things are remembered of workers. */
async function known(
  { admin, name }: OwnRedisStage,
): Promise<{ readonly consumers: number; readonly remembered: number }> {
  const consumers = await admin.xinfo("CONSUMERS", `{${name}}:stream`, "workers") as unknown[];
  return { consumers: consumers.length, remembered: await admin.hlen(`{${name}}:calls`) };
}

/**
 * A Redis that dies and comes back, with or without what it had (invariants 37, 49, 70).
 *
 * @module
 */

import { deepStrictEqual as deepEqual, rejects, strictEqual as equal } from "node:assert/strict";
import { test } from "node:test";
import { Redis } from "ioredis";
import { ConnectionError, Perpetual, task } from "../../mod.ts";
import { perform, RedisStage } from "../_harness.ts";
import { RestartingRedis } from "./_restarting.ts";
import { quick, secondsSince, Tally } from "./_stage.ts";

const KILLS = 20;

/** How many adds are acknowledged between two kills. */
const ADDS = 50;

test("F15 a Redis that is killed twenty times under load loses nothing that was acknowledged", async () => {
  await using redis = await RestartingRedis.start(
    "--appendonly",
    "yes",
    "--appendfsync",
    "everysec",
  );
  await perform(new RedisStage(redis.url), async (stage) => {
    const tally = new Tally();
    const acknowledged: string[] = [];
    let unknown = 0;
    const note = task("note", ({ key }): void => tally.count(key));
    const docket = await stage.connect();
    docket.register(note);
    for (let n = 0; n < 2; n++) stage.start(docket, { ...quick, redeliveryTimeout: 2_000 });
    const producer = await stage.connect({ commandTimeout: 2_000 });
    let producing = true;
    stage.afterwards(() => void (producing = false));
    const producers = [1, 2, 3, 4].map(async (name) => {
      for (let n = 0; producing; n++) {
        const key = `${name}.${n}`;
        try {
          await producer.add(note, { key })();
          acknowledged.push(key);
          if (acknowledged.length % ADDS === 0) await stage.sleep(1);
        } catch (error) {
          if (!(error instanceof ConnectionError)) throw error;
          unknown++;
        }
      }
    });

    let slowest = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const before = acknowledged.length;
      await stage.eventually(() => acknowledged.length >= before + ADDS);
      await redis.kill();
      await redis.restart();
      const back = performance.now();
      const ran = tally.runs.size;
      await stage.eventually(() => tally.runs.size > ran);
      slowest = Math.max(slowest, secondsSince(back));
    }
    producing = false;
    await stage.soon(Promise.all(producers));

    await stage.eventually(() => acknowledged.every((key) => tally.runs.has(key)));
    await stage.finish(docket);
    deepEqual(await unfinished(stage, acknowledged), []);
    console.log(
      `F15: 0 of ${acknowledged.length} acknowledged adds lost in ${KILLS} kills (${unknown} unknown), ` +
        `${tally.repeated.length} run twice, served again ${slowest} s after the start at most`,
    );
  });
});

/** Which of these have not ended well. */
async function unfinished(stage: RedisStage, keys: readonly string[]): Promise<string[]> {
  const storage = await stage.open();
  const found = await storage.load(keys);
  return keys.filter((_, i) => found[i].live || found[i].ended?.state !== "completed");
}

for (
  const title of [
    "F16 a Redis that restarts without persistence",
    "F42 a Redis that is flushed",
  ]
) {
  test(`${title} is served on, and automatic tasks start anew`, async () => {
    await using redis = await RestartingRedis.start();
    await perform(new RedisStage(redis.url), async (stage) => {
      let beats = 0;
      const perpetual = new Perpetual({ every: 20, automatic: true });
      const beat = task("beat", { perpetual }, (): void => void beats++);
      const release = Promise.withResolvers<void>();
      stage.afterwards(() => release.resolve());
      const reasons: unknown[] = [];
      const hold = task("hold", async ({ signal }): Promise<string> => {
        signal.addEventListener("abort", () => reasons.push(signal.reason.code));
        if (reasons.length === 0) await release.promise;
        return "done";
      });
      const docket = await stage.connect({ heartbeatInterval: 200 });
      docket.register(beat);
      const lost = await docket.add(hold, { key: "hold" })();
      const waits = await docket.add(hold, { key: "waits", delay: "1h" })();
      stage.start(docket, { ...quick, redeliveryTimeout: 400 });
      await stage.eventually(async () => beats > 2 && (await lost.refresh()).state === "running");

      if (title.includes("flushed")) await flush(redis.url);
      else {
        await redis.kill();
        await redis.restart();
      }
      const start = performance.now();
      const before = beats;
      await stage.eventually(() => beats > before + 2);
      const took = secondsSince(start);

      await rejects(waits.result(), { code: "EXECUTION_EXPIRED" });
      await stage.eventually(() => reasons.length > 0);
      deepEqual(reasons, ["LEASE_LOST"]);
      const again = await docket.add(hold, { key: "hold" })();
      release.resolve(); // the run that was lost ends now, and writes nothing over the new one
      equal(again.disposition, "scheduled");
      equal(await stage.soon(again.result()), "done");
      await rejects(lost.result(), { code: "EXECUTION_EXPIRED" });
      console.log(`${title.split(" ", 1)}: automatic tasks ran again after ${took} s`);
    });
  });
}

async function flush(url: string): Promise<void> {
  const redis = new Redis(url, { protocol: 2 });
  await redis.flushall();
  redis.disconnect();
}

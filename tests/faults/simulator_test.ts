// The simulator's workers, producers and faults before a real Redis. Time is real, so nothing plays twice; a failure prints
// what happened.
import { strictEqual as equal } from "node:assert/strict";
import { env } from "node:process";
import { test } from "node:test";
import { simulateInRealTime } from "../../chaos/simulator/real_time.ts";
import { provideRedis } from "../../scripts/redis.ts";
import { systemClock } from "../../src/base/clock.ts";
import { randomId } from "../../src/base/ids.ts";
import { openStorage } from "../../src/storage/open.ts";
import { assertNoLeaks } from "../_leaks.ts";

const SEEDS = env.DOCKET_SEED ? [Number(env.DOCKET_SEED)] : [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

/** So many at a time: they mostly wait. */
const TOGETHER = 5;

for (let i = 0; i < SEEDS.length; i += TOGETHER) {
  const seeds = SEEDS.slice(i, i + TOGETHER);
  test(`F02 F06 F14 F28 F29 F30 F52 F53 F54 a docket on Redis keeps every promise, seeds ${seeds}`, async () => {
    await using redis = await provideRedis();
    await Promise.all(seeds.map((seed) => play(seed, redis.url)));
  });
}

async function play(seed: number, url: string): Promise<void> {
  const docket = `simulator-${seed}-${randomId()}`;
  const storage = await openStorage(url, {
    docket,
    clock: systemClock,
    recordTtl: 60_000,
    connectTimeout: 10_000,
    commandTimeout: 10_000,
  });
  try {
    const { findings, trace } = await simulateInRealTime(seed, storage);
    if (findings.length > 0) console.log(trace.join("\n"));
    equal(findings.join("\n"), "", `seed ${seed}`);
  } finally {
    await storage[Symbol.asyncDispose]();
  }
  await assertNoLeaks(url, docket); // invariant 80
}

/**
 * Random sequences of commands, on every storage, against a small model of the contract: cancels and replacements, with
 * whatever comes between, among them (F53, F54). A failure prints the shortest sequence found, the seed and the path;
 * `DOCKET_SEED=<seed>` or `DOCKET_SEED=<seed>/<path>` plays it again, `DOCKET_RUNS=<n>` plays more of them,
 * `DOCKET_SHRINK=no` stops at the first failure as it is.
 */

import { strictEqual as equal } from "node:assert/strict";
import { env } from "node:process";
import { test } from "node:test";
import fc from "fast-check";
import { Redis } from "ioredis";
import { provideRedis } from "../../scripts/redis.ts";
import { sleep, systemClock } from "../../src/base/clock.ts";
import { randomId } from "../../src/base/ids.ts";
import { openStorage } from "../../src/storage/open.ts";
import { FakeClock } from "../../src/testing/clock.ts";
import { assertNoLeaks } from "../_leaks.ts";
import { commands } from "./generate.ts";
import { type Ground, play } from "./play.ts";
import { KEPT } from "./times.ts";

const [seed = "1", path] = env.DOCKET_SEED?.split("/") ?? [];
const runs = env.DOCKET_RUNS;
const options = { recordTtl: KEPT, commandTimeout: 5_000, connectTimeout: 5_000 };

test("Storage does what the model does, whatever comes in whatever order (memory)", async () => {
  await explore(300, async () => {
    const clock = new FakeClock();
    const url = `memory://model-${randomId()}`;
    const open = () => openStorage(url, { ...options, docket: "d", clock });
    return {
      storages: [await open(), await open()],
      setsAside: false,
      knowsHolders: true,
      clock: () => clock.monotonic(),
      blur: 0,
      advance: (ms) => clock.advance(ms),
      check: () => Promise.resolve(equal(clock.pending, 0, "timers are left")), // invariant 77
    };
  });
});

test("Storage does what the model does, whatever comes in whatever order (redis)", async () => {
  await using redis = await provideRedis();
  const stranger = new Redis(redis.url);
  using _ = { [Symbol.dispose]: () => stranger.disconnect() };
  await explore(100, async () => {
    const docket = `model-${randomId()}`;
    const open = () => openStorage(redis.url, { ...options, docket, clock: systemClock });
    return {
      storages: [await open(), await open()],
      setsAside: true,
      // It writes down what is held for each limit, and not for each run: that would be one more write for each.
      knowsHolders: false,
      clock: () => systemClock.now(), // the server's: this machine's, which is set now and then
      async watch(on) {
        const calls = `{${docket}}:calls`;
        // It lasts for a while, whoever leaves: so it is taken away where nobody watches any more.
        if (on) await stranger.hset(calls, "@watch", systemClock.now() + 3_600_000);
        else await stranger.hdel(calls, "@watch");
      },
      stray: () =>
        stranger.xgroup("SETID", `{${docket}}:stream`, "workers", "0").then(ignore, ignore),
      async lose(what, consumer) {
        const stream = `{${docket}}:stream`;
        if (what === "stream") await stranger.del(stream);
        if (what === "group") await stranger.xgroup("DESTROY", stream, "workers").catch(ignore);
        if (what === "consumer") {
          await stranger.xgroup("DELCONSUMER", stream, "workers", consumer).catch(ignore);
        }
        if (what === "due") await stranger.del(`{${docket}}:due`, `{${docket}}:background`);
      },
      blur: 2, // Redis counts whole milliseconds
      advance: (ms) => sleep(systemClock, ms),
      check: () => assertNoLeaks(redis.url, docket), // invariant 80
    };
  });
});

async function explore(numRuns: number, ground: () => Promise<Ground>): Promise<void> {
  const details = await fc.check(
    fc.asyncProperty(commands, async (sequence) => await play(sequence, await ground())),
    {
      seed: Number(seed),
      path,
      numRuns: Number(runs ?? numRuns),
      endOnFailure: env.DOCKET_SHRINK === "no",
    },
  );
  if (!details.failed) return;
  const { counterexamplePath, errorInstance, numRuns: run } = details;
  const where = `run ${run}; replay with DOCKET_SEED=${details.seed}/${counterexamplePath}`;
  const failure = new Error(`${where}\n${(errorInstance as Error).message}`);
  failure.stack = ""; // where it was thrown says nothing
  throw failure;
}

/** Without a stream there is no pointer yet, and no group. */
function ignore(): void {}

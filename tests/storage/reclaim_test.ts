/** How far one call looks for dead leases behind live ones: far, also for one, but not without end (invariant 33). */

import { deepStrictEqual as deepEqual, notStrictEqual as notEqual } from "node:assert/strict";
import { env } from "node:process";
import { test as declare } from "node:test";
import { Redis } from "ioredis";
import { systemClock } from "../../src/base/clock.ts";
import { randomId } from "../../src/base/ids.ts";
import type { Reclaim } from "../../src/storage/contract.ts";
import { openStorage } from "../../src/storage/open.ts";
import { Scene } from "../../src/testing/conformance/scene.ts";
import { keysOf, LONG } from "../../src/testing/conformance/shorthands.ts";
import { assertNoLeaks } from "../_leaks.ts";

const url = env.REDIS_URL;
if (!url) throw new Error("Cannot test what is reclaimed: set REDIS_URL, or run `deno task test`");

const LIMITS = { recordTtl: 60_000, commandTimeout: 5_000, connectTimeout: 5_000 };

test(
  "Storage.reclaim() finds the last of many leases in one call, also for one free slot",
  async (scene, stranger) => {
    await hold(scene, 200); // XAUTOCLAIM looks at ten for each that is wanted
    await stranger.abandonLast(await hold(scene, 1, "dead"));

    const { claims } = await scene.storage.reclaim(oneOf(scene));

    deepEqual(keysOf(claims), ["dead 0"]);
  },
);

test(
  "Storage.reclaim() stops behind very many leases, and goes on from its cursor",
  async (scene, stranger) => {
    await hold(scene, 1_500);
    await stranger.abandonLast(await hold(scene, 1, "dead"));
    const request = oneOf(scene);

    const { claims, cursor } = await scene.storage.reclaim(request);
    const rest = await scene.storage.reclaim({ ...request, token: randomId(), cursor });

    deepEqual(claims, []);
    notEqual(cursor, "");
    deepEqual(keysOf(rest.claims), ["dead 0"]);
  },
);

// ── Helpers ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Who makes leases old. */
interface Stranger {
  /** As if its holder had not renewed the lease of the newest entry for longer than {@linkcode LONG}. */
  abandonLast(holder: string): Promise<void>;
}

function test(
  sentence: string,
  body: (scene: Scene, stranger: Stranger) => Promise<void>,
): void {
  declare(sentence, async () => {
    const docket = `reclaim-${randomId()}`;
    const stream = `{${docket}}:stream`;
    const redis = new Redis(url!, { protocol: 2 });
    try {
      await using scene = await Scene.open({
        open: () => openStorage(url!, { docket, clock: systemClock, ...LIMITS }),
        advance: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
        check: () => assertNoLeaks(url!, docket),
        [Symbol.asyncDispose]: () => Promise.resolve(),
      });
      await body(scene, {
        async abandonLast(holder) {
          const [[id]] = await redis.xrevrange(stream, "+", "-", "COUNT", 1);
          await redis.xclaim(stream, "workers", holder, 0, id, "IDLE", 2 * LONG, "JUSTID");
        },
      });
      await scene.clear();
    } finally {
      redis.disconnect();
    }
  });
}

/** Has a worker of its own claim so many tasks; tells its name. */
async function hold(scene: Scene, count: number, name = "live"): Promise<string> {
  const calls = Array.from({ length: count }, (_, i) => scene.call(`${name} ${i}`));
  await scene.storage.schedule(calls);
  const worker = scene.worker();
  deepEqual(keysOf(await worker.claim(count)), keysOf(calls));
  return worker.name;
}

/** What a worker with one free slot asks for first. */
function oneOf(scene: Scene): Reclaim {
  const { name: consumer } = scene.worker();
  return { consumer, token: randomId(), lease: LONG, cursor: "", want: 1, maxDeliveries: 5 };
}

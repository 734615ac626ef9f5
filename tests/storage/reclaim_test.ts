/** How far one call looks for dead leases behind live ones: far, also for one, but not without end (invariant 33). */

import { deepStrictEqual as deepEqual, notStrictEqual as notEqual } from "node:assert/strict";
import { randomId } from "../../src/base/ids.ts";
import type { Reclaim } from "../../src/storage/contract.ts";
import type { Scene } from "../../src/testing/conformance/scene.ts";
import { keysOf, LONG } from "../../src/testing/conformance/shorthands.ts";
import { type Stranger, strangerTest as test } from "./_stranger.ts";

test(
  "Storage.reclaim() finds the last of many leases in one call, also for one free slot",
  async (scene, stranger) => {
    await hold(scene, 200); // XAUTOCLAIM looks at ten for each that is wanted
    await abandonLast(stranger, await hold(scene, 1, "dead"));

    const { claims } = await scene.storage.reclaim(oneOf(scene));

    deepEqual(keysOf(claims), ["dead 0"]);
  },
);

test(
  "Storage.reclaim() stops behind very many leases, and goes on from its cursor",
  async (scene, stranger) => {
    await hold(scene, 1_500);
    await abandonLast(stranger, await hold(scene, 1, "dead"));
    const request = oneOf(scene);

    const { claims, cursor } = await scene.storage.reclaim(request);
    const rest = await scene.storage.reclaim({ ...request, token: randomId(), cursor });

    deepEqual(claims, []);
    notEqual(cursor, "");
    deepEqual(keysOf(rest.claims), ["dead 0"]);
  },
);

// ── Helpers ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** As if its holder had not renewed the lease of the newest entry for longer than {@linkcode LONG}. */
async function abandonLast({ redis, key }: Stranger, holder: string): Promise<void> {
  const [[id]] = await redis.xrevrange(key("stream"), "+", "-", "COUNT", 1);
  await redis.xclaim(key("stream"), "workers", holder, 0, id, "IDLE", 2 * LONG, "JUSTID");
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

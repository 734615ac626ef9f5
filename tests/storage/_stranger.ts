/**
 * Tests of the storage on Redis in which somebody else reaches into the docket's keys.
 *
 * @module
 */

import { env } from "node:process";
import { test } from "node:test";
import { Redis } from "ioredis";
import { systemClock } from "../../src/base/clock.ts";
import { randomId } from "../../src/base/ids.ts";
import { openStorage } from "../../src/storage/open.ts";
import { Scene } from "../../src/testing/conformance/scene.ts";
import { assertNoLeaks } from "../_leaks.ts";

const url = env.REDIS_URL;
if (!url) throw new Error("Cannot test on Redis: set REDIS_URL, or run `deno task test`");

const LIMITS = { recordTtl: 60_000, commandTimeout: 5_000, connectTimeout: 5_000 };

/** Somebody else on the same Redis. */
export interface Stranger {
  readonly redis: Redis;
  /** The name of one of the docket's keys. */
  key(name: string): string;
}

/** Declares a test on a docket of its own, of which nothing may be left. */
export function strangerTest(
  sentence: string,
  body: (scene: Scene, stranger: Stranger) => Promise<void>,
): void {
  test(sentence, async () => {
    const docket = `test-${randomId()}`;
    const redis = new Redis(url!, { protocol: 2 });
    try {
      await using scene = await Scene.open({
        open: () => openStorage(url!, { docket, clock: systemClock, ...LIMITS }),
        advance: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
        check: () => assertNoLeaks(url!, docket),
        [Symbol.asyncDispose]: () => Promise.resolve(),
      });
      await body(scene, { redis, key: (name) => `{${docket}}:${name}` });
      await scene.clear();
    } finally {
      redis.disconnect();
    }
  });
}

/** What gates keep on Redis. */

import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import { env } from "node:process";
import { test } from "node:test";
import { Redis } from "ioredis";
import { systemClock } from "../../src/base/clock.ts";
import { randomId } from "../../src/base/ids.ts";
import type { Claim, Gate, Held, Passage } from "../../src/storage/contract.ts";
import { openStorage } from "../../src/storage/open.ts";
import { Scene } from "../../src/testing/conformance/scene.ts";
import { completed, keysOf, like, LONG } from "../../src/testing/conformance/shorthands.ts";
import { assertNoLeaks } from "../_leaks.ts";

const url = env.REDIS_URL;
if (!url) throw new Error("Cannot test on Redis: set REDIS_URL, or run `deno task test`");

const LIMITS = { recordTtl: 60_000, commandTimeout: 5_000, connectTimeout: 5_000 };
const DAY = 86_400_000;

interface Place {
  readonly scene: Scene;
  readonly redis: Redis;
  /** The key of a gate. */
  readonly key: (tail: string) => string;
  readonly enter: (claim: Claim, ...gates: readonly Gate[]) => Promise<Passage>;
}

/** A scene, and a connection of one's own to look at what is kept, or to spoil it. */
function play(sentence: string, body: (place: Place) => Promise<void>): void {
  test(sentence, async () => {
    const docket = `test-${randomId()}`;
    const open = () => openStorage(url!, { docket, clock: systemClock, ...LIMITS });
    const redis = new Redis(url!, { protocol: 2 });
    try {
      await using scene = await Scene.open({
        open,
        advance: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
        check: () => assertNoLeaks(url!, docket),
        [Symbol.asyncDispose]: () => Promise.resolve(),
      });
      const enter = async ({ key, token }: Claim, ...gates: readonly Gate[]) => {
        const [passage] = await scene.storage.enter([{ key, token, gates, ttl: LONG }]);
        return passage;
      };
      await body({ scene, redis, key: (tail) => `{${docket}}:g:${tail}`, enter });
      await scene.clear();
    } finally {
      redis.disconnect();
    }
  });
}

play(
  "Storage.enter() keeps no gate from expiring, and none that is in use expires",
  async ({ scene, redis, key, enter }) => {
    const gate: Gate & Held = { kind: "concurrency", id: "a", max: 20 };
    for (let n = 0; n < 10; n++) {
      const { claim } = await scene.running(`${n}`);
      equal(await enter(claim, gate), "passed");
      ok(await redis.pttl(key("h:a")) > 29 * DAY);
      await redis.pexpire(key("h:a"), 5_000); // as if they had run for long
    }
    const debounce: Gate = { kind: "debounce", id: "a", quiet: 30 };
    const { worker, claim } = await scene.running("waits");
    equal(await enter(claim, debounce), "parked");
    ok(await redis.pttl(key("d:a")) > 29 * DAY); // it may be in line for long
    await scene.advance(50);
    await scene.storage.promote(10);
    const [again] = await worker.claim();
    equal(await enter(again, debounce), "passed");
    ok(await redis.pttl(key("d:a")) < DAY);
  },
);

play("Storage.enter() wakes who would let in nearly everybody", async ({ scene, enter }) => {
  const one: Gate & Held = { kind: "concurrency", id: "a", max: 1 };
  const most: Gate & Held = { kind: "concurrency", id: "a", max: Number.MAX_SAFE_INTEGER };
  const { worker, claim } = await scene.running("first");
  const [second, third] = [await scene.running("second"), await scene.running("third")];
  equal(await enter(claim, one), "passed");
  equal(await enter(second.claim, one), "parked");

  equal(await enter(third.claim, most), "parked"); // behind the second, and both are woken

  deepEqual(keysOf(await worker.claim()), ["second", "third"]);
  like(await scene.live("third"), { state: "running" });
  const { key, token } = claim;
  await worker.step({
    commits: [{ key, token, settlement: completed(), leaves: [most] }],
    want: 0,
  });
});

play(
  "Storage.enter() and step() go on where strangers put something else in the place of gates",
  async ({ scene, redis, key, enter }) => {
    const gate: Gate & Held = { kind: "concurrency", id: "a", max: 1 };
    const gates: readonly Gate[] = [
      { kind: "rate", id: "a", max: 1, per: LONG, excess: "wait" },
      { kind: "cooldown", id: "a", period: LONG },
      { kind: "debounce", id: "a", quiet: LONG },
      gate,
    ];
    for (const [i, one] of gates.entries()) {
      const letter = { concurrency: "h", rate: "r", cooldown: "c", debounce: "d" }[one.kind];
      await redis.del(key(`${letter}:a`));
      await redis.rpush(key(`${letter}:a`), "strange");
      const { claim } = await scene.running(`${i}`);
      equal(await enter(claim, one), one.kind === "debounce" ? "parked" : "passed", one.kind); // invariant 5
    }
    const { worker, claim } = await scene.running("next");
    equal(await enter(claim, gate), "parked");
    await redis.set(key("h:a"), "strange");
    await redis.set(key("l:a"), "strange");
    const last = await scene.live("3");
    const { committed } = await worker.step({
      commits: [{ key: "3", token: last.token!, settlement: completed(), leaves: [gate] }],
      want: 0,
    });
    equal(committed, undefined);
    equal((await scene.ended("3")).state, "completed");
    await scene.storage.sweep({ limit: 100, pause: 0, silence: LONG });
    deepEqual(keysOf(await worker.claim()), ["next"]);
    equal(await enter(await scene.live("next") as Claim, gate), "passed");
  },
);

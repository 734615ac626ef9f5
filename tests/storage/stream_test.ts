/** What is settled leaves the stream, at its leisure: there is never much of it, and in the end none (invariant 35). */

import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import { randomId } from "../../src/base/ids.ts";
import { type Claim, OWN } from "../../src/storage/contract.ts";
import type { Scene } from "../../src/testing/conformance/scene.ts";
import { completed, keysOf, LONG } from "../../src/testing/conformance/shorthands.ts";
import type { Worker } from "../../src/testing/conformance/worker.ts";
import { strangerTest } from "./_stranger.ts";

/** So many settled entries may be left while there is more to do, and those of some steps. */
const MOST_LEFT = 2_000 + 100;

for (const concurrency of [1, 8, 9, 100]) {
  test(
    `Storage.step() leaves no entry when ${concurrency} at a time are done`,
    async (scene, stranger) => {
      const worker = scene.worker();
      for (const count of [300, 1, concurrency]) { // the first finds the stream as somebody has left it
        await add(scene, count);

        await drain(worker, concurrency);

        equal(await stranger.entries(), 0);
      }
    },
  );
}

test("Storage.step() leaves few entries while there is more to do", async (scene, stranger) => {
  const worker = scene.worker();
  await add(scene, 1);
  await drain(worker, 1); // from here on nothing is left
  let left = 5_000;
  await add(scene, left);
  let most = 0;

  let claims = await worker.claim(1);
  for (; claims.length > 0; left--) {
    if (left % 50 === 0) most = Math.max(most, await stranger.entries() - left);
    claims = await settle(worker, claims, 1);
  }

  ok(most <= MOST_LEFT, `${most} settled entries`);
  ok(most > 100, `${most}: nothing is left to be trimmed together`); // one by one is dear
  equal(await stranger.entries(), 0);
});

test(
  "Storage.step() leaves no entries behind one that is held for long",
  async (scene, stranger) => {
    const worker = scene.worker();
    await stranger.holdOldEntry();
    await add(scene, 20);
    await drain(worker, 5); // learns that a trim reaches nothing

    await add(scene, 300);
    await drain(worker, 100);
    await add(scene, 300);
    await drain(worker, 2);

    ok(await stranger.entries() <= 21, `${await stranger.entries()} entries`);
    await stranger.releaseOldEntry();
    await add(scene, 20);
    await drain(worker, 5);
    await add(scene, 1);
    await drain(worker, 5);
    equal(await stranger.entries(), 0);
  },
);

test("Storage.step() leaves what another lane's tasks stand on", async (scene, stranger) => {
  const worker = scene.worker();
  await add(scene, 30);
  const { claims: held } = await worker.step({ lane: 1, want: 10 });
  await drain(worker, 5);

  equal((await worker.step({ lane: 1, want: 0, from: OWN })).claims.length, 0);
  deepEqual(await worker.claim(20, { from: OWN }), held);
  await settle(worker, held, 10);
  await settle(worker, [], 10);

  equal(await stranger.entries(), 0);
});

// Invariants 21 and 35: the row tells which entry a task stands on.
test(
  "Storage.step() makes nothing of settled entries that are shown again",
  async (scene, stranger) => {
    const worker = scene.worker();
    await add(scene, 3, "old");
    await add(scene, 1, "another's");
    const claims = await worker.claim(3);
    const [another] = await scene.worker().claim(1);
    await add(scene, 2, "queued");
    const [own] = await settle(worker, claims, 1); // it finds one, so it has not tidied up yet
    ok(await stranger.entries() > 3, "it has removed what this test is about");
    const [again] = await Promise.all([scene.add("old 0"), scene.add("old 1")]);

    await stranger.showAllAgain();
    const shown = await worker.claim(20);

    deepEqual(keysOf(shown).toSorted(), ["old 0", "old 1", "queued 0", "queued 1"]);
    deepEqual(shown.find(({ key }) => key === own.key), own); // not once more
    ok(shown.some(({ generation }) => generation === again.generation));
    deepEqual(await scene.live(another.key), another);
    deepEqual(await worker.claim(20), []);
  },
);

// Invariant 17: a stranger's, or what a lost script has left.
test("Storage.step() takes a task once, however many entries name it", async (scene, stranger) => {
  const worker = scene.worker();
  await stranger.name("a");
  await scene.add("a");
  await stranger.name("a");
  await scene.add("b");

  const claims = await worker.claim();

  deepEqual(keysOf(claims), ["a", "b"]);
  await settle(worker, claims, 10);
  equal(await stranger.entries(), 0);
});

// ── Helpers ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Who looks at the stream, and may spoil it. */
interface Stranger {
  entries(): Promise<number>;
  /** Adds an entry for a key. */
  name(key: string): Promise<unknown>;
  /** Somebody holds an entry that is older than all others. */
  holdOldEntry(): Promise<void>;
  releaseOldEntry(): Promise<void>;
  /** Moves the pointer back to the beginning. */
  showAllAgain(): Promise<void>;
}

function test(
  sentence: string,
  body: (scene: Scene, stranger: Stranger) => Promise<void>,
): void {
  strangerTest(sentence, (scene, { redis, key }) => {
    const stream = key("stream");
    return body(scene, {
      entries: () => redis.xlen(stream),
      name: (key) => redis.xadd(stream, "*", "k", key),
      async holdOldEntry() {
        await redis.xgroup("CREATE", stream, "workers", "0", "MKSTREAM");
        await redis.xadd(stream, "1000-0", "k", "of long ago");
        await redis.xreadgroup("GROUP", "workers", "slow", "COUNT", 1, "STREAMS", stream, ">");
      },
      async releaseOldEntry() {
        await redis.xack(stream, "workers", "1000-0");
        await redis.xdel(stream, "1000-0");
        await redis.xgroup("DELCONSUMER", stream, "workers", "slow");
      },
      async showAllAgain() {
        await redis.xgroup("SETID", stream, "workers", "0");
      },
    });
  });
}

async function add(scene: Scene, count: number, name = randomId()): Promise<void> {
  const calls = Array.from({ length: count }, (_, i) => scene.call(`${name} ${i}`));
  await scene.storage.schedule(calls);
}

/** Settles these, and takes as many as there is room for. */
async function settle(
  worker: Worker,
  claims: readonly Claim[],
  want: number,
): Promise<readonly Claim[]> {
  const commits = claims.map(({ key, token }) => {
    return { key, token, settlement: { ...completed(), ttl: LONG } as const };
  });
  return (await worker.step({ commits, want })).claims;
}

/** Runs all there is; like a worker, it is at rest when a step has found nothing. */
async function drain(worker: Worker, concurrency: number): Promise<void> {
  let claims = await settle(worker, [], concurrency);
  while (claims.length > 0) claims = await settle(worker, claims, concurrency);
}

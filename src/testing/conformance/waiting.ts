/**
 * What `wait` and disposing promise.
 *
 * @module
 */

import {
  deepStrictEqual as deepEqual,
  notStrictEqual as notEqual,
  rejects,
  strictEqual as equal,
} from "node:assert/strict";
import type { Settlement } from "../../storage/contract.ts";
import type { Test } from "./scene.ts";
import { completed, keysOf, LONG, PAST_LEASE, succeeded } from "./shorthands.ts";

/** After each of these its task is queued again. */
const SETTLEMENTS: readonly Settlement[] = [
  { kind: "released", due: undefined },
  { kind: "retried", due: undefined },
  succeeded(),
];

/** Declares them. */
export function waitingTests(test: Test): void {
  test("Storage.wait() returns at once when something is queued", async (scene) => {
    await scene.add("a");

    deepEqual(keysOf(await scene.worker().await()), ["a"]);
  });

  test("Storage.wait() wakes when a task is added, also by another handle", async (scene) => {
    const another = await scene.another();
    const worker = scene.worker();
    const waiting = worker.await();

    await scene.advance(20);
    await another.schedule([scene.call("a")]);

    deepEqual(keysOf(await waiting), ["a"]);
  });

  test("Storage.wait() wakes when a task becomes due", async (scene) => {
    await scene.add("a", { due: { after: 20 } });
    const waiting = scene.worker().await();

    await scene.advance(40);
    await scene.storage.promote(10);

    deepEqual(keysOf(await waiting), ["a"]);
  });

  test("Storage.wait() wakes when a task is given back, retried, or goes on", async (scene) => {
    for (const settlement of SETTLEMENTS) {
      const { worker, claim } = await scene.running("a");
      const waiting = scene.worker().await();

      await scene.advance(10);
      await worker.settle(claim, settlement);

      const [next] = await waiting;
      equal(next.key, "a");
      await worker.settle(next, completed());
    }
  });

  test("Storage.wait() wakes when a replacement takes over", async (scene) => {
    const { worker, claim } = await scene.running("a");
    const { generation } = await scene.replace("a");
    const waiting = scene.worker().await();

    await scene.advance(10);
    await worker.settle(claim, completed());

    deepEqual((await waiting).map((next) => next.generation), [generation]);
  });

  test("Storage.wait() lets several consumers share what comes", async (scene) => {
    const workers = [scene.worker(), scene.worker(await scene.another())];
    const claims: string[] = [];
    const enough = new AbortController();
    const waiting = workers.map(async (worker) => {
      while (!enough.signal.aborted) {
        const from = await scene.storage.wait(worker.name, 1, LONG, enough);
        if (from !== undefined) claims.push(...keysOf(await worker.claim(1, { from })));
        if (claims.length === 4) enough.abort();
      }
    });

    await scene.advance(10);
    await scene.storage.schedule(["a", "b", "c", "d"].map((key) => scene.call(key)));
    await Promise.all(waiting);

    deepEqual(claims.toSorted(), ["a", "b", "c", "d"]);
  });

  test("Storage.wait() wakes as many consumers as there is work for", async (scene) => {
    const waiting = [scene.worker(), scene.worker(await scene.another())].map((w) => w.await(1));

    await scene.advance(20);
    await scene.storage.schedule(["a", "b"].map((key) => scene.call(key)));

    const claims = await Promise.all(waiting);
    deepEqual(claims.flatMap(keysOf).toSorted(), ["a", "b"]);
  });

  test("Storage.wait() may give up after its timeout, and loses nothing by it", async (scene) => {
    const worker = scene.worker();
    const waiting = (async () => {
      for (;;) {
        const from = await scene.storage.wait(worker.name, 5, 30);
        if (from !== undefined) return from;
      }
    })();

    await scene.advance(70);
    await scene.add("a");

    deepEqual(keysOf(await worker.claim(5, { from: await waiting })), ["a"]);
  });

  test("Storage.wait() returns early when its signal aborts", async (scene) => {
    const controller = new AbortController();
    const { name } = scene.worker();
    const waiting = scene.storage.wait(name, 5, LONG, { signal: controller.signal });

    await scene.advance(20);
    controller.abort();

    equal(await waiting, undefined);
    equal(await scene.storage.wait(name, 5, LONG, { signal: AbortSignal.abort() }), undefined);
  });

  test("Storage.wait() can be called again after it gave up", async (scene) => {
    const worker = scene.worker();
    const controller = new AbortController();
    const first = scene.storage.wait(worker.name, 5, LONG, { signal: controller.signal });
    await scene.advance(20);
    controller.abort();
    equal(await first, undefined);
    const waiting = worker.await();

    await scene.advance(10);
    await scene.add("a");

    deepEqual(keysOf(await waiting), ["a"]);
  });

  test("Storage.wait() loses nothing when its consumer dies right after", async (scene) => {
    const dying = scene.worker(await scene.another());
    await scene.add("a");
    notEqual(await scene.storage.wait(dying.name, 5, LONG), undefined);
    await scene.advance(PAST_LEASE);
    const worker = scene.worker();

    // What was set aside for it can be taken over like a claim, and was never delivered (invariant 33).
    const claims = [...await worker.claim(), ...await worker.reclaim()];

    deepEqual(claims.map(({ key, deliveries }) => [key, deliveries]), [["a", 1]]);
  });

  test("Storage.wait() does not hide a task from a cancel or a replace", async (scene) => {
    await scene.storage.schedule([scene.call("a"), scene.call("b")]);
    const worker = scene.worker();
    const from = await scene.storage.wait(worker.name, 5, LONG);

    deepEqual(await scene.cancel("a"), ["cancelled"]);
    const { generation } = await scene.replace("b");

    // Invariant 28: never runs, even when it was already delivered.
    const claims = [...await worker.claim(5, { from }), ...await worker.claim()];
    deepEqual(claims.map((claim) => claim.generation), [generation]);
  });

  test("Storage rejects what is under way when it is disposed of", async (scene) => {
    const storage = await scene.another();
    const waiting = rejects(storage.wait(scene.worker().name, 5, LONG), {
      name: "ConnectionError",
    });
    await scene.advance(20);

    await storage[Symbol.asyncDispose](); // invariant 74

    await waiting;
    await rejects(storage.count(), { name: "ConnectionError" });
    await rejects(storage.wait("w", 1, LONG), { name: "ConnectionError" });
  });

  test("Storage can be disposed of twice, and its tasks stay", async (scene) => {
    const storage = await scene.another();
    await storage.schedule([scene.call("a")]);

    await storage[Symbol.asyncDispose]();
    await storage[Symbol.asyncDispose]();

    equal((await scene.live("a")).state, "queued");
  });

  test("Storage verbs reject with the reason of a signal that has aborted", async (scene) => {
    const { storage } = scene;
    const reason = new Error("enough");
    const options = { signal: AbortSignal.abort(reason) };

    await rejects(storage.schedule([scene.call("a")], options), reason);
    await rejects(storage.load(["a"], options), reason);
    await rejects(storage.cancel([{ key: "a" }], options), reason);

    equal(await storage.count(), 0);
  });

  test("Storage.url shows where it is", (scene) => {
    equal(typeof scene.storage.url, "string");
    notEqual(scene.storage.url, "");
    return Promise.resolve();
  });
}

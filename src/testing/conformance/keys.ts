/**
 * That any string is a safe key (invariants 13 and 66).
 *
 * @module
 */

import { deepStrictEqual as deepEqual, strictEqual as equal } from "node:assert/strict";
import type { Change } from "../../storage/contract.ts";
import { is } from "./attention.ts";
import { Ear } from "./ear.ts";
import type { Test } from "./scene.ts";
import { completed, failed, LONG, succeeded } from "./shorthands.ts";

/** Keys that have broken something somewhere. */
const ODD_KEYS: readonly string[] = [
  "",
  " ",
  "stream",
  "state",
  "due",
  "next",
  "strikes",
  "r:a",
  "@watch",
  "{x}",
  "}{",
  "a|b",
  "a:b",
  "*",
  "a*[b]?",
  "\\",
  "line\nfeed\r\n",
  "tab\t\0nul",
  "'single' \"double\" `back`",
  "__proto__",
  "constructor",
  "hasOwnProperty",
  "0",
  "-1",
  "1e3",
  "+5",
  "0-1",
  ">",
  "$",
  "%s %d",
  "ünïcödé",
  "🦊 in the 🏡",
  "\u{10ffff}",
  "true",
  "null",
  "k".repeat(1_024),
];

/** Declares them. */
export function keyTests(test: Test): void {
  test("Storage tells all keys apart", async (scene) => {
    const calls = ODD_KEYS.map((key) => scene.call(key, { body: `of ${key}` }));

    const verdicts = await scene.storage.schedule(calls);
    const found = await scene.storage.load(ODD_KEYS);
    const claims = await scene.worker().claim(ODD_KEYS.length);

    equal(verdicts.filter(({ kind }) => kind === "scheduled").length, ODD_KEYS.length);
    deepEqual(found.map(({ live }) => [live?.key, live?.body]), calls.map((c) => [c.key, c.body]));
    deepEqual(claims.map((c) => [c.key, c.body]), calls.map((c) => [c.key, c.body]));
  });

  test("Storage takes all keys through a whole life", async (scene) => {
    const { storage } = scene;
    const worker = scene.worker();
    const want = ODD_KEYS.length;
    const due = { after: 20 };
    await storage.schedule(ODD_KEYS.map((key) => scene.call(key, { due })));
    await scene.advance(40);
    equal((await storage.promote(want)).promoted, want);

    // Claimed, kept, retried.
    const first = await worker.claim(want);
    deepEqual(new Set(await storage.renew(worker.name, first)), new Set(["kept"]));
    const retried = { kind: "retried", due: undefined } as const;
    const commits = first.map(({ key, token }) => ({ key, token, settlement: retried }));
    equal((await worker.step({ commits, want: 0 })).committed, undefined);

    // The next of a chain.
    const second = await worker.claim(want);
    const chained = second.map(({ key, token }) => ({ key, token, settlement: succeeded() }));
    equal((await worker.step({ commits: chained, want: 0 })).committed, undefined);

    // Replaced while it runs, and ended.
    const third = await worker.claim(want);
    const calls = ODD_KEYS.map((key) => scene.call(key, { mode: "replace", due: { after: LONG } }));
    await storage.schedule(calls);
    const ends = third.map(({ key, token }) => ({ key, token, settlement: failed(`of ${key}`) }));
    equal((await worker.step({ commits: ends, want: 0 })).committed, undefined);

    const found = await storage.load(ODD_KEYS);
    deepEqual(found.map(({ live }) => live?.generation), calls.map((call) => call.generation));
    deepEqual(found.map(({ ended }) => ended?.text), ODD_KEYS.map((key) => `of ${key}`));
    deepEqual(new Set(await scene.cancel(...ODD_KEYS)), new Set(["cancelled"]));
    equal(await storage.count(), 0);
  });

  test("Storage parks all keys", async (scene) => {
    const worker = scene.worker();
    await scene.storage.schedule(ODD_KEYS.map((key) => scene.call(key)));
    const claims = await worker.claim(ODD_KEYS.length);
    const commits = claims.map(({ key, token }) => {
      return { key, token, settlement: { kind: "dead", text: `of ${key}` } as const };
    });

    await worker.step({ commits, want: 0 });

    const found = await scene.storage.load(ODD_KEYS);
    deepEqual(found.map(({ dead }) => dead?.text), ODD_KEYS.map((key) => `of ${key}`));
  });

  test("Storage tells of all keys", async (scene) => {
    const ear = new Ear<Change>();
    const controller = new AbortController();
    const worker = scene.worker();
    await scene.storage.schedule(ODD_KEYS.map((key) => scene.call(key)));
    const claims = await worker.claim(ODD_KEYS.length);
    await scene.storage.watch(ear.listener, { signal: controller.signal });

    const commits = claims.map(({ key, token }) => ({ key, token, settlement: completed() }));
    await worker.step({ commits, want: 0 });

    for (const { key, generation } of claims) {
      await ear.until(is(key, generation, "completed")); // invariant 66
    }
    controller.abort();
  });

  test("Storage listens for cancels of all keys", async (scene) => {
    const controller = new AbortController();
    const heard = new Ear<string>();
    await scene.storage.schedule(ODD_KEYS.map((key) => scene.call(key)));
    await scene.worker().claim(ODD_KEYS.length);
    await scene.storage.listen(
      (notice) => notice.kind === "cancel" && heard.listener(notice.key),
      { signal: controller.signal },
    );

    const replies = await scene.cancel(...ODD_KEYS);

    deepEqual(new Set(replies), new Set(["requested"]));
    for (const key of ODD_KEYS) await heard.until((told) => told === key);
    controller.abort();
  });
}

/**
 * What `step` promises of settling.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import { randomId } from "../../base/ids.ts";
import type { Settlement } from "../../storage/contract.ts";
import { watching } from "./attention.ts";
import type { Test } from "./scene.ts";
import { completed, failed, keysOf, like, LONG, PAST_LEASE, succeeded } from "./shorthands.ts";

/** Every way to end. */
const ENDINGS: readonly Settlement[] = [
  completed("1|2|w|\0\n🦊|"),
  failed(""),
  { kind: "cancelled", reason: "struck", text: "1|2||", ttl: LONG },
  { kind: "dead", text: "1|2|w|why" },
];

/** What the text of an ending may begin with, and what only looks like it. */
const TEXTS: readonly string[] = [
  `1|${Date.now()}|worker|task|42`,
  `12|${Date.now() - LONG}|worker|task|{"a":"b|c"}`,
  "1|8640000000000000||",
  "1|1|",
  "01|2|w",
  "0|2|w",
  "1|02|w",
  "1|0|w",
  "|2|w",
  "1||w",
  "1|2",
  "-1|2|w",
  "7",
  "",
];

/** Declares them. */
export function settleTests(test: Test): void {
  for (const settlement of ENDINGS) {
    test(`Storage.step() ends a task as ${settlement.kind}`, async (scene) => {
      const { worker, claim, generation } = await scene.running("a");

      equal(await worker.settle(claim, settlement), true);

      // Invariant 35: one step, nothing remains.
      const { live, ended } = await scene.find("a");
      equal(live, undefined);
      const text = "text" in settlement ? settlement.text : "";
      const reason = "reason" in settlement ? settlement.reason : undefined;
      like(ended, { generation, state: settlement.kind as "completed", text, reason });
      equal(await scene.storage.count(), 0);
      deepEqual(await worker.claim(), []);
    });
  }

  for (const watched of [false, true]) {
    test(`Storage.step() keeps every text to the byte${watched ? ", watched" : ""}`, async (scene) => {
      const attention = watched ? await watching(scene) : undefined;
      for (let n = 0; n < TEXTS.length; n++) await scene.add(`${n}`);
      const worker = scene.worker();
      const claims = await worker.claim(TEXTS.length);
      const settlementOf = (key: string) => completed(TEXTS[Number(key)]);

      // One alone, as of an idle worker, and the others together.
      await worker.settle(claims[0], settlementOf(claims[0].key));
      const commits = claims.slice(1).map((claim) => ({
        ...claim,
        settlement: settlementOf(claim.key),
      }));
      await worker.step({ commits, want: 0 });

      for (let n = 0; n < TEXTS.length; n++) {
        like(await scene.ended(`${n}`), { state: "completed", text: TEXTS[n] });
      }
      attention?.stop();
    });
  }

  test("Storage.step() queues a retry without delay at once", async (scene) => {
    const { worker, claim, generation } = await scene.running("a", { body: "b" });

    await worker.settle(claim, { kind: "retried", due: undefined });

    // Invariants 26 and 42: no worker, no start; one attempt more, deliveries counted anew.
    like(await scene.live("a"), { generation, state: "queued", attempt: 2, deliveries: 0 });
    like(await scene.live("a"), { startedAt: undefined, consumer: undefined, token: undefined });
    equal((await scene.find("a")).ended, undefined); // invariant 44: retrying is not failing
    const [again] = await worker.claim();
    like(again, { generation, attempt: 2, deliveries: 1, body: "b" });
  });

  test("Storage.step() schedules a retry with a delay", async (scene) => {
    const { worker, claim, generation } = await scene.running("a");

    await worker.settle(claim, { kind: "retried", due: { after: 40 } });

    like(await scene.live("a"), { generation, state: "scheduled", attempt: 2, deliveries: 0 });
    deepEqual(await worker.claim(), []);
    equal((await scene.add("a")).verdict.kind, "exists"); // invariant 43
    await scene.advance(60);
    await scene.storage.promote(10);
    like((await worker.claim())[0], { generation, attempt: 2, deliveries: 1 });
  });

  test("Storage.step() schedules a retry for an instant", async (scene) => {
    const { worker, claim } = await scene.running("a");
    const at = Date.UTC(2100, 0, 1);

    await worker.settle(claim, { kind: "retried", due: { at } });

    like(await scene.live("a"), { state: "scheduled", due: at, startedAt: undefined });
  });

  test("Storage.step() counts the deliveries of each attempt anew", async (scene) => {
    const { worker, claim } = await scene.running("a");
    await worker.settle(claim, { kind: "retried", due: undefined });

    const [again] = await worker.claim(1, { maxDeliveries: 1 }); // invariant 40

    like(again, { attempt: 2, deliveries: 1 });
  });

  test("Storage.step() charges nothing for a release", async (scene) => {
    const worker = scene.worker();
    await scene.add("a");

    for (let i = 0; i < 3; i++) {
      const [claim] = await worker.claim(1, { maxDeliveries: 1 });
      like(claim, { attempt: 1, deliveries: 1 });
      await worker.settle(claim, { kind: "released", due: undefined });
      like(await scene.live("a"), { state: "queued", attempt: 1, deliveries: 0 });
    }

    like(await scene.live("a"), { startedAt: undefined, consumer: undefined, token: undefined });
  });

  test("Storage.step() takes back only the released delivery, not those of crashes", async (scene) => {
    await scene.running("a");
    await scene.advance(PAST_LEASE);
    const worker = scene.worker();
    const [claim] = await worker.reclaim();

    await worker.settle(claim, { kind: "released", due: { after: 20 } });

    like(await scene.live("a"), { state: "scheduled", attempt: 1, deliveries: 1 });
  });

  for (const state of ["completed", "failed"] as const) {
    test(`Storage.step() records a ${state} run and puts the next of the chain in its place`, async (scene) => {
      const { worker, claim, generation } = await scene.running("a");
      await worker.settle(claim, { kind: "retried", due: undefined });
      const [second] = await worker.claim();
      const next = succeeded({ state, text: "t", body: "next" });

      equal(await worker.settle(second, next), true);

      // Invariant 47: exactly one successor, in the same step.
      like(await scene.ended("a"), { generation, state, text: "t" });
      const fresh = { generation: next.generation, attempt: 1, deliveries: 0, body: "next" };
      like(await scene.live("a"), { ...fresh, state: "queued", startedAt: undefined });
      equal(await scene.storage.count(), 1);
      like((await worker.claim())[0], { ...fresh, deliveries: 1 });
    });
  }

  test("Storage.step() keeps the next of a chain for its time", async (scene) => {
    const { worker, claim } = await scene.running("a");
    const at = Date.UTC(2100, 0, 1);

    await worker.settle(claim, succeeded({ due: { at } }));

    like(await scene.live("a"), { state: "scheduled", due: at });
    deepEqual(await worker.claim(), []);
  });

  test("Storage.step() goes on with a chain that keeps no records", async (scene) => {
    let { claim, worker } = await scene.running("a");

    for (let i = 0; i < 5; i++) {
      await worker.settle(claim, succeeded({ ttl: 0, body: `${i}` }));
      [claim] = await worker.claim(); // invariant 50
      equal(claim.body, `${i}`);
    }

    equal(await scene.storage.count(), 1);
  });

  test("Storage.step() settles many at once, each by its own token", async (scene) => {
    const worker = scene.worker();
    await scene.storage.schedule(["a", "b", "c", "d"].map((key) => scene.call(key)));
    const claims = [...await worker.claim(2), ...await worker.claim(2)];
    const settlements = [completed(), failed(), succeeded(), { kind: "retried", due: undefined }];
    const commits = claims.map(({ key, token }, i) => {
      return { key, token, settlement: settlements[i] as Settlement };
    });

    const { committed, claims: next } = await worker.step({ commits, want: 5 });

    equal(committed, undefined);
    equal((await scene.ended("a")).state, "completed");
    equal((await scene.ended("b")).state, "failed");
    deepEqual(keysOf(next).toSorted(), ["c", "d"]);
  });

  test("Storage.step() says which of its commits counted", async (scene) => {
    const { worker, claim } = await scene.running("a");
    const other = await scene.running("b");
    const commits = [
      { key: "nobody", token: claim.token, settlement: completed() },
      { key: "a", token: claim.token, settlement: completed() },
      { key: "b", token: claim.token, settlement: completed() },
    ];

    const { committed } = await worker.step({ commits, want: 0 });

    deepEqual(committed, [false, true, false]);
    like(await scene.live("b"), { state: "running", token: other.claim.token });
    const { live, ended } = await scene.find("nobody"); // invariant 24: nothing is made of nothing
    deepEqual([live, ended], [undefined, undefined]);
  });

  test("Storage.step() fences who lost the claim", async (scene) => {
    const { worker, claim } = await scene.running("a");
    await scene.advance(PAST_LEASE);
    const successor = scene.worker();
    const [taken] = await successor.reclaim();

    // Invariants 19, 29: by equality, whatever the zombie wants, a reschedule included.
    for (const settlement of [...ENDINGS, succeeded(), { kind: "retried", due: undefined }]) {
      equal(await worker.settle(claim, settlement as Settlement), false);
    }
    equal(await worker.settle(claim, { kind: "released", due: undefined }), false);

    deepEqual(await scene.live("a"), taken);
    equal((await scene.find("a")).ended, undefined);
    deepEqual(await successor.claim(), []); // not even its queue entry was touched
    equal(await successor.settle(taken, completed()), true);
  });

  test("Storage.step() fences a token that resembles the right one", async (scene) => {
    const { worker, claim } = await scene.running("a");
    const { token } = claim;
    const parts = [token.slice(1), token.slice(0, -1)];
    // Whatever stands behind a token where it is kept is none of it.
    const longer = [..."|0123456789"].map((more) => token + more);
    const tokens = ["", "*", ...parts, ...longer, token.toLowerCase(), randomId()];

    for (const other of tokens.filter((other) => other !== token)) {
      equal(await worker.settle({ key: "a", token: other }, completed()), false);
    }

    like(await scene.live("a"), { state: "running", token });
  });

  test("Storage.step() fences such a token also among others that count", async (scene) => {
    await scene.storage.schedule(["a", "b", "c"].map((key) => scene.call(key)));
    const worker = scene.worker();
    const [a, b, c] = await worker.claim();
    const commits = [a, { key: "b", token: b.token.slice(0, -1) }, c].map(({ key, token }) => {
      return { key, token, settlement: completed() };
    });

    const { committed } = await worker.step({ commits, want: 0 });

    deepEqual(committed, [true, false, true]);
    like(await scene.live("b"), { state: "running", token: b.token });
    equal(await scene.storage.count(), 1);
  });

  test("Storage.step() keeps of each what is wanted, and of one a stub", async (scene) => {
    await scene.storage.schedule(["a", "b", "c"].map((key) => scene.call(key)));
    const worker = scene.worker();
    const [a, b, c] = await worker.claim();
    const commits = [
      { key: "a", token: a.token, settlement: completed("of a") },
      { key: "b", token: b.token, settlement: { ...completed("of b"), ttl: 0 } as Settlement },
      { key: "c", token: c.token, settlement: completed("of c") },
    ];

    equal((await worker.step({ commits, want: 0 })).committed, undefined);

    like(await scene.ended("a"), { generation: a.generation, state: "completed", text: "of a" });
    like(await scene.ended("b"), { generation: b.generation, state: "completed", text: "" }); // invariant 68
    like(await scene.ended("c"), { generation: c.generation, state: "completed", text: "of c" });
    equal(await scene.storage.count(), 0);
  });

  test("Storage.step() lets a key commit once, also twice completed within one call", async (scene) => {
    await scene.storage.schedule(["a", "b"].map((key) => scene.call(key)));
    const worker = scene.worker();
    const [a, b] = await worker.claim();
    const commits = [
      { key: "a", token: a.token, settlement: completed("first") },
      { key: "b", token: b.token, settlement: completed("other") },
      { key: "a", token: a.token, settlement: completed("second") },
    ];

    deepEqual((await worker.step({ commits, want: 0 })).committed, [true, true, false]);

    equal((await scene.ended("a")).text, "first"); // invariant 20
    equal((await scene.ended("b")).text, "other");
  });

  test("Storage.step() hands over to the replacement of one of many that are completed", async (scene) => {
    await scene.storage.schedule(["a", "b"].map((key) => scene.call(key)));
    const worker = scene.worker();
    const [a, b] = await worker.claim();
    const { generation } = await scene.replace("b", { body: "next" });
    const commits = [a, b].map(({ key, token }) => ({ key, token, settlement: completed() }));

    const { committed, claims } = await worker.step({ commits, want: 5 });

    equal(committed, undefined);
    deepEqual(claims.map(({ key, body }) => [key, body]), [["b", "next"]]);
    equal(claims[0].generation, generation);
    equal((await scene.ended("b")).generation, b.generation);
  });

  test("Storage.step() settles more than a thousand at once", async (scene) => {
    const keys = Array.from({ length: 1_100 }, (_, i) => `key ${i}`);
    await scene.storage.schedule(keys.map((key) => scene.call(key)));
    const worker = scene.worker();
    const claims = await worker.claim(keys.length);
    equal(claims.length, keys.length);
    const commits = claims.map(({ key, token }) => ({ key, token, settlement: completed(key) }));

    equal((await worker.step({ commits, want: 0 })).committed, undefined);

    equal(await scene.storage.count(), 0);
    for (const key of ["key 0", "key 999", "key 1000", "key 1099"]) {
      equal((await scene.ended(key)).text, key);
    }
  });

  test("Storage.step() fences an old run from the next generation of its key", async (scene) => {
    const old = await scene.running("a");
    await old.worker.settle(old.claim, { kind: "completed", text: "", ttl: 0 });
    const next = await scene.running("a");

    equal(await old.worker.settle(old.claim, failed("late")), false); // invariant 23

    like(await scene.live("a"), { state: "running", token: next.claim.token });
    ok((await scene.find("a")).ended?.text !== "late");
  });

  test("Storage.step() lets each token commit once", async (scene) => {
    const { worker, claim, generation } = await scene.running("a");

    equal(await worker.settle(claim, completed()), true);
    equal(await worker.settle(claim, failed()), false); // invariants 20 and 27

    like(await scene.ended("a"), { generation, state: "completed" });
  });

  test("Storage.step() lets each token commit once, also within one call", async (scene) => {
    const { worker, claim } = await scene.running("a");
    const { key, token } = claim;
    const commits = [
      { key, token, settlement: { kind: "retried", due: undefined } as const },
      { key, token, settlement: failed() },
      { key, token, settlement: { kind: "released", due: undefined } as const },
    ];

    const { committed, claims } = await worker.step({ commits, want: 5 });

    deepEqual(committed, [true, false, false]); // invariant 20
    deepEqual(claims.map(({ attempt, deliveries }) => [attempt, deliveries]), [[2, 1]]);
    equal((await scene.find("a")).ended, undefined);
  });

  test("Storage.step() fences the token of a task that waits again", async (scene) => {
    const { worker, claim } = await scene.running("a");
    await worker.settle(claim, { kind: "released", due: { after: LONG } });

    equal(await worker.settle(claim, completed()), false);

    like(await scene.live("a"), { state: "scheduled", attempt: 1, deliveries: 0 });
  });
}

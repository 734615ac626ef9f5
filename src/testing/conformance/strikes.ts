/**
 * What the storage promises of strikes (invariants 56 and 57).
 *
 * @module
 */

import { deepStrictEqual as deepEqual, strictEqual as equal } from "node:assert/strict";
import { randomId } from "../../base/ids.ts";
import type { Test } from "./scene.ts";
import { completed, keysOf, like, LONG, PAST_LEASE } from "./shorthands.ts";

/** Rules are opaque. */
const RULES: readonly string[] = ["", "a|b", '{"task":"t"}', "__proto__", "🦊\n\0"];

/** Declares them. */
export function strikeTests(test: Test): void {
  test("Storage.strikes() tells all rules, and their version", async (scene) => {
    deepEqual(await scene.storage.strikes(), { version: "", rules: [] });
    let version = "";
    for (const rule of RULES) {
      equal(await scene.storage.strike(rule, true, version = randomId()), true);
    }

    const { rules, version: told } = await (await scene.another()).strikes();

    equal(told, version);
    deepEqual(rules.toSorted(), RULES.toSorted());
  });

  test("Storage.strike() takes a rule out", async (scene) => {
    await scene.storage.strike("a", true, randomId());
    await scene.storage.strike("b", true, randomId());
    const version = randomId();

    equal(await scene.storage.strike("a", false, version), true);

    deepEqual(await scene.storage.strikes(), { version, rules: ["b"] });
  });

  test("Storage.strike() changes nothing where it is so already", async (scene) => {
    const version = randomId();
    equal(await scene.storage.strike("b", false, randomId()), false);
    equal((await scene.storage.strikes()).version, "");
    await scene.storage.strike("a", true, version);

    equal(await scene.storage.strike("a", true, randomId()), false);
    equal(await scene.storage.strike("b", false, randomId()), false);

    deepEqual(await scene.storage.strikes(), { version, rules: ["a"] });
  });

  test("Storage.strike() recognises a request that is sent again", async (scene) => {
    const [first, second] = [randomId(), randomId()];
    await scene.storage.strike("a", true, first);
    equal(await scene.storage.strike("a", true, first), true); // invariant 27
    await scene.storage.strike("a", false, second);
    equal(await scene.storage.strike("a", false, second), true);

    deepEqual(await scene.storage.strikes(), { version: second, rules: [] });
  });

  for (const struck of [true, false]) {
    const [what, opposite] = struck ? ["strike", "restore"] : ["restore", "strike"];
    test(`Storage.strike() recognises a ${what} that is sent again after somebody else's ${opposite}`, async (scene) => {
      const other = await scene.another();
      const [request, version] = [randomId(), randomId()];
      if (!struck) await scene.storage.strike("a", true, randomId());
      equal(await scene.storage.strike("a", struck, request), true); // the answer was lost
      equal(await other.strike("a", !struck, version), true);

      equal(await scene.storage.strike("a", struck, request), true); // invariants 27, 57

      deepEqual(await other.strikes(), { version, rules: struck ? [] : ["a"] });
    });
  }

  test("Storage.schedule() refuses who has not looked at the newest strikes", async (scene) => {
    await scene.running("running");
    const live = await scene.add("live");
    const old = randomId();
    await scene.storage.strike("a", true, old);
    const version = randomId();
    await scene.storage.strike("b", true, version);
    const keys = ["live", "running", "new", "later"];
    const before = await scene.storage.load(keys);

    for (const strikes of ["", old, randomId()]) {
      const verdicts = await scene.storage.schedule([
        scene.call("new"),
        scene.call("live", { mode: "replace" }),
        scene.call("running", { mode: "replace" }),
        scene.call("later", { due: { after: LONG } }),
        scene.call("live", { generation: live.generation }),
      ], { strikes });
      deepEqual(new Set(verdicts.map(({ kind }) => kind)), new Set(["outdated"]));
      equal(verdicts.length, 5);
    }

    deepEqual(await scene.storage.load(keys), before); // nothing was written
    const [verdict] = await scene.storage.schedule([scene.call("new")], { strikes: version });
    deepEqual(verdict, { kind: "scheduled" });
  });

  test("Storage.schedule() takes no strikes for the oldest version", async (scene) => {
    deepEqual(await scene.storage.schedule([scene.call("a")], { strikes: "" }), [
      { kind: "scheduled" },
    ]);
    const [verdict] = await scene.storage.schedule([scene.call("b")], { strikes: randomId() });
    equal(verdict.kind, "outdated");
  });

  test("Storage.schedule() refuses nobody who does not mind", async (scene) => {
    await scene.storage.strike("a", true, randomId());

    equal((await scene.add("a")).verdict.kind, "scheduled");
  });

  test("Storage.schedule() refuses of many at once only those who are behind", async (scene) => {
    const old = randomId();
    const version = randomId();
    await scene.storage.strike("a", true, old);
    await scene.storage.strike("b", true, version);
    await scene.storage.strikes();

    const verdicts = await Promise.all(
      [old, version, undefined, "", version].map((strikes, i) =>
        scene.storage.schedule([scene.call(`${i}`)], { strikes })
      ),
    );

    deepEqual(verdicts.flat().map(({ kind }) => kind), [
      "outdated",
      "scheduled",
      "scheduled",
      "outdated",
      "scheduled",
    ]);
    equal(await scene.storage.count(), 3);
  });

  test("Storage.schedule() refuses all of many who are behind, but who does not mind", async (scene) => {
    await scene.storage.strike("a", true, randomId());
    const storage = await scene.another(); // it has not heard of any version

    const verdicts = await Promise.all(
      ["", undefined, ""].map((strikes, i) => storage.schedule([scene.call(`${i}`)], { strikes })),
    );

    deepEqual(verdicts.flat().map(({ kind }) => kind), ["outdated", "scheduled", "outdated"]);
  });

  for (const mode of ["add", "replace"] as const) {
    test(`Storage.schedule() recognises ${mode} that was refused when it was sent again`, async (scene) => {
      const { worker, claim } = await scene.running("deferred");
      const calls = [
        scene.call("queued", { mode }),
        scene.call("scheduled", { mode, due: { after: LONG } }),
        scene.call("deferred", { mode: "replace" }),
      ];
      await scene.storage.schedule(calls, { strikes: "" }); // the answer was lost
      const version = randomId();
      await scene.storage.strike("a", true, version);
      const before = await scene.storage.load(keysOf(calls));

      const refused = await scene.storage.schedule(calls, { strikes: "" });
      const verdicts = await scene.storage.schedule(calls, { strikes: version });

      deepEqual(refused.map(({ kind }) => kind), ["outdated", "outdated", "outdated"]);
      deepEqual(verdicts.map(({ kind }) => kind), ["scheduled", "scheduled", "deferred"]);
      deepEqual(await scene.storage.load(keysOf(calls)), before); // invariant 27
      await worker.settle(claim, completed());
      deepEqual(keysOf(await worker.claim()), ["queued", "deferred"]); // each of them once
    });
  }

  test("Storage.step() and reclaim() tell the version of the strikes", async (scene) => {
    const worker = scene.worker();
    equal((await worker.step()).strikes, "");
    const version = randomId();
    await scene.storage.strike("a", true, version);
    await scene.add("a");

    const request = worker.request({ want: 1 });
    const reply = await scene.storage.step(request);

    equal(reply.strikes, version);
    equal((await scene.storage.step(request)).strikes, version);
    await scene.advance(PAST_LEASE);
    const reclaim = {
      consumer: scene.worker().name,
      token: randomId(),
      lease: PAST_LEASE - 30,
      cursor: "",
      want: 10,
      maxDeliveries: 5,
    };
    like(await scene.storage.reclaim(reclaim), { strikes: version });
    like(await scene.storage.reclaim(reclaim), { strikes: version }); // sent again
    const empty = { ...reclaim, token: randomId(), cursor: "" };
    equal((await scene.storage.reclaim(empty)).strikes, version);
  });

  test("Storage.step() tells a newer version when it is sent again", async (scene) => {
    const worker = scene.worker();
    await scene.add("a");
    const request = worker.request();
    await scene.storage.step(request);
    const version = randomId();
    await scene.storage.strike("a", true, version);

    const reply = await scene.storage.step(request); // what was claimed is looked at in this light

    deepEqual([reply.strikes, reply.claims.length], [version, 1]);
  });
}

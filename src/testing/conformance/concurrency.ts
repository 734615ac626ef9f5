/**
 * What `enter` promises of concurrency limits, and of gates of any kind (invariants 59 to 62). What goes by the time is in
 * `timed_gates.ts`.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import { randomId } from "../../base/ids.ts";
import type { Gate, Held, Settlement } from "../../storage/contract.ts";
import { claimed, enter, entry, leave, ONE } from "./gates.ts";
import type { Test } from "./scene.ts";
import { completed, failed, keysOf, like, LONG, PAST_LEASE } from "./shorthands.ts";

/** Of an id with whatever ids may have in them. */
const ODD: Gate & Held = { kind: "concurrency", id: "1|🦊\n|2", max: 1 };
const TWO: Gate & Held = { kind: "concurrency", id: "two|🦊\n", max: 2 };

/** Declares them. */
export function concurrencyTests(test: Test): void {
  for (const gate of [ONE, TWO]) {
    test(`Storage.enter() lets in ${gate.max} at once, and the rest in the order in which they came`, async (scene) => {
      const { worker, claims } = await claimed(scene, ["a", "b", "c", "d", "e"]);

      const passages = await scene.storage.enter(claims.map((claim) => entry(claim, gate)));

      const inside = claims.slice(0, gate.max);
      deepEqual(passages, claims.map((_, i) => i < gate.max ? "passed" : "parked"));
      const { counts, inLine } = await scene.storage.survey(10);
      like(counts, { running: gate.max, waiting: 5 - gate.max, queued: 0 });
      deepEqual(keysOf(inLine), keysOf(claims.slice(gate.max)));
      like(await scene.live("e"), {
        state: "waiting",
        attempt: 1,
        deliveries: 0,
        token: undefined,
      });
      deepEqual(await worker.claim(), []);

      const order: string[] = [];
      for (let [next] = inside; next; inside.push(next)) {
        order.push(next.key);
        await leave(worker, next, gate);
        [next] = await worker.claim();
        if (next) deepEqual(await enter(scene, next, gate), "passed"); // its place was kept
        if (!next) break;
      }
      for (const claim of inside) await worker.settle(claim, completed());
      deepEqual(order, ["a", ...keysOf(claims.slice(gate.max))]);
    });
  }

  test("Storage.enter() wakes the next with each way to end, and with a retry", async (scene) => {
    const ways: Settlement[] = [
      completed(),
      failed(),
      { kind: "cancelled", reason: "cancelled", text: "", ttl: LONG },
      { kind: "dead", text: "" },
      { kind: "retried", due: { after: LONG } },
      { kind: "released", due: { after: LONG } },
    ];
    const keys = ways.map((_, i) => `${i}`);
    const { worker, claims } = await claimed(scene, [...keys, "last"]);
    await scene.storage.enter(claims.map((claim) => entry(claim, ONE)));

    let [claim] = claims;
    for (const settlement of ways) {
      await leave(worker, claim, ONE, settlement);
      const [next, ...others] = await worker.claim();
      equal(others.length, 0);
      equal(await enter(scene, next, ONE), "passed");
      claim = next;
    }

    equal(claim.key, "last");
    await leave(worker, claim, ONE);
    equal((await scene.storage.survey(1)).counts.waiting, 0);
  });

  test("Storage.enter() has them wait in the order in which they were queued, whoever asks first", async (scene) => {
    const { worker, claims: [holder, b, c, d] } = await claimed(scene, ["holder", "b", "c", "d"]);
    equal(await enter(scene, holder, ONE), "passed");

    for (const claim of [d, b, c]) equal(await enter(scene, claim, ONE), "parked");

    deepEqual(keysOf((await scene.storage.survey(10)).inLine), ["b", "c", "d"]);
    await leave(worker, holder, ONE);
    const [next] = await worker.claim();
    equal(next.key, "b");
    equal(await enter(scene, next, ONE), "passed");
    await leave(worker, next, ONE);
  });

  test("Storage.enter() does not let arrivals overtake who was woken", async (scene) => {
    const { worker, claims: [first, second] } = await claimed(scene, ["first", "second"]);
    await scene.storage.enter([entry(first, ONE), entry(second, ONE)]);
    await leave(worker, first, ONE); // the second is queued again, and its place is kept
    await scene.add("third");
    const claims = await worker.claim();
    const third = claims.find(({ key }) => key === "third")!;
    const woken = claims.find(({ key }) => key === "second")!;

    equal(await enter(scene, third, ONE), "parked");
    equal(await enter(scene, woken, ONE), "passed");

    await leave(worker, woken, ONE);
    deepEqual(keysOf(await worker.claim()), ["third"]);
  });

  test("Storage.enter() says the same when it is sent again", async (scene) => {
    const { claims: [a, b, c] } = await claimed(scene, ["a", "b", "c"]);
    const rate: Gate = { kind: "rate", id: "r", max: 1, per: LONG, excess: "wait" };
    const cooldown: Gate = { kind: "cooldown", id: "c", period: LONG };

    for (const sent of [entry(a, ONE), entry(b, cooldown, rate)]) {
      deepEqual(await scene.storage.enter([sent]), ["passed"]);
      deepEqual(await scene.storage.enter([sent, sent]), ["passed", "passed"]); // invariant 27
    }
    equal(await enter(scene, c, ONE), "parked");
    equal(await enter(scene, c, ONE), "fenced");
    equal((await scene.storage.survey(10)).counts.waiting, 1);
  });

  for (const wanted of ["cancelled", "replaced"] as const) {
    test(`Storage.enter() lets a run go on that has passed and is to be ${wanted}, when late bytes ask again`, async (scene) => {
      const { worker, claims: [a, b] } = await claimed(scene, ["a", "b"]);
      equal(await enter(scene, a, ONE), "passed");
      if (wanted === "cancelled") await scene.cancel("a");
      else await scene.replace("a", { body: "new" });

      equal(await enter(scene, a, ONE), "passed"); // invariants 14, 27

      equal(await enter(scene, b, ONE), "parked"); // it is in there still (invariant 59)
      like(await scene.live("a"), { state: "running", token: a.token });
      await leave(worker, a, ONE);
      like(await scene.ended("a"), { state: "completed" });
      const next = (await worker.claim()).find(({ key }) => key === "b")!;
      equal(await enter(scene, next, ONE), "passed");
      await leave(worker, next, ONE);
    });
  }

  for (const how of ["clear", "cancel"] as const) {
    test(`Storage.${how}() ends what waits for a run, and forgets nothing of that`, async (scene) => {
      const { storage } = scene;
      const { worker, claims: [a] } = await claimed(scene, ["a"]);
      const [{ key, token }, progress] = [a, { current: 1, total: 2 }];
      equal(await enter(scene, a, ONE), "passed");
      await storage.report([{ key, token, progress }]);
      const { generation } = await scene.replace(key);

      if (how === "cancel") deepEqual(await storage.cancel([{ key, generation }]), ["cancelled"]);
      else equal((await storage.clear(randomId(), "")).cleared, 1);

      like(await scene.live(key), { state: "running", token, progress, cancelled: false });
      deepEqual(await storage.renew(worker.name, [a]), ["kept"]);
      await scene.cancel(key);
      equal(await enter(scene, a, ONE), "passed"); // it has begun
      await leave(worker, a, ONE);
      like(await scene.ended(key), { generation: a.generation, state: "completed" });
    });
  }

  test("Storage.enter() asks a run again that was taken over after it had passed", async (scene) => {
    const { worker, claims: [a] } = await claimed(scene, ["a"]);
    const progress = { current: 1, total: 2 };
    equal(await enter(scene, a, ONE), "passed");
    await scene.storage.report([{ key: "a", token: a.token, progress }]);
    like(await scene.live("a"), { progress });
    await scene.replace("a", { body: "new" });
    await scene.advance(PAST_LEASE);
    const other = scene.worker();

    const [again] = await other.reclaim();

    equal((await scene.live("a")).progress, undefined); // invariant 25
    equal(await enter(scene, a, ONE), "fenced");
    equal(await enter(scene, again, ONE), "dropped"); // this one has not begun (invariant 14)
    like(await scene.ended("a"), { state: "cancelled", reason: "replaced" });
    const [next] = await worker.claim();
    equal(await enter(scene, next, ONE), "passed");
    await leave(worker, next, ONE);
  });

  test("Storage.enter() fences a stale claim, and writes nothing", async (scene) => {
    const { claims: [a] } = await claimed(scene, ["a"]);

    equal(await enter(scene, { ...a, token: randomId() }, ONE), "fenced");
    equal(await enter(scene, { ...a, key: "nobody" }, ONE), "fenced");

    like(await scene.live("a"), { state: "running", token: a.token });
    const other = await scene.running("b");
    equal(await enter(scene, other.claim, ONE), "passed"); // nobody holds it
    deepEqual(await scene.storage.enter([]), []);
  });

  test("Storage.enter() ends what was to be cancelled, or replaced, before it began", async (scene) => {
    const { worker, claims: [a, b, c] } = await claimed(scene, ["a", "b", "c"]);
    await scene.cancel("a");
    const replacement = await scene.replace("b", { body: "new" });

    deepEqual(await scene.storage.enter([a, b, c].map((claim) => entry(claim, ONE))), [
      ...["dropped", "dropped", "passed"],
    ]);

    like(await scene.ended("a"), { state: "cancelled", reason: "cancelled" });
    like(await scene.ended("b"), { state: "cancelled", reason: "replaced" });
    const [next] = await worker.claim();
    like(next, { generation: replacement.generation, body: "new" }); // invariant 14
  });

  test("Storage.enter() leaves nothing of a waiter that is cancelled, replaced or cleared", async (scene) => {
    const { worker, claims } = await claimed(scene, ["in", "cancelled", "replaced", "cleared"]);
    await scene.storage.enter(claims.map((claim) => entry(claim, ONE)));

    deepEqual(await scene.cancel("cancelled"), ["cancelled"]);
    const { generation } = await scene.replace("replaced", { body: "new" });
    equal((await scene.add("cleared")).verdict.kind, "exists");
    equal((await scene.storage.clear(randomId(), "")).cleared, 2); // the replacement, and who waits

    equal((await scene.storage.survey(10)).counts.waiting, 0);
    like(await scene.ended("cancelled"), { state: "cancelled", reason: "cancelled" });
    like(await scene.ended("replaced"), { generation, reason: "cleared" });
    await leave(worker, claims[0], ONE);
    deepEqual(await worker.claim(), []); // nobody is woken
    const late = await scene.running("late");
    equal(await enter(scene, late.claim, ONE), "passed");
    await leave(late.worker, late.claim, ONE);
  });

  test("Storage.enter() keeps a dead holder's place until its lease is over", async (scene) => {
    const { claims } = await claimed(scene, ["dead", "next"]);
    await scene.storage.enter(claims.map((claim) => entry(claim, ONE)));
    await scene.advance(PAST_LEASE);
    const heir = scene.worker();

    const [again] = await heir.reclaim();

    equal(again.key, "dead");
    equal(await enter(scene, again, ONE), "passed"); // it is its own place
    equal(await enter(scene, claims[0], ONE), "fenced");
    like(await scene.live("next"), { state: "waiting" });
    await leave(heir, again, ONE);
    deepEqual(keysOf(await heir.claim()), ["next"]);
  });

  test("Storage.enter() does not leave a place with who died of its deliveries", async (scene) => {
    const { claims } = await claimed(scene, ["dead", "next"]);
    await scene.storage.enter(claims.map((claim) => entry(claim, ONE)));
    await scene.advance(PAST_LEASE);
    const heir = scene.worker();

    deepEqual(await heir.reclaim({ maxDeliveries: 1 }), []);

    const [next] = await heir.claim();
    equal(next.key, "next");
    equal(await enter(scene, next, ONE), "passed");
    await leave(heir, next, ONE);
  });

  test("Storage.enter() does not leave a place with who died and was to be cancelled", async (scene) => {
    const { claims } = await claimed(scene, ["dead", "next"]);
    await scene.storage.enter(claims.map((claim) => entry(claim, ODD)));
    await scene.cancel("dead");
    await scene.advance(PAST_LEASE);
    const heir = scene.worker();

    deepEqual(await heir.reclaim(), []);

    const [next] = await heir.claim();
    equal(await enter(scene, next, ODD), "passed");
    await leave(heir, next, ODD);
  });

  for (const how of ["cancelled", "replaced"]) {
    test(`Storage.enter() wakes the next when who was woken is ${how} before it begins`, async (scene) => {
      const { worker, claims } = await claimed(scene, ["first", "second", "third"]);
      await scene.storage.enter(claims.map((claim) => entry(claim, ODD)));
      await leave(worker, claims[0], ODD);

      if (how === "cancelled") await scene.cancel("second");
      else await scene.replace("second", { due: { after: LONG } });

      const [third, ...rest] = await worker.claim();
      deepEqual([third.key, rest], ["third", []]);
      equal(await enter(scene, third, ODD), "passed");
      await leave(worker, third, ODD);
      await scene.cancel("second");
    });
  }

  test("Storage.enter() takes all of the gates or none", async (scene) => {
    const { worker, claims: [a, b, c] } = await claimed(scene, ["a", "b", "c"]);
    const other: Gate & Held = { ...ONE, id: "other" };
    equal(await enter(scene, a, ONE), "passed");

    equal(await enter(scene, b, other, ONE), "parked");
    equal(await enter(scene, c, other), "passed"); // b did not take it

    await leave(worker, a, ONE);
    const [woken] = await worker.claim();
    equal(woken.key, "b");
    equal(await enter(scene, woken, other, ONE), "parked"); // and gives back the one that was kept for it
    const late = await scene.running("late");
    equal(await enter(scene, late.claim, ONE), "passed");
    await leave(worker, c, other);
    const [again] = await worker.claim();
    equal(again.key, "b");
    equal(await enter(scene, again, other), "passed");
    await leave(worker, again, other);
    await leave(worker, late.claim, ONE);
  });

  test("Storage.enter() forgets since when nobody knew what it puts off", async (scene) => {
    const { worker, claims } = await claimed(scene, ["in", "in line", "later"]);
    const [holder, ...strange] = claims;
    for (const claim of strange) {
      await worker.settle(claim, { kind: "released", due: undefined, held: true });
    }
    equal(await enter(scene, holder, ONE), "passed");
    const [second, third] = await worker.claim();
    ok(second.heldSince !== undefined && third.heldSince !== undefined);

    equal(await enter(scene, second, ONE), "parked");
    equal(await enter(scene, third, { kind: "debounce", id: "d", quiet: LONG }), "parked");

    like(await scene.live(second.key), { state: "waiting", heldSince: undefined });
    like(await scene.live(third.key), { state: "scheduled", heldSince: undefined });
    await leave(worker, holder, ONE);
  });

  test("Storage.enter() forgets what was reported of a run that it puts off", async (scene) => {
    const { worker, claims: [holder, b] } = await claimed(scene, ["holder", "b"]);
    equal(await enter(scene, holder, ONE), "passed");
    const { key, token } = b;
    await scene.storage.report([{ key, token, progress: { current: 1, total: 2 } }]);

    equal(await enter(scene, b, ONE), "parked");

    await leave(worker, holder, ONE);
    const [again] = await worker.claim();
    equal((await scene.live("b")).progress, undefined); // invariant 25
    equal(await enter(scene, again, ONE), "passed");
    await leave(worker, again, ONE); // and nothing is left behind (invariant 80)
  });

  test("Storage.enter() shares gates by kind and id alone", async (scene) => {
    const { claims: [a, b, c] } = await claimed(scene, ["a", "b", "c"]);

    equal(await enter(scene, a, ONE), "passed");
    equal(await enter(scene, b, { ...ONE, id: "another" }), "passed");
    equal(await enter(scene, c, { kind: "cooldown", id: "one", period: LONG }), "passed");
  });
}

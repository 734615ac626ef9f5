/**
 * What every verb promises when it is sent again because its reply was lost (invariant 27).
 *
 * @module
 */

import {
  deepStrictEqual as deepEqual,
  notStrictEqual as notEqual,
  rejects,
  strictEqual as equal,
} from "node:assert/strict";
import { randomId } from "../../base/ids.ts";
import { OWN } from "../../storage/contract.ts";
import type { Test } from "./scene.ts";
import {
  completed,
  failed,
  keysOf,
  LEASE,
  like,
  LONG,
  PAST_LEASE,
  succeeded,
} from "./shorthands.ts";

/** Declares them. */
export function lostReplyTests(test: Test): void {
  for (const mode of ["add", "replace"] as const) {
    const name = mode === "add" ? "an add" : "a replace";
    test(`Storage.schedule() recognises ${name} while its task lives`, async (scene) => {
      for (const due of [undefined, { after: LONG }]) {
        const key = due ? "scheduled" : "queued";
        const call = scene.call(key, { mode, due });
        await scene.storage.schedule([call]);
        const before = await scene.find(key);

        deepEqual(await scene.storage.schedule([call]), [{ kind: "scheduled" }]);

        deepEqual(await scene.find(key), before);
      }
      equal((await scene.worker().claim()).length, 1);
    });

    test(`Storage.schedule() recognises ${name} while its task runs`, async (scene) => {
      const call = scene.call("a", { mode });
      await scene.storage.schedule([call]);
      const [claim] = await scene.worker().claim();

      deepEqual(await scene.storage.schedule([call]), [{ kind: "scheduled" }]);

      deepEqual(await scene.live("a"), claim);
      equal((await scene.find("a")).deferred, undefined);
    });

    test(`Storage.schedule() recognises ${name} by its record`, async (scene) => {
      const call = scene.call("a", { mode });
      await scene.storage.schedule([call]);
      const worker = scene.worker();
      const [claim] = await worker.claim();
      await worker.settle(claim, completed());

      deepEqual(await scene.storage.schedule([call]), [{ kind: "scheduled" }]);

      equal((await scene.find("a")).live, undefined);
      deepEqual(await worker.claim(), []);
    });
  }

  test("Storage.schedule() recognises a deferred replacement", async (scene) => {
    const { worker, claim } = await scene.running("a");
    const call = scene.call("a", { mode: "replace" });
    await scene.storage.schedule([call]);

    deepEqual(await scene.storage.schedule([call]), [{ kind: "deferred" }]);

    const { deferred, ended } = await scene.find("a");
    equal(deferred?.generation, call.generation);
    equal(ended, undefined); // it did not replace itself
    await worker.settle(claim, completed());
    deepEqual(await scene.storage.schedule([call]), [{ kind: "scheduled" }]);
    equal((await worker.claim()).length, 1);
  });

  test("Storage.schedule() does not let an old replace undo a newer one", async (scene) => {
    const old = scene.call("a", { mode: "replace" });
    await scene.storage.schedule([old]);
    const { generation } = await scene.replace("a");

    deepEqual(await scene.storage.schedule([old]), [{ kind: "scheduled" }]);

    equal((await scene.live("a")).generation, generation);
    equal((await scene.ended("a")).generation, old.generation);
  });

  test("Storage.schedule() recognises each of many calls", async (scene) => {
    const calls = ["a", "b", "c"].map((key) => scene.call(key));
    await scene.storage.schedule(calls.slice(0, 2));

    const verdicts = await scene.storage.schedule(calls);

    deepEqual(verdicts.map(({ kind }) => kind), ["scheduled", "scheduled", "scheduled"]);
    equal((await scene.worker().claim()).length, 3);
  });

  test("Storage.schedule() recognises each of many calls, whatever has become of it", async (scene) => {
    const keys = ["ended", "running", "queued", "scheduled", "cancelled", "without record"];
    const calls = keys.map((key) =>
      scene.call(key, { due: key === "scheduled" ? { after: LONG } : undefined })
    );
    const [ended, running, queued, scheduled, cancelled, gone] = calls;
    await scene.storage.schedule([ended, running, gone]);
    const worker = scene.worker();
    const claims = await worker.claim();
    await worker.settle(claims[0], completed());
    await worker.settle(claims[2], { kind: "completed", text: "", ttl: 0 }); // a stub is left
    await scene.storage.schedule([queued, scheduled, cancelled]);
    await scene.cancel("cancelled");
    const before = await scene.storage.load(keys);

    const verdicts = await scene.storage.schedule(calls);
    const alone = await Promise.all([ended, cancelled, gone].map((call) => {
      return scene.storage.schedule([call]);
    }));

    for (const verdict of [...verdicts, ...alone.flat()]) deepEqual(verdict, { kind: "scheduled" });
    deepEqual(await scene.storage.load(keys), before);
    deepEqual(keysOf(await worker.claim()), ["queued"]);
  });

  test("Storage.schedule() recognises the one of many calls that was sent before", async (scene) => {
    const { storage } = scene;
    const calls = ["a", "b", "c"].map((key) => scene.call(key, { body: `of ${key}` }));
    const worker = scene.worker();
    await storage.schedule([calls[1]]);
    await worker.settle((await worker.claim())[0], completed()); // it is not live any more

    const verdicts = await storage.schedule(calls);

    deepEqual(verdicts.map(({ kind }) => kind), ["scheduled", "scheduled", "scheduled"]);
    equal((await scene.find("b")).live, undefined);
    deepEqual((await worker.claim()).map(({ body }) => body), ["of a", "of c"]);
  });

  test("Storage.step() repeats what it claimed beside what it completed", async (scene) => {
    await scene.storage.schedule(["a", "b"].map((key) => scene.call(key)));
    const worker = scene.worker();
    const [first] = await worker.claim(1);
    const commits = [{ key: "a", token: first.token, settlement: completed() }];
    const request = worker.request({ commits });
    const { claims } = await scene.storage.step(request);

    const again = await scene.storage.step(request);

    deepEqual([again.claims, again.committed], [claims, undefined]);
    deepEqual(keysOf(claims), ["b"]);
    equal((await scene.ended("a")).state, "completed");
  });

  test("Storage.schedule() recognises calls that replace one another", async (scene) => {
    const calls = [
      scene.call("a"),
      scene.call("a", { mode: "replace" }),
      scene.call("b"),
      scene.call("a", { mode: "replace", body: "last" }),
    ];
    await scene.storage.schedule(calls);

    const verdicts = await scene.storage.schedule(calls);

    // The record of the first is gone by now: the last one's trace speaks for all before it.
    deepEqual(new Set(verdicts.map(({ kind }) => kind)), new Set(["scheduled"]));
    like(await scene.live("a"), { generation: calls[3].generation, body: "last" });
    equal((await scene.worker().claim()).length, 2);
  });

  test("Storage.schedule() recognises calls that were deferred in turn", async (scene) => {
    const { worker, claim } = await scene.running("a");
    const calls = [
      scene.call("a"),
      scene.call("a", { mode: "replace" }),
      scene.call("a", { mode: "replace", body: "last" }),
    ];
    const first = await scene.storage.schedule(calls);
    const before = await scene.find("a");

    const again = await scene.storage.schedule(calls);

    deepEqual(first.map(({ kind }) => kind), ["exists", "deferred", "deferred"]);
    deepEqual(await scene.find("a"), before);
    // The one in the middle was accepted and has ended: only that is still known of it.
    deepEqual([again[0].kind, again[2].kind], ["exists", "deferred"]);
    notEqual(again[1].kind, "exists");
    await worker.settle(claim, completed());
    deepEqual((await worker.claim()).map(({ body }) => body), ["last"]);
  });

  test("Storage.step() repeats what it claimed", async (scene) => {
    await scene.storage.schedule(["a", "b", "c"].map((key) => scene.call(key)));
    const worker = scene.worker();
    const request = worker.request({ want: 2 });
    const { claims } = await scene.storage.step(request);

    const again = await scene.storage.step(request);

    deepEqual(again.claims, claims); // not two more, and not counted twice
    equal((await scene.live("a")).deliveries, 1);
    equal((await scene.live("c")).state, "queued");
    deepEqual(keysOf(await worker.claim()), ["c"]);
  });

  test("Storage.step() repeats what it said of its commits", async (scene) => {
    const { worker, claim } = await scene.running("a");
    const commits = [
      { key: "a", token: claim.token, settlement: completed() },
      { key: "b", token: claim.token, settlement: completed() },
    ];
    const request = worker.request({ commits, want: 0 });
    await scene.storage.step(request);

    const { committed, claims } = await scene.storage.step(request);

    deepEqual([committed, claims], [[true, false], []]);
    equal((await scene.ended("a")).state, "completed");
  });

  test("Storage.step() repeats that all of its commits counted", async (scene) => {
    const { worker, claim } = await scene.running("a");
    const next = succeeded();
    const request = worker.request({
      commits: [{ key: "a", token: claim.token, settlement: next }],
      want: 0,
    });
    await scene.storage.step(request);

    const { committed } = await scene.storage.step(request);

    equal(committed, undefined);
    equal((await scene.live("a")).generation, next.generation);
    equal(await scene.storage.count(), 1);
  });

  test("Storage.step() repeats no claim that is no longer held", async (scene) => {
    await scene.storage.schedule(["a", "b"].map((key) => scene.call(key)));
    const worker = scene.worker();
    const request = worker.request();
    const { claims: [first] } = await scene.storage.step(request);
    const settlement = { kind: "retried", due: undefined } as const;
    await worker.step({ lane: 1, want: 0, commits: [{ ...first, settlement }] });
    await scene.worker().claim(); // another runs it now

    const { claims } = await scene.storage.step(request);

    deepEqual(keysOf(claims), ["b"]);
  });

  test("Storage.step() repeats what it claimed also when a cancel came in between", async (scene) => {
    await scene.add("a");
    const request = scene.worker().request();
    await scene.storage.step(request);
    await scene.cancel("a");

    const { claims } = await scene.storage.step(request);

    deepEqual(claims.map(({ key, cancelled }) => [key, cancelled]), [["a", true]]);
  });

  test("Storage.step() refuses a call older than the last of its lane", async (scene) => {
    const worker = scene.worker();
    const old = worker.request();
    await scene.storage.step(old);
    await worker.step();
    await scene.add("a");

    await rejects(scene.storage.step(old), { name: "ProtocolError" });

    equal((await scene.live("a")).state, "queued");
  });

  test("Storage.step() remembers each lane by itself", async (scene) => {
    await scene.storage.schedule(["a", "b"].map((key) => scene.call(key)));
    const worker = scene.worker();
    const first = worker.request({ lane: 0, want: 1 });
    const second = worker.request({ lane: 1, want: 1 });
    await scene.storage.step(first);
    await scene.storage.step(second);

    const again = [await scene.storage.step(first), await scene.storage.step(second)];

    deepEqual(again.map(({ claims }) => keysOf(claims)), [["a"], ["b"]]);
  });

  test("Storage.step() does not settle again what an earlier call settled", async (scene) => {
    const { worker, claim, generation } = await scene.running("a");
    await worker.settle(claim, completed());

    equal(await worker.settle(claim, failed()), false);

    like(await scene.ended("a"), { generation, state: "completed" }); // never turned into failed
  });

  test("Storage.reclaim() loses nothing when its reply is lost", async (scene) => {
    await scene.running("a");
    await scene.advance(PAST_LEASE);
    const worker = scene.worker();
    const token = randomId();
    const request = { consumer: worker.name, token, lease: LEASE, want: 5, maxDeliveries: 5 };
    await scene.storage.reclaim({ ...request, cursor: "" });

    await scene.advance(PAST_LEASE);
    const back = await worker.reclaim();

    // Its own, under the token that was lost, and not counted again.
    deepEqual(back.map((claim) => [claim.token, claim.deliveries]), [[token, 2]]);
  });

  test("Storage.reclaim() repeats what it took over", async (scene) => {
    const { worker: lost } = await scene.running("a");
    await scene.storage.schedule(["b", "c"].map((key) => scene.call(key)));
    await lost.claim(2);
    await scene.advance(PAST_LEASE);
    const { name: consumer } = scene.worker();
    const token = randomId();
    const request = { consumer, token, lease: LEASE, want: 2, maxDeliveries: 5, cursor: "" };
    const first = await scene.storage.reclaim(request);

    const again = await scene.storage.reclaim(request);

    deepEqual([again.claims, again.cursor], [first.claims, first.cursor]);
    equal((await scene.live("a")).deliveries, 2);
    like(await scene.live("c"), { consumer: lost.name }); // not one more
  });

  test("Storage.step() repeats what it showed of a consumer's own", async (scene) => {
    const { worker, claim } = await scene.running("a");
    const request = worker.request({ from: OWN });
    await scene.storage.step(request);

    const { claims } = await scene.storage.step(request);

    deepEqual(claims, [claim]);
  });

  test("Storage.cancel(), renew(), promote() and retire() may be sent again", async (scene) => {
    const { worker, claim } = await scene.running("a");
    await scene.add("b", { due: { after: 10 } });
    await scene.advance(30);
    await scene.cancel("a");
    await scene.storage.renew(worker.name, [claim]);
    await scene.storage.promote(10);
    const before = await scene.storage.load(["a", "b"]);

    deepEqual(await scene.cancel("a"), ["requested"]);
    deepEqual(await scene.storage.renew(worker.name, [claim]), ["cancel"]);
    equal((await scene.storage.promote(10)).promoted, 0);
    equal(await scene.storage.retire(worker.name), false);

    deepEqual(await scene.storage.load(["a", "b"]), before);
    equal((await scene.worker().claim()).length, 1);
  });
}

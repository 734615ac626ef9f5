/** What strangers break on Redis is repaired, and loses no task (F41, F43, invariants 17, 37). */

import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import { randomId } from "../../src/base/ids.ts";
import { OWN, type StateChange, type Swept } from "../../src/storage/contract.ts";
import { is, watching } from "../../src/testing/conformance/attention.ts";
import type { Running, Scene } from "../../src/testing/conformance/scene.ts";
import {
  completed,
  keysOf,
  like,
  LONG,
  PAST_LEASE,
  succeeded,
} from "../../src/testing/conformance/shorthands.ts";
import type { Worker } from "../../src/testing/conformance/worker.ts";
import { type Stranger, strangerTest as test } from "./_stranger.ts";

/** What a stranger may do to a docket's pointers, and what it leaves alone. */
const DEEDS: Readonly<Record<string, (stranger: Stranger) => Promise<unknown>>> = {
  "the stream is deleted": ({ redis, key }) => redis.del(key("stream")),
  "the stream is trimmed": ({ redis, key }) => redis.xtrim(key("stream"), "MAXLEN", 0),
  "the group is destroyed": ({ redis, key }) => redis.xgroup("DESTROY", key("stream"), "workers"),
  "the group is made anew": async ({ redis, key }) => {
    await redis.xgroup("DESTROY", key("stream"), "workers");
    await redis.xgroup("CREATE", key("stream"), "workers", "$");
  },
  "the consumers are deleted": async ({ redis, key }) => {
    const consumers = await redis.xinfo("CONSUMERS", key("stream"), "workers") as string[][];
    for (const [, name] of consumers) {
      await redis.xgroup("DELCONSUMER", key("stream"), "workers", name);
    }
  },
  "the due set is deleted": ({ redis, key }) => redis.del(key("due")),
  "the background is deleted": ({ redis, key }) => redis.del(key("background")),
  "all of that is deleted": ({ redis, key }) =>
    redis.del(key("stream"), key("due"), key("background")),
};

for (const [what, deed] of Object.entries(DEEDS)) {
  test(`Storage.sweep() loses nothing when ${what}`, async (scene, stranger) => {
    const { running, setAside } = await play(scene);
    const before = await scene.storage.load(KEYS);

    await deed(stranger);
    await pass(scene);

    // As they were, but for what lost its claim.
    const after = await scene.storage.load(KEYS);
    for (const [i, { live }] of after.entries()) {
      const was = before[i].live!;
      const { generation, attempt, deliveries, due, heldSince, body, cancelled } = was;
      if (was.state === "running" && live?.state !== "running") {
        like(live, { state: "scheduled", body: "deferred" }); // it was to be replaced (invariant 14)
        continue;
      }
      like(live, { generation, attempt, deliveries, due, heldSince, body, cancelled });
      if (was.state !== "running") like(live, { state: was.state, background: was.background });
    }
    equal(await scene.storage.remaining(), KEYS.length - 2);

    await expectOnce(scene, running, setAside);
  });
}

test("Storage.sweep() voids the claim of what it queues anew", async (scene, { redis, key }) => {
  const { worker, claim } = await scene.running("a");
  await scene.storage.report([{
    key: "a",
    token: claim.token,
    progress: { current: 1, total: 2 },
  }]);
  await redis.xgroup("DELCONSUMER", key("stream"), "workers", worker.name);
  deepEqual(await scene.storage.renew(worker.name, [claim]), ["lost"]);

  equal((await pass(scene)).repaired, 1);

  like(await scene.live("a"), { state: "queued", token: undefined, progress: undefined });
  equal(await worker.settle(claim, completed()), false); // invariant 19
  const [again] = await worker.claim();
  like(again, { generation: claim.generation, deliveries: 2 }); // a delivery that ended badly counts
  equal((await scene.live("a")).progress, undefined);
});

for (const what of ["cancelled", "replaced"] as const) {
  test(`Storage.sweep() ends a run that was to be ${what}, when its claim is lost`, async (scene, {
    redis,
    key,
  }) => {
    const { worker, generation } = await scene.running("a");
    if (what === "cancelled") await scene.cancel("a");
    const { generation: next } = await scene.replace("a", { body: "next" });
    const watch = await watching(scene);
    await redis.del(key("stream"));

    await pass(scene);

    like(await scene.ended("a"), { generation, state: "cancelled", reason: what }); // invariants 14, 28
    like(await watch.until(is("a", generation, "cancelled")) as StateChange, {
      attempt: 1,
      consumer: worker.name,
      reason: what,
    });
    await watch.until(is("a", next, "queued"));
    like((await scene.worker().claim())[0], { generation: next, body: "next" });
    watch.stop();
  });
}

test("Storage.sweep() ends a cancelled run for good, when its claim is lost", async (scene, {
  redis,
  key,
}) => {
  const { generation } = await scene.running("a");
  await scene.cancel("a");
  await redis.del(key("stream"));

  await pass(scene);

  const { live, ended } = await scene.find("a");
  equal(live, undefined);
  like(ended, { generation, state: "cancelled", reason: "cancelled" }); // invariant 28
});

test("Storage.sweep() keeps the order of what it queues anew", async (scene, { redis, key }) => {
  await scene.storage.schedule(["a", "b", "c"].map((name) => scene.call(name)));
  await redis.del(key("stream"));
  await pass(scene);
  await scene.add("d");

  const keys = keysOf(await scene.worker().claim());

  equal(keys.at(-1), "d");
  deepEqual(keys.toSorted(), ["a", "b", "c", "d"]);
});

test("Storage.sweep() tells schedulers when what it puts back is due", async (scene, {
  redis,
  key,
}) => {
  await scene.add("a", { due: { after: 30 } });
  await redis.del(key("due"));
  const controller = new AbortController();
  const heard = new Promise((resolve) =>
    void scene.storage.listen(resolve, { signal: controller.signal })
  );
  await scene.advance(60);

  equal((await pass(scene)).repaired, 1);

  deepEqual(await heard, { kind: "due", in: 0 });
  equal((await scene.storage.promote(10)).promoted, 1);
  controller.abort();
});

test("Storage.sweep() takes an entry of the same id and another key for none", async (scene, {
  redis,
  key,
}) => {
  await scene.add("a");
  const [[id]] = await redis.xrange(key("stream"), "-", "+");
  await redis.del(key("stream"));
  await redis.xadd(key("stream"), id, "k", "stranger");

  equal((await pass(scene)).repaired, 1);

  deepEqual(keysOf(await scene.worker().claim()), ["a"]);
});

test("Storage.sweep() buries a body whose row is gone, and does not run it", async (scene, {
  redis,
  key,
}) => {
  const { generation } = await scene.add("ended before");
  const worker = scene.worker();
  await worker.settle((await worker.claim())[0], completed("t"));
  await scene.add("ended before", { body: "🦊" });
  await scene.add("sound");
  await redis.hdel(key("state"), "ended before");

  equal((await pass(scene)).repaired, 0);

  deepEqual(keysOf(await worker.claim()), ["sound"]);
  const { live, ended } = await scene.find("ended before");
  equal(live, undefined);
  like(ended, { generation, state: "completed", text: "t" }); // who waits for that one still learns of it
  const [grave, ...others] = await scene.storage.parked("dead", 10);
  like(grave, { key: "ended before", state: "dead", body: "🦊" });
  equal(others.length, 0);

  const request = { key: "ended before", generation: grave.generation, as: randomId() };
  deepEqual(await scene.storage.requeue([request]), [{ kind: "scheduled" }]);
  like((await worker.claim())[0], { generation: request.as, body: "🦊" });
  equal((await pass(scene)).repaired, 0);
  equal((await scene.storage.parked("dead", 10)).length, 0);
});

test("Storage.sweep() runs the replacement of a run whose row is gone", async (scene, {
  redis,
  key,
}) => {
  const { worker, claim } = await scene.running("a", { body: "old" });
  const { generation } = await scene.replace("a", { body: "new" });
  await redis.hdel(key("state"), "a");

  await pass(scene);

  equal(await worker.settle(claim, completed()), false);
  like((await scene.storage.parked("dead", 10))[0], { body: "old" });
  like((await worker.claim())[0], { generation, body: "new" });
  await scene.advance(PAST_LEASE);
  deepEqual((await worker.reclaim()).length, 1); // the entry of the lost row goes with its lease
});

test("Storage.sweep() resurrects nothing that has ended", async (scene, { redis, key }) => {
  const { worker, claim } = await scene.running("a");
  const entries = await redis.xrange(key("stream"), "-", "+");
  await worker.settle(claim, completed());
  await scene.add("b");
  await scene.cancel("b");
  for (const [, fields] of entries) await redis.xadd(key("stream"), "*", ...fields);
  await redis.zadd(key("due"), 1, "a", 1, "b");
  await redis.sadd(key("background"), "a", "b");

  equal((await pass(scene)).repaired, 0);

  await scene.storage.promote(10);
  deepEqual(await worker.claim(), []);
  equal(await scene.storage.count(), 0);
  equal(await scene.storage.remaining(), 0);
});

test("Storage.sweep() corrects who is in the background", async (scene, { redis, key }) => {
  const { worker, claim } = await scene.running("background");
  await worker.settle(claim, succeeded({ due: { after: LONG } }));
  await scene.add("scheduled", { due: { after: LONG } });
  await scene.add("queued");
  await redis.del(key("background"));
  await redis.sadd(key("background"), "scheduled", "queued", "nobody");

  await pass(scene);

  deepEqual(await redis.smembers(key("background")), ["background"]);
});

test("Storage.sweep() repairs many, in bounded calls, at once", async (scene, { redis, key }) => {
  const calls = Array.from({ length: 2_000 }, (_, i) => {
    return scene.call(`${i}`, i % 2 ? {} : { due: { after: LONG } });
  });
  await scene.storage.schedule(calls);
  await redis.del(key("stream"), key("due"));

  const pages: Swept[] = [];
  do {
    pages.push(await scene.storage.sweep({ limit: 100, pause: LONG, silence: LONG }));
  } while (pages.at(-1)!.next === 0);

  ok(pages.length > 10);
  ok(pages.every(({ repaired }) => repaired < 500)); // invariant 41
  equal(pages.reduce((sum, { repaired }) => sum + repaired, 0), 2_000);
  equal((await scene.worker().claim(2_000)).length, 1_000);
  equal(await redis.zcard(key("due")), 1_000);
});

test("Storage.sweep() forgets what a dead consumer left in the docket's memory", async (scene, {
  redis,
  key,
}) => {
  const dead = `dead:${randomId()}`;
  const request = scene.worker().request({ consumer: dead });
  await scene.storage.step(request);
  await scene.storage.step({ ...request, lane: 9, call: 1 });
  equal((await redis.hkeys(key("calls"))).length, 2);
  await scene.advance(20);

  equal((await scene.storage.sweep({ limit: 10, pause: 0, silence: 10 })).retired, 1);

  deepEqual(await redis.hkeys(key("calls")), ["@sweep"]);
});

// 5, 17: also in the middle of a pass, where the pages behind it have been looked at already
for (const name of ["due", "background"]) {
  test(`Storage.sweep() sets aside at once what stands in the place of "${name}"`, async (scene, {
    redis,
    key,
  }) => {
    const calls = Array.from({ length: 800 }, (_, i) => {
      return scene.call(`${i}`, { due: { after: 50 } });
    });
    const { worker, claim } = await scene.running("chain");
    await worker.settle(claim, succeeded({ due: { after: 50 } }));
    await scene.storage.schedule(calls);
    const page = { limit: 100, pause: 0, silence: LONG };
    await scene.storage.sweep(page);
    const before = await progressOf({ redis, key });
    await redis.set(key(name), "of another type");

    await scene.storage.sweep(page);
    const after = await progressOf({ redis, key });
    const aside = await redis.get(key(`${name}:aside`));
    await passes(scene, { redis, key }, 2);
    const hidden = await redis.smembers(key("background"));
    await scene.advance(60);
    let promoted = 0;
    for (let some = 1; some > 0; promoted += some) {
      ({ promoted: some } = await scene.storage.promote(1_000));
    }

    ok(before > 0n && after > 0n, `${before}, ${after}`); // both amid a pass
    equal(aside, "of another type");
    deepEqual(hidden, ["chain"]);
    equal(promoted, calls.length + 1);
    equal((await scene.worker().claim(2_000)).length, calls.length + 1);
    ok(await redis.pttl(key(`${name}:aside`)) > 0);
  });
}

// 5
test("Storage.sweep() makes a new stream where another key stands in its place", async (scene, {
  redis,
  key,
}) => {
  const { worker, claim } = await scene.running("running");
  await scene.add("queued");
  await redis.set(key("stream"), "of another type");

  equal((await pass(scene)).repaired, 2);

  equal(await worker.settle(claim, completed()), false); // 20
  deepEqual(keysOf(await scene.worker().claim()).toSorted(), ["queued", "running"]);
  equal(await redis.get(key("stream:aside")), "of another type");
});

// 5, 37
test("Storage.sweep() forgets all calls where another key stands in their place", async (scene, {
  redis,
  key,
}) => {
  await scene.storage.strike("rule", true, randomId());
  const { worker, claim } = await scene.running("running");
  await scene.add("queued");
  await redis.set(key("calls"), "of another type");

  await pass(scene);

  equal(await worker.settle(claim, completed()), true);
  deepEqual(keysOf(await worker.claim()), ["queued"]);
  const { version, rules } = await scene.storage.strikes();
  deepEqual([version === "", rules], [false, ["rule"]]); // 56
  equal(await redis.get(key("calls:aside")), "of another type");
});

// 5
test(
  "Storage.sweep() lets strike again where another key stands in the place of the strikes",
  async (scene, {
    redis,
    key,
  }) => {
    await scene.storage.strike("lost", true, randomId());
    await redis.set(key("strikes"), "of another type");
    await scene.add("a");

    await pass(scene);

    deepEqual((await scene.storage.strikes()).rules, []);
    equal(await scene.storage.strike("new", true, randomId()), true);
    deepEqual((await scene.storage.strikes()).rules, ["new"]);
    deepEqual(keysOf(await scene.worker().claim()), ["a"]);
    equal(await redis.get(key("strikes:aside")), "of another type");
  },
);

// 56: whoever has looked before the first strike is told of it again
test("Storage.sweep() gives strikes a version again that have lost theirs", async (scene, {
  redis,
  key,
}) => {
  await scene.storage.strike("rule", true, randomId());
  await redis.del(key("calls"));

  await pass(scene);

  const { version, rules } = await scene.storage.strikes();
  deepEqual(rules, ["rule"]);
  const verdicts = await scene.storage.schedule([scene.call("a")], { strikes: "" });
  deepEqual(verdicts, [{ kind: "outdated" }]);
  deepEqual(await scene.storage.schedule([scene.call("a")], { strikes: version }), [
    { kind: "scheduled" },
  ]);
  await pass(scene);
  equal((await scene.storage.strikes()).version, version); // and keeps it
});

// 37, 79
test("Storage.sweep() goes on when the server's clock was set back", async (scene, {
  redis,
  key,
}) => {
  await scene.add("a");
  const page = { limit: 10, pause: LONG, silence: LONG };
  await scene.storage.sweep(page);
  await redis.del(key("stream"));
  const { repaired: early, next } = await scene.storage.sweep(page);
  const memory = await redis.hget(key("calls"), "@sweep");
  await redis.hset(key("calls"), "@sweep", memory!.replace(/\d+$/, `${Date.now() + 10 * LONG}`));

  const { repaired } = await scene.storage.sweep(page);

  equal(early, 0);
  ok(next > 0 && next <= LONG, `${next}`);
  equal(repaired, 1);
  deepEqual(keysOf(await scene.worker().claim()), ["a"]);
});

const KEYS = ["running", "held", "background", "scheduled", "set aside", "queued"];

interface Played {
  readonly running: Running;
  /** Whom something was delivered to that it has not claimed yet. */
  readonly setAside: Worker;
}

/** Brings a task into each state that there is. */
async function play(scene: Scene): Promise<Played> {
  const held = await scene.running("held", { body: "held" });
  await held.worker.settle(held.claim, {
    kind: "released",
    held: true,
    due: { after: LONG },
  });
  const chain = await scene.running("background");
  await chain.worker.settle(chain.claim, succeeded({ due: { after: LONG }, body: "next" }));
  const running = await scene.running("running", { body: "running" });
  await scene.replace("running", { body: "deferred", due: { after: 2 * LONG } });
  const { claim: { key, token } } = running;
  await scene.storage.report([{ key, token, progress: { current: 1, total: 2 } }]);
  await scene.add("scheduled", { body: "scheduled", due: { after: LONG } });
  const setAside = scene.worker();
  const waiting = scene.storage.wait(setAside.name, 1, LONG);
  await scene.add("set aside", { body: "set aside" });
  ok(await waiting);
  await scene.add("queued", { body: "queued" });
  return { running, setAside };
}

/** Every task can be claimed, or comes due, exactly once. */
async function expectOnce(
  scene: Scene,
  { worker, claim }: Running,
  setAside: Worker,
): Promise<void> {
  const claims = [...await setAside.claim(20, { from: OWN })];
  for (let round = 0; round < 2; round++) claims.push(...await scene.worker().claim(20));

  deepEqual(keysOf(claims).toSorted(), ["queued", "set aside"]);
  const { scheduled } = await scene.storage.survey(10);
  const due = ["background", "held", "scheduled"];
  const kept = (await scene.live("running")).state === "running";
  deepEqual(keysOf(scheduled).toSorted(), (kept ? due : [...due, "running"]).toSorted());
  equal(await worker.settle(claim, completed()), kept); // invariant 19
  like(await scene.live("running"), { state: "scheduled", body: "deferred" });
}

/** A whole pass. */
async function pass(scene: Scene): Promise<Swept> {
  return await scene.storage.sweep({ limit: 1_000, pause: 0, silence: LONG });
}

/** Where the sweep of rows is: 0 between two passes. */
async function progressOf({ redis, key }: Stranger): Promise<bigint> {
  const memory = await redis.hget(key("calls"), "@sweep");
  return BigInt(memory!.split("|")[0]);
}

/** So many passes come to their end, page by page. */
async function passes(scene: Scene, stranger: Stranger, count: number): Promise<void> {
  for (let done = 0; done < count;) {
    await scene.storage.sweep({ limit: 100, pause: 0, silence: LONG });
    if (await progressOf(stranger) === 0n) done++;
  }
}

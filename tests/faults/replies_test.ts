/**
 * Replies that get lost, and commands that arrive when nobody counts on them any more (invariants 19, 27, 72).
 *
 * What falls under F13 and F53 besides stands in `tests/processes/producer_test.ts` and in the conformance suite.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import { ConcurrencyLimit, task } from "../../mod.ts";
import type { Gate } from "../../src/storage/contract.ts";
import { openStorage, type StorageOptions } from "../../src/storage/open.ts";
import { completed } from "../../src/testing/conformance/shorthands.ts";
import { Worker as Consumer } from "../../src/testing/conformance/worker.ts";
import { type FaultStage, faultTest, quick, secondsSince, Tally } from "./_stage.ts";

faultTest("F14 an add whose reply is lost is sent again, and is one task", async (stage) => {
  const docket = await stage.through({ commandTimeout: 2_000 });
  const tally = new Tally();
  const note = task("note", ({ key }): void => tally.count(key));
  docket.register(note);
  await docket.add(note, { key: "before" })();

  const swallowed = stage.proxy.swallowReply("EVAL");
  const start = performance.now();
  const adding = docket.add(note, { key: "lost" })();
  await stage.soon(swallowed);
  const added = await stage.soon(adding);
  const took = secondsSince(start);

  equal(added.disposition, "scheduled"); // and not "exists": it is this very request that made it
  await stage.finish(docket, quick);
  deepEqual([...tally.runs], [["before", 1], ["lost", 1]]);
  stage.figure(`an add whose reply was lost was there ${took} s later, once`);
});

faultTest("F14 many adds whose connection breaks are each one task", async (stage) => {
  const docket = await stage.through();
  const tally = new Tally();
  const note = task("note", ({ key }): void => tally.count(key));

  const keys: string[] = [];
  for (let round = 0; round < 20; round++) {
    const swallowed = stage.proxy.swallowReply("EVAL");
    const some = Array.from({ length: 5 }, (_, n) => `${round}.${n}`);
    const adding = Promise.all(some.map((key) => docket.add(note, { key })()));
    await stage.soon(swallowed);
    stage.proxy.cut(round % 2 === 0 ? "RST" : "FIN");
    deepEqual((await adding).map(({ disposition }) => disposition), some.map(() => "scheduled"));
    keys.push(...some);
  }

  await stage.finish(docket, quick);
  deepEqual([...tally.runs.keys()].sort(), keys.sort());
  deepEqual(tally.repeated, []);
});

faultTest("F26 what was delivered into a lost reply is run at once", async (stage) => {
  const docket = await stage.through();
  const producer = await stage.connect();
  const tally = new Tally();
  const note = task("note", ({ key }): string => {
    tally.count(key);
    return key;
  });
  docket.register(note);
  const longest: number[] = [];
  // A lease of an hour: whoever waited for it would not be done in time. And reads that end only when something comes.
  const patient = { redeliveryTimeout: "1h", minimumCheckInterval: "1h" } as const;
  const worker = stage.start(docket, { ...quick, ...patient });
  await stage.idle();

  for (let round = 0; round < 5; round++) {
    const swallowed = stage.proxy.swallowReply("XREADGROUP");
    await stage.soon((await producer.add(note, { key: `${round}.wakes` })()).result());
    await stage.idle(); // in the read whose reply gets lost
    const execution = await producer.add(note, { key: `${round}.lost` })();
    await stage.soon(swallowed);
    const start = performance.now();
    stage.proxy.cut("RST");
    equal(await stage.soon(execution.result()), `${round}.lost`);
    longest.push(secondsSince(start));
  }

  deepEqual(tally.repeated, []);
  equal(tally.runs.size, 10);
  await worker.close();
  stage.figure(`run at most ${Math.max(...longest)} s after the connection broke`);
});

// The client's end is reset, and the server does not know: what comes next is delivered into its void.
faultTest(
  "F26 what is delivered to a connection that is gone is run within a second",
  async (stage) => {
    const docket = await stage.through();
    const producer = await stage.connect();
    const tally = new Tally();
    const note = task("note", ({ key }): string => {
      tally.count(key);
      return key;
    });
    docket.register(note);
    const worker = stage.start(docket, { ...quick, redeliveryTimeout: "1h" });
    const longest: number[] = [];

    for (let round = 0; round < 4; round++) {
      await stage.idle();
      const { accepted } = stage.proxy;
      stage.proxy.abandon();
      await stage.eventually(() => stage.proxy.accepted >= accepted + 2);
      if (round % 2 === 0) await stage.idle();
      const start = performance.now();
      const execution = await producer.add(note, { key: `${round}` })();
      equal(await stage.soon(execution.result()), `${round}`);
      longest.push(secondsSince(start));
    }

    deepEqual(tally.repeated, []);
    await worker.close();
    stage.figure(`run at most ${Math.max(...longest)} s after the delivery was lost`);
  },
);

faultTest("F29 a step that comes when its consumer has signed off takes nothing", async (stage) => {
  const witness = await stage.connect();
  await using storage = await openStorage(stage.proxy.url, optionsOf(stage));
  const consumer = new Consumer(storage);
  deepEqual(await consumer.claim(), []);
  const { release, old } = await delay(stage, () => consumer.claim());
  equal(await storage.retire(consumer.name), true);
  const execution = await witness.add("nobody", { key: "key" })();

  release();

  await stage.gone(old);
  equal((await execution.refresh()).state, "queued");
});

for (const late of ["a later one has come", "its consumer has signed off"]) {
  faultTest(`F29 a takeover that comes when ${late} takes nothing`, async (stage) => {
    const witness = await stage.connect();
    await using storage = await openStorage(stage.proxy.url, optionsOf(stage));
    const [consumer, dead] = [new Consumer(storage), new Consumer(await stage.open())];
    deepEqual(await consumer.reclaim(), []);
    const { release, old } = await delay(stage, () => consumer.reclaim({ lease: 1 }));
    const isGone = late === "its consumer has signed off";
    if (isGone) equal(await storage.retire(consumer.name), true);
    else deepEqual(await consumer.reclaim({ lease: 1 }), []);
    await witness.add("nobody", { key: "key" })();
    const [claim] = await dead.claim();
    await stage.sleep(50); // its lease is over, for who asks for one of a millisecond

    release();

    await stage.gone(old);
    const [{ live }] = await storage.load(["key"]);
    deepEqual([live?.token, live?.deliveries], [claim.token, 1]);
    await dead.settle(claim, completed());
    for (const { name } of [consumer, dead]) equal(await storage.retire(name), true);
  });
}

faultTest("F29 what an old connection still brings changes nothing", async (stage) => {
  const docket = await stage.through();
  const witness = await stage.connect();
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  stage.afterwards(() => gates.forEach(({ resolve }) => resolve()));
  let runs = 0;
  const hold = task("hold", async (): Promise<number> => {
    const run = runs++;
    await gates[run].promise;
    return run;
  });
  docket.register(hold);
  const worker = stage.start(docket, quick);
  const first = await witness.add(hold, { key: "key" })();
  await stage.eventually(() => runs === 1);

  // What settles the first run, and an add, are on their way when the connection breaks, and go another way then.
  const old = stage.proxy.ports;
  const release = stage.proxy.hold();
  const added = docket.add(hold, { key: "other", delay: "1h" })();
  await stage.eventually(() => stage.proxy.waiting > 0);
  const { waiting } = stage.proxy;
  gates[0].resolve();
  await stage.eventually(() => stage.proxy.waiting > waiting);
  stage.proxy.hangUp();
  equal(await stage.soon(first.result()), 0);
  equal((await stage.soon(added)).disposition, "scheduled");
  equal(await witness.cancel("other"), "cancelled");
  const second = await witness.add(hold, { key: "key" })();
  await stage.eventually(() => runs === 2);

  const storage = await stage.open();
  const before = await storage.load(["key", "other"]);
  const bytes = release();
  await stage.gone(old);
  deepEqual(await storage.load(["key", "other"]), before);
  ok(bytes > waiting && waiting > 0, `${bytes} bytes came late`);

  gates[1].resolve();
  equal(await stage.soon(second.result()), 1);
  equal(runs, 2);
  equal((await witness.execution("other"))?.state, "cancelled");
  await worker.close();
  stage.figure(`${bytes} bytes of old commands came late, and changed nothing`);
});

faultTest(
  "F29 what an old connection still asks of a gate ends nothing that has begun",
  async (stage) => {
    const docket = await stage.through();
    const witness = await stage.connect();
    let release: (() => number) | undefined;
    class Asking extends ConcurrencyLimit {
      override gate(...asked: Parameters<ConcurrencyLimit["gate"]>): Gate {
        release ??= stage.proxy.hold(); // what it asks first is on its way when the connection breaks
        return super.gate(...asked);
      }
    }
    const gate = Promise.withResolvers<void>();
    stage.afterwards(() => gate.resolve());
    const happened: string[] = [];
    const work = task("work", { limit: new Asking({ max: 1 }) }, async (_context, what: string) => {
      happened.push(`${what} begins`);
      await gate.promise;
      happened.push(`${what} ends`);
    });
    docket.register(work);
    const worker = stage.start(docket, quick);
    const first = await witness.add(work, { key: "key" })("old");
    await stage.eventually(() => stage.proxy.waiting > 0);
    const old = stage.proxy.ports;
    stage.proxy.hangUp();
    await stage.eventually(() => happened.length === 1);
    const second = await witness.replace(work, { key: "key" })("new");
    equal(second.disposition, "deferred");

    const bytes = release!();

    await stage.gone(old);
    ok(bytes > 0);
    equal((await first.refresh()).state, "running");
    gate.resolve();
    await stage.soon(second.result());
    deepEqual(happened, ["old begins", "old ends", "new begins", "new ends"]);
    await worker.close();
  },
);

function optionsOf({ name, clock }: FaultStage): StorageOptions {
  const limits = { recordTtl: 60_000, commandTimeout: 5_000, connectTimeout: 5_000 };
  return { docket: name, clock, ...limits };
}

/**
 * Has a request, which brings nothing, be on its way when its connection breaks, and go another way then. The first bytes
 * come when they are released.
 */
async function delay(
  stage: FaultStage,
  request: () => Promise<readonly unknown[]>,
): Promise<{ readonly release: () => void; readonly old: readonly number[] }> {
  const old = stage.proxy.ports;
  const release = stage.proxy.hold();
  const answered = request();
  await stage.eventually(() => stage.proxy.waiting > 0);
  stage.proxy.hangUp();
  deepEqual(await stage.soon(answered), []);
  return { release, old };
}

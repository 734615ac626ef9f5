/**
 * The thread that keeps leases, where it cannot, and where it is not wanted any more.
 *
 * @module
 */

import {
  deepStrictEqual as deepEqual,
  match,
  rejects,
  strictEqual as equal,
  throws,
} from "node:assert/strict";
import { test as declare } from "node:test";
import { Docket, Worker } from "../../mod.ts";
import { type Clock, sleep, systemClock } from "../../src/base/clock.ts";
import { randomId } from "../../src/base/ids.ts";
import { internalsOf } from "../../src/docket/internals.ts";
import type { Claim, Storage } from "../../src/storage/contract.ts";
import { FakeClock } from "../../src/testing/clock.ts";
import { completed } from "../../src/testing/conformance/shorthands.ts";
import { Worker as Consumer } from "../../src/testing/conformance/worker.ts";
import { LeaseKeeper } from "../../src/worker/lease_keeper.ts";
import { Renewer } from "../../src/worker/renewer.ts";
import { Run, Running } from "../../src/worker/run.ts";
import { onOwnRedis, onRedis } from "../_harness.ts";
import { captureLogs } from "../_logs.ts";

const records = captureLogs("warning");

/** What no thread can open. */
const NOWHERE = {
  url: "nonsense://user:canary@host",
  docket: "d",
  recordTtl: 1,
  commandTimeout: 1,
  connectTimeout: 1,
};

const LEASE = 400;

declare("LeaseKeeper that cannot open the storage warns once, and lets the worker be", async () => {
  const keeper = new LeaseKeeper({
    reopening: NOWHERE,
    clock: systemClock,
    consumer: "worker~1",
    lease: 1_000,
    patience: 1_000,
  });

  // Under `deno test` a thread that starts for the first time is type-checked before, which takes its time.
  for (let n = 0; records.length === 0 && n < 6_000; n++) await sleep(systemClock, 10);
  await keeper.ready;
  keeper.hold([{ key: "k", token: "t" }]);
  keeper.tell([{ key: "k", token: "t" }]);
  await keeper.close();

  const [{ properties, rawMessage }, ...more] = records;
  equal(`${rawMessage}`.startsWith("Cannot keep leases from a thread"), true);
  equal(`${properties.reason}`.includes("nonsense:"), true);
  equal(JSON.stringify(properties).includes("canary"), false);
  deepEqual(more, []);
});

// Invariant 32: after a stall the answer to the first renewal may take longer than the next look.
for (const [renewed, doubted] of [["was", undefined], ["was not", "LEASE_LOST"]] as const) {
  declare(
    `Renewer ${doubted ? "gives up" : "keeps"} a run whose lease ${renewed} renewed by the thread`,
    async () => {
      const clock = new FakeClock();
      const running = new Running(1);
      const run = new Run({ key: "k", token: "t", body: "" } as Claim, clock.monotonic());
      running.add(run);
      const silent = { renew: () => new Promise(() => {}) } as unknown as Storage;
      const keeper = {
        get renewedAt() {
          return doubted ? 0 : clock.monotonic();
        },
        tell: () => {},
      } as unknown as LeaseKeeper;
      const end = new AbortController();
      const renewer = new Renewer({
        storage: silent,
        clock,
        consumer: "worker~1",
        lease: 1_000,
        running,
        settler: { leases: [] },
        keeper,
      });
      const work = renewer.run(end.signal);

      await clock.advance(3_000);
      end.abort();
      await work;

      equal(run.reason?.code, doubted);
    },
  );
}

onRedis("A worker with a lease thread", (test) => {
  test("runs what there is, and can be closed while it starts, twice, and again", async (stage) => {
    const docket = await stage.connect();
    function work(): string {
      return "done";
    }
    const execution = await docket.add(work)();

    await stage.finish(docket, { leaseThread: true });
    equal(await execution.result(), "done");

    for (let n = 0; n < 2; n++) {
      const worker = stage.start(docket, { leaseThread: true });
      await Promise.all([worker.close(), worker.close()]);
    }
    deepEqual(records, []);
  });

  test("takes nothing before it is known whether the thread keeps leases", async (stage) => {
    // It looks for the dead at once, which else would be when the lease is old by a quarter.
    const at = (delay: number) => delay > LEASE / 4 ? delay : 1;
    const clock: Clock = {
      ...systemClock,
      timer: (delay, act) => systemClock.timer(at(delay), act),
    };
    const docket = await stage.connect({ clock });
    const execution = await docket.add(function work() {})();
    const internals = internalsOf(docket);
    Object.assign(internals, { reopening: NOWHERE });
    const { storage } = internals;
    const [step, reclaim] = [storage.step.bind(storage), storage.reclaim.bind(storage)];
    const called: [verb: string, known: boolean][] = [];
    storage.step = (...args) => {
      called.push(["step", records.length > 0]);
      return step(...args);
    };
    storage.reclaim = (...args) => {
      called.push(["reclaim", records.length > 0]);
      return reclaim(...args);
    };

    stage.start(docket, { leaseThread: true, redeliveryTimeout: LEASE });
    await stage.soon(execution.result());
    await stage.eventually(() => called.some(([verb]) => verb === "reclaim"));

    deepEqual(called.filter(([, known]) => !known), []);
    match(`${records[0].rawMessage}`, /^Cannot keep leases from a thread/);
  });

  test("is refused where a thread could not open the storage", async (stage) => {
    const own = await stage.connect({ storage: await stage.open() });
    const functional = await stage.connect({
      redis: { tls: undefined, retryStrategy: () => null },
    });
    await using memory = await Docket.connect({ url: "memory://lease-thread" });

    for (
      const [docket, reason] of [
        [own, /storage of your own/],
        [memory, /memory:\/\//],
        [functional, /no functions/],
      ] as const
    ) {
      throws(() => new Worker(docket, { leaseThread: true }), {
        name: "TypeError",
        message: reason,
      });
    }
  });

  test("is refused with options that are none", async (stage) => {
    const docket = await stage.connect();
    const wrong = (leaseThread: unknown) => () => {
      new Worker(docket, { leaseThread: leaseThread as boolean });
    };

    throws(wrong("yes"), /Cannot use "yes" for "leaseThread": give true, or { patience }/);
    throws(wrong({ patients: 1 }), /Cannot use "patients" for leaseThread/);
    throws(wrong({ patience: -1 }), RangeError);
    throws(wrong(null), TypeError);
  });
});

onOwnRedis("A worker with a lease thread", (test) => {
  test("leaves no connection behind", async (stage) => {
    const docket = await stage.connect();
    const clients = async () => `${await stage.admin.client("LIST")}`.trim().split("\n").length;
    const worker = stage.start(docket, { leaseThread: true });
    await stage.eventually(async () => await clients() > 4); // the thread's is the fifth
    await worker.close();
    await docket.close();

    await stage.eventually(async () => await clients() === 1);
  });

  // A key may run again before it is known that its last run was settled.
  test("keeps each claim of a key", async (stage) => {
    const docket = await stage.connect();
    await docket.add("nobody", { key: "k" })();
    const storage = await stage.open();
    const consumer = new Consumer(storage);
    const claimedAt = performance.now();
    const [claim] = await consumer.claim();
    const keeper = new LeaseKeeper({
      reopening: internalsOf(docket).reopening!,
      clock: systemClock,
      consumer: consumer.name,
      lease: LEASE,
      patience: 3_600_000,
    });
    stage.afterwards(() => void keeper.close());
    await keeper.ready;

    keeper.tell([claim, { key: "k", token: randomId() }]); // and then not a word any more

    await stage.sleep(3 * LEASE - (performance.now() - claimedAt)); // by now it is that old, or was renewed
    await stage.eventually(async () => {
      const stream = `{${stage.name}}:stream`;
      const pending = await stage.admin.xpending(stream, "workers", "-", "+", 1) as unknown[][];
      const [[_entry, _consumer, idle]] = pending;
      return Number(idle) < 2 * LEASE;
    });
    await keeper.close();
    await consumer.settle(claim, completed());
    equal(await storage.retire(consumer.name), true);
  });
});

onRedis("Worker.close()", (test) => {
  test("cuts the grace period short when it is told to", async (stage) => {
    const docket = await stage.connect();
    const begun = Promise.withResolvers<void>();
    async function long(): Promise<void> {
      begun.resolve();
      await new Promise(() => {});
    }
    const execution = await docket.add(long)();
    const worker = stage.start(docket, { gracePeriod: "10m" });
    await begun.promise;

    const patient = worker.close();
    await worker.close({ gracePeriod: 10 });
    await patient;

    await execution.refresh();
    deepEqual([execution.state, execution.attempt], ["queued", 1]);
    await rejects(worker.close({ grace: 1 } as never), TypeError);
    await execution.cancel();
  });
});

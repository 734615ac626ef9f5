/**
 * Networks that swallow, stall, cut and crumble (invariants 30, 32, 53, 64, 71, 72, 74).
 *
 * F25 stands in `tests/fundamentals/redis_outages_test.ts` too, F50 in `tests/cli/health_test.ts`.
 *
 * @module
 */

import {
  deepStrictEqual as deepEqual,
  ok,
  rejects,
  strictEqual as equal,
} from "node:assert/strict";
import { type Execution, task, Worker } from "../../mod.ts";
import { aborted } from "../_harness.ts";
import { faultTest, quick, secondsSince, Tally } from "./_stage.ts";

faultTest(
  "F25 connections that are killed again and again cost no run and no time",
  async (stage) => {
    const docket = await stage.connect();
    const producer = await stage.connect();
    const tally = new Tally();
    const note = task("note", async ({ key }): Promise<void> => {
      tally.count(key);
      await stage.sleep(1);
    });
    docket.register(note);
    // A lease of an hour: what was delivered into a cut connection and waited for it would never be done.
    for (let n = 0; n < 2; n++) stage.start(docket, { ...quick, redeliveryTimeout: "1h" });

    let killing = true;
    stage.afterwards(() => void (killing = false));
    let kills = 0;
    const killer = (async () => {
      for (; killing; await stage.sleep(200)) {
        kills += Number(
          await stage.admin.call("CLIENT", ["KILL", "TYPE", "normal", "SKIPME", "yes"]),
        );
        kills += Number(await stage.admin.call("CLIENT", ["KILL", "TYPE", "pubsub"]));
      }
    })();
    const start = performance.now();
    const executions: Execution<void>[] = [];
    for (let round = 0; round < 40; round++) {
      executions.push(...await Promise.all(Array.from({ length: 10 }, () => producer.add(note)())));
      await stage.sleep(50);
    }
    const results = Promise.all(executions.map((execution) => execution.result()));
    await stage.soon(results);
    killing = false;
    await killer;

    deepEqual(tally.repeated, []);
    equal(tally.runs.size, executions.length);
    const took = secondsSince(start);
    stage.figure(
      `${executions.length} tasks in ${took} s, ${kills} connections killed, 0 run twice`,
    );
  },
);

faultTest(
  "F27 a black hole is left within ten seconds of its end, with the default settings",
  async (stage) => {
    const docket = await stage.through();
    const witness = await stage.connect();
    const tally = new Tally();
    const release = Promise.withResolvers<void>();
    stage.afterwards(() => release.resolve());
    const note = task("note", async ({ key, signal }): Promise<boolean> => {
      tally.count(key);
      if (key === "running") await release.promise;
      return signal.aborted;
    });
    docket.register(note);
    const worker = stage.start(docket);
    const running = await witness.add(note, { key: "running" })();
    await stage.eventually(() => tally.runs.has("running"));
    await stage.idle();

    stage.proxy.fallSilent();
    const swallowed = await witness.add(note, { key: "swallowed" })(); // delivered to nobody
    const adding = docket.add(note, { key: "added" })();
    await stage.sleep(1_000);
    stage.proxy.recover();
    const start = performance.now();
    const added = await stage.soon(adding);
    const wait = secondsSince(start);
    release.resolve();
    deepEqual(
      await stage.soon(Promise.all([running, swallowed, added].map((each) => each.result()))),
      [false, false, false],
    );
    const took = secondsSince(start);

    deepEqual(tally.repeated, []);
    ok(took < 20, `it took ${took} s`); // 10 s, and what a busy machine adds
    await worker.close();
    stage.figure(
      `an add went through ${wait} s, and all had run ${took} s after the network was back`,
    );
  },
);

const CRUMBS = { delay: 20, chunk: 1, resetEvery: 30 };

faultTest("F28 crumbs, resets and long ways cost time, and nothing else", async (stage) => {
  const docket = await stage.through();
  const producer = await stage.through();
  const tally = new Tally();
  const note = task("note", ({ key }): string => {
    tally.count(key);
    return key;
  });
  docket.register(note);
  stage.proxy.change(CRUMBS);
  const worker = stage.start(docket, { ...quick, redeliveryTimeout: "1h" });
  const executions: Execution<string>[] = [];

  const start = performance.now();
  for (let round = 0; round < 15; round++) {
    const keys = Array.from({ length: 4 }, (_, n) => `${round}.${n}`);
    executions.push(...await Promise.all(keys.map((key) => producer.add(note, { key })())));
  }
  await stage.soon(Promise.all(executions.map((execution) => execution.result())));
  const took = secondsSince(start);

  deepEqual(executions.map(({ disposition }) => disposition), executions.map(() => "scheduled"));
  deepEqual(tally.repeated, []);
  equal(tally.runs.size, executions.length);
  ok(stage.proxy.resets > 2, "hardly any connection was reset");
  const { resets } = stage.proxy;
  stage.proxy.change();
  await worker.close();
  stage.figure(`${executions.length} tasks in ${took} s, ${resets} connections reset, 0 run twice`);
});

faultTest("F28 a stall shorter than half the lease costs no lease", async (stage) => {
  const docket = await stage.through();
  const other = await stage.connect();
  const lease = 3_000;
  const tally = new Tally();
  const release = Promise.withResolvers<void>();
  stage.afterwards(() => release.resolve());
  const hold = task("hold", async ({ key, signal }): Promise<boolean> => {
    tally.count(key);
    await release.promise;
    return signal.aborted;
  });
  docket.register(hold);
  const worker = stage.start(docket, { ...quick, redeliveryTimeout: lease });
  const execution = await docket.add(hold, { key: "key" })();
  await stage.eventually(() => tally.runs.size === 1);
  stage.start(other, { ...quick, redeliveryTimeout: lease }); // who would take over

  for (let n = 0; n < 2; n++) {
    stage.proxy.stall();
    await stage.sleep(lease * 0.4);
    stage.proxy.resume();
    await stage.sleep(lease * 0.1);
  }
  release.resolve();

  equal(await stage.soon(execution.result()), false);
  deepEqual([...tally.runs], [["key", 1]]);
  await worker.close();
});

faultTest(
  "F52 a cancel and a result arrive when all that is published gets lost",
  async (stage) => {
    const docket = await stage.through();
    const witness = await stage.connect();
    const lease = 800;
    const release = Promise.withResolvers<void>();
    stage.afterwards(() => release.resolve());
    let running = 0;
    const hold = task("hold", async ({ key, signal }): Promise<string> => {
      running++;
      await Promise.race([release.promise, aborted(signal)]);
      signal.throwIfAborted();
      return key;
    });
    docket.register(hold);
    const worker = stage.start(docket, { ...quick, redeliveryTimeout: lease });
    const one = await docket.add(hold, { key: "one" })();
    const two = await docket.add(hold, { key: "two" })();
    const waiting = two.result();
    await stage.eventually(() => running === 2);

    let deaf = 0;
    for (const port of (await stage.connections("pubsub")).keys()) {
      if (stage.proxy.deafen(port)) deaf++;
    }
    ok(deaf > 0, "nobody was subscribed");
    const start = performance.now();
    equal(await witness.cancel("one"), "requested");
    await stage.eventually(async () => (await witness.execution("one"))?.state === "cancelled");
    const cancelled = secondsSince(start);
    release.resolve();
    const told = performance.now();
    equal(await stage.soon(waiting), "two");
    const took = secondsSince(told);
    await rejects(one.result(), { reason: "cancelled" });

    await worker.close();
    stage.figure(
      `the cancel arrived after ${cancelled} s (lease ${lease} ms), the result after ${took} s`,
    );
  },
);

// 74: whatever is under way, and however often it is told
faultTest(
  "F60 a worker closes in time in a black hole, while it connects too, and twice",
  async (stage) => {
    const patience = { commandTimeout: "10m", connectTimeout: "10m" } as const;
    const docket = await stage.through(patience);
    const started = Promise.withResolvers<void>();
    const hold = task("hold", async ({ signal }): Promise<void> => {
      started.resolve();
      await aborted(signal);
    });
    docket.register(hold);
    const gracePeriod = 300;
    const workers = [0, 1].map(() => new Worker(docket, { ...quick, gracePeriod }));
    const running = workers.map((worker) => worker.runForever());
    const execution = await docket.add(hold)();
    await started.promise;

    stage.proxy.fallSilent();
    const late = await stage.through({ ...patience, lazy: true });
    late.register(hold);
    const connecting = new Worker(late, { ...quick, gracePeriod });
    running.push(connecting.runForever());
    workers.push(connecting);
    await stage.sleep(20);
    const start = performance.now();
    const closing = workers.flatMap((worker) => [worker.close(), worker.close()]);
    await stage.soon(Promise.all([...closing, ...running]));
    const took = secondsSince(start);
    await stage.soon(Promise.all([docket.close(), docket.close(), late.close()]));
    await workers[0].close();

    stage.figure(`closed ${took} s later, with a grace period of ${gracePeriod / 1_000} s`);
    ok(took < 4, `it took ${took} s`); // a grace period and a second, and what a busy machine adds
    equal((await (await stage.connect()).execution(execution.key))?.state, "running");
    stage.forget(); // it could not sign off
  },
);

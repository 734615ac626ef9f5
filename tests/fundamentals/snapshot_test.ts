/**
 * What is on a docket, at one instant.
 *
 * @module
 */

import {
  deepStrictEqual as deepEqual,
  ok,
  rejects,
  strictEqual as equal,
} from "node:assert/strict";
import { randomId } from "../../src/base/ids.ts";
import { Docket, type Execution, type Snapshot, task, type WorkerOptions } from "../../mod.ts";
import type { Storage } from "../../src/storage/contract.ts";
import {
  altered,
  onEveryStorage,
  onMemory,
  onOwnRedis,
  type OwnRedisStage,
  type Stage,
} from "../_harness.ts";

const NOTHING = { scheduled: 0, queued: 0, running: 0, waiting: 0, dead: 0 };

const HOUR = 3_600_000;

/** Plants something under a key that no docket wrote. */
async function plant(storage: Storage, bodies: Readonly<Record<string, string>>): Promise<void> {
  await storage.schedule(
    Object.entries(bodies).map(([key, body]) => (
      { key, generation: randomId(), mode: "add", due: undefined, body }
    )),
  );
}

function keysOf(executions: readonly Execution[]): string[] {
  return executions.map(({ key }) => key);
}

/** The keys in each list. */
function listed({ scheduled, queued, running, waiting, dead }: Snapshot): Record<string, string[]> {
  return {
    scheduled: keysOf(scheduled),
    queued: keysOf(queued),
    running: keysOf(running),
    waiting: keysOf(waiting),
    dead: keysOf(dead),
  };
}

/** A docket with some tasks in every state. */
async function busyDocket(stage: Stage, options: WorkerOptions = {}): Promise<Docket> {
  const docket = await stage.connect();
  const release = Promise.withResolvers<void>();
  stage.afterwards(() => release.resolve());
  let runs = 0;
  async function hold(_text: string): Promise<void> {
    runs++;
    await release.promise;
  }
  for (const key of ["dead 1", "dead 2"]) {
    await plant(await stage.open(), { [key]: "{" });
    await stage.finish(docket);
    await stage.advance(2); // on Redis one instant is a millisecond
  }
  for (const key of ["running 1", "running 2", "running 3"]) await docket.add(hold, { key })(key);
  stage.start(docket, { name: "web", concurrency: 3, ...options });
  await stage.eventually(() => runs === 3);
  for (const key of ["queued 1", "queued 2", "queued 3", "queued 4"]) {
    await docket.add(hold, { key })(key);
  }
  for (const key of ["running 1", "running 2"]) await docket.replace(hold, { key })(`after ${key}`);
  for (const hours of [3, 1, 5, 2, 4]) {
    const when = stage.clock.now() + hours * HOUR;
    await docket.add(hold, { key: `scheduled ${hours}`, when })(`${hours}`);
  }
  return docket;
}

onEveryStorage("Docket.snapshot()", (test) => {
  test("shows an empty docket as empty", async (stage) => {
    const docket = await stage.connect();

    const snapshot = await docket.snapshot();

    deepEqual(snapshot.counts, NOTHING);
    deepEqual(listed(snapshot), { scheduled: [], queued: [], running: [], waiting: [], dead: [] });
  });

  test("counts and lists what there is in each state, in order", async (stage) => {
    await busyDocket(stage);
    const docket = await stage.connect(); // works with nothing registered

    const snapshot = await docket.snapshot();

    deepEqual(snapshot.counts, { scheduled: 5, queued: 4, running: 3, waiting: 2, dead: 2 });
    const { waiting, ...lists } = listed(snapshot);
    deepEqual(lists, {
      scheduled: ["scheduled 1", "scheduled 2", "scheduled 3", "scheduled 4", "scheduled 5"],
      queued: ["queued 1", "queued 2", "queued 3", "queued 4"],
      running: ["running 1", "running 2", "running 3"],
      dead: ["dead 2", "dead 1"],
    });
    deepEqual(waiting.sort(), ["running 1", "running 2"]); // in no order
  });

  test("tells of each execution what is known of it", async (stage) => {
    await busyDocket(stage);
    const docket = await stage.connect();

    const { takenAt, scheduled, queued, running, waiting, dead } = await docket.snapshot();

    for (
      const [executions, state] of Object.entries({ scheduled, queued, running, waiting, dead })
    ) {
      ok(Array.isArray(state));
      for (const execution of state) equal(execution.state, executions);
    }
    for (const execution of [...scheduled, ...queued, ...running, ...waiting]) {
      equal(execution.task, "hold");
      equal(execution.args.length, 1);
      equal(execution.attempt, 1);
      equal(execution.disposition, undefined);
    }
    deepEqual(scheduled.map(({ args: [hours] }) => hours), ["1", "2", "3", "4", "5"]);
    for (const { when, args } of scheduled) {
      const hours = (when!.getTime() - takenAt.getTime()) / HOUR;
      equal(Math.round(hours), Number(args[0]));
    }
    for (const execution of running) {
      deepEqual([execution.args, execution.worker], [[execution.key], "web"]);
      ok(execution.startedAt! <= takenAt);
    }
    for (const { key, args } of waiting) deepEqual(args, [`after ${key}`]);
    for (const { error, worker } of dead) {
      ok(error instanceof Error);
      equal(worker, "tester");
    }
  });

  test("gives handles that can be used", async (stage) => {
    const docket = await busyDocket(stage);
    const { scheduled, queued, running, waiting } = await docket.snapshot();

    const answers = [scheduled[0], queued[0], waiting[0], running[2]].map((each) => each.cancel());

    deepEqual(
      await Promise.all(answers),
      ["cancelled", "cancelled", "cancelled", "requested"],
    );
    await rejects(scheduled[0].result(), { reason: "cancelled" });
    const { counts } = await docket.snapshot();
    deepEqual(counts, { scheduled: 4, queued: 3, running: 3, waiting: 1, dead: 2 });
  });

  test("cuts its lists at the limit, and not its counts", async (stage) => {
    await busyDocket(stage);
    const docket = await stage.connect();

    const snapshot = await docket.snapshot({ limit: 1 });

    deepEqual(snapshot.counts, { scheduled: 5, queued: 4, running: 3, waiting: 2, dead: 2 });
    deepEqual({ ...listed(snapshot), waiting: snapshot.waiting.length }, {
      scheduled: ["scheduled 1"],
      queued: ["queued 1"],
      running: ["running 1"],
      waiting: 1,
      dead: ["dead 2"],
    });
  });

  test("counts each task once while a worker takes more of them", async (stage) => {
    const docket = await busyDocket(stage, { concurrency: 20 });

    const { counts } = await docket.snapshot();

    deepEqual(counts.queued + counts.running, 7);
  });

  test("is taken by the storage's clock", async (stage) => {
    const docket = await stage.connect();
    const before = await docket.snapshot();
    await stage.advance(5);

    const { takenAt } = await docket.snapshot();

    ok(takenAt > before.takenAt);
    ok(Math.abs(takenAt.getTime() - stage.clock.now()) < 60_000);
  });

  test("names the next to run first, of many that are due at one instant", async (stage) => {
    const docket = await stage.connect();
    const when = stage.clock.now() + HOUR;
    const keys = Array.from({ length: 20 }, (_, n) => `k${n}`);
    await docket.addAll(keys.map((key) => docket.call("nobody", { key, when })()));
    await docket.add("nobody", { key: "sooner", when: when - 1 })();

    const { scheduled } = await docket.snapshot();

    equal(scheduled[0].key, "sooner");
    deepEqual(keysOf(scheduled.slice(1)).sort(), keys.sort());
  });

  test("shows a retry that waits as scheduled, and its attempt", async (stage) => {
    const docket = await stage.connect();
    const storage = await stage.open();
    await docket.add("anything", { key: "key" })(1);
    const token = randomId();
    const step = { consumer: "web~1", lane: 0, commits: [], from: ">", maxDeliveries: 5 };
    await storage.step({ ...step, call: 1, token, want: 1 });
    const settlement = { kind: "retried", due: { after: HOUR } } as const;
    const commits = [{ key: "key", token, settlement }];
    await storage.step({ ...step, call: 2, token: randomId(), want: 0, commits });
    await storage.retire("web~1");

    const { counts, scheduled } = await docket.snapshot();

    deepEqual(counts, { ...NOTHING, scheduled: 1 });
    deepEqual(scheduled.map(({ key, attempt }) => [key, attempt]), [["key", 2]]);
  });

  // 13
  test("shows odd keys as they are", async (stage) => {
    const docket = await stage.connect();
    const odd = [
      "",
      " ",
      "stream",
      "{x}",
      "a|b",
      "*",
      "\0",
      "a\r\nb",
      '"',
      "'",
      "__proto__",
      "constructor",
      "🦊",
      "ü".repeat(511),
    ];
    await docket.addAll(odd.map((key) => docket.call("nobody", { key, delay: "1h" })(key)));
    await docket.addAll(odd.map((key) => docket.call("nobody", { key: `q${key}` })(key)));

    const { scheduled, queued } = await docket.snapshot();

    deepEqual(keysOf(scheduled).sort(), odd.toSorted());
    for (const { key, args } of scheduled) equal(args[0], key);
    deepEqual(keysOf(queued), odd.map((key) => `q${key}`));
  });

  // 39, 69
  test("is not broken by what cannot be read", async (stage) => {
    const docket = await stage.connect();
    const storage = await stage.open();
    const unreadable = { nothing: "", text: "{nope", number: "42", null: "null", list: "[]" };
    const strange = {
      "odd arguments": JSON.stringify({ task: "good", args: '~[["Nonsense",1]]' }),
    };
    await plant(storage, { ...unreadable, ...strange });
    const good = await docket.add(function good(): void {}, { key: "good" })();
    const later = { key: "later", generation: randomId(), mode: "add", body: "}" } as const;
    await storage.schedule([{ ...later, due: { after: HOUR } }]);

    const before = await docket.snapshot();
    await docket.cancel("later");
    await stage.finish(docket);
    const after = await docket.snapshot();

    deepEqual(before.counts, { ...NOTHING, scheduled: 1, queued: 7 });
    deepEqual(
      before.queued.map(({ key, task }) => [key, task]),
      [...Object.keys(unreadable).map((key) => [key, ""]), ["odd arguments", "good"], [
        "good",
        "good",
      ]],
    );
    for (const { args } of before.queued.slice(0, 5)) deepEqual(args, []);
    deepEqual(after.counts, { ...NOTHING, dead: 5 });
    deepEqual(keysOf(after.dead).sort(), Object.keys(unreadable).sort());
    equal((await good.refresh()).state, "completed");
  });

  test("shares nothing with other dockets", async (stage) => {
    const docket = await stage.connect();
    const other = await stage.connect({ name: `${stage.name}.b` });
    await other.add("nobody", { delay: "1h" })();

    deepEqual((await docket.snapshot()).counts, NOTHING);
  });

  test("refuses a limit that is none", async (stage) => {
    const docket = await stage.connect();

    for (const limit of [0, -1, 1.5, NaN, Infinity, "5"]) {
      await rejects(docket.snapshot({ limit: limit as number }), RangeError, String(limit));
    }
    await rejects(docket.snapshot({ limits: 5 } as never), TypeError);
  });

  test("gives up when its signal says so", async (stage) => {
    const docket = await stage.connect();
    const reason = new Error("no time");

    await rejects(docket.snapshot({ signal: AbortSignal.abort(reason) }), reason);
  });
});

const MANY = 50_000;

/** A docket with so many tasks that are scheduled, the last to be added due first. */
async function crowd(stage: Stage): Promise<AsyncDisposable> {
  const { name, url, clock } = stage;
  const docket = await Docket.connect({ name, url, clock });
  const start = clock.now() + HOUR;
  const calls = Array.from(
    { length: MANY },
    (_, n) => docket.call("nobody", { key: `k${n}`, when: start - n })(n),
  );
  const executions = await docket.addAll(calls);
  equal(executions.filter(({ disposition }) => disposition === "scheduled").length, MANY);
  return {
    async [Symbol.asyncDispose]() {
      equal(await docket.clear(), MANY);
      await docket.close();
    },
  };
}

const soonest = (count: number) => Array.from({ length: count }, (_, n) => `k${MANY - 1 - n}`);

onMemory("Docket.snapshot() of 50,000 tasks", (test) => {
  test("counts all, and gives no more than the limit", async (stage) => {
    await using _crowd = await crowd(stage);
    const storage = await stage.open();
    const asked: string[] = [];
    const limits: number[] = [];
    const docket = await stage.connect({
      storage: altered(storage, {
        survey(limit, options) {
          asked.push("survey");
          limits.push(limit);
          return storage.survey(limit, options);
        },
        parked(which, limit, options) {
          asked.push(which);
          limits.push(limit);
          return storage.parked(which, limit, options);
        },
        load: () => Promise.reject(new Error("it was asked for one task after the other")),
      }),
    });

    const some = await docket.snapshot({ limit: 3 });
    const many = await docket.snapshot();

    deepEqual([some.counts, many.counts], [{ ...NOTHING, scheduled: MANY }, some.counts]);
    deepEqual(keysOf(some.scheduled), soonest(3));
    deepEqual(keysOf(many.scheduled), soonest(1_000));
    deepEqual(asked, ["survey", "dead", "survey", "dead"]);
    deepEqual(limits, [3, 3, 1_000, 1_000]);
  });
});

onOwnRedis("Docket.snapshot() of 50,000 tasks", (test) => {
  /** How many calls the server was sent, and how many bytes it answered. */
  async function costOf(
    { admin }: OwnRedisStage,
    work: () => Promise<unknown>,
  ): Promise<{ calls: number; bytes: number }> {
    await admin.config("RESETSTAT");
    await work();
    const stats = await admin.info("commandstats");
    const scripts = [...stats.matchAll(/^cmdstat_(?:eval|evalsha|fcall):calls=(\d+)/gm)];
    const output = /^total_net_output_bytes:(\d+)/m.exec(await admin.info("stats"));
    return {
      calls: scripts.reduce((sum, [, calls]) => sum + Number(calls), 0),
      bytes: Number(output![1]) - Buffer.byteLength(stats),
    };
  }

  test("counts all, and gives and costs no more than the limit", async (stage) => {
    await using _crowd = await crowd(stage);
    const docket = await stage.connect();
    await docket.snapshot({ limit: 1 }); // its scripts are known to the server now
    let some: Snapshot | undefined;
    let many: Snapshot | undefined;

    const cheap = await costOf(stage, async () => some = await docket.snapshot({ limit: 3 }));
    const dear = await costOf(stage, async () => many = await docket.snapshot());

    deepEqual([some!.counts, many!.counts], [{ ...NOTHING, scheduled: MANY }, some!.counts]);
    deepEqual(keysOf(some!.scheduled), soonest(3));
    deepEqual(keysOf(many!.scheduled), soonest(1_000));
    ok(cheap.calls <= 5 && dear.calls <= 20, `${cheap.calls} and ${dear.calls} calls`);
    ok(cheap.bytes < 10_000 && dear.bytes < 1_000_000, `${cheap.bytes} and ${dear.bytes} bytes`);
  });
});

onEveryStorage("An execution from a snapshot", (test) => {
  test("can be followed to its end by those who have none of its tasks", async (stage) => {
    const docket = await stage.connect();
    const echo = task("echo", (_context, text: string): string => text);
    await docket.add(echo, { delay: 20 })("hello");
    const operator = await stage.connect();

    const { scheduled: [execution] } = await operator.snapshot();
    stage.start(docket);

    equal(await stage.soon(execution.result()), "hello");
    deepEqual([execution.state, execution.task, execution.args], ["completed", "echo", ["hello"]]);
  });
});

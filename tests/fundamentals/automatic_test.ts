/**
 * Automatic tasks: they start with the worker, and workers keep them going (invariant 49).
 *
 * @module
 */

import {
  deepStrictEqual as deepEqual,
  ok,
  rejects,
  strictEqual as equal,
  throws,
} from "node:assert/strict";
import { randomId } from "../../src/base/ids.ts";
import { type Claim, NEW, type Settlement, type Storage } from "../../src/storage/contract.ts";
import { type Docket, type DocketOptions, Perpetual, Retry, task } from "../../mod.ts";
import { aborted, altered, onEveryStorage, onMemory, type Stage } from "../_harness.ts";

/** A docket without anything on it. */
const NOTHING = { scheduled: 0, queued: 0, running: 0, waiting: 0, dead: 0 };

/** A chain that runs once within a test. */
const SELDOM = { every: "1h", automatic: true } as const;

/** A docket whose workers look after its automatic tasks often. */
interface Attended {
  readonly docket: Docket;
  /** Below the docket. */
  readonly storage: Storage;
  /** How often they have looked, where there was anything to look after. */
  readonly looks: () => number;
  /** Resolves when they have looked again, more than once. */
  readonly looked: () => Promise<void>;
}

/** Connects. */
async function attend(stage: Stage, options: DocketOptions = {}): Promise<Attended> {
  const storage = await stage.open();
  let looks = 0;
  const counting = altered(storage, {
    async seed(...call) {
      const seedings = await storage.seed(...call);
      looks++;
      return seedings;
    },
  });
  const docket = await stage.connect({ storage: counting, heartbeatInterval: 10, ...options });
  return {
    docket,
    storage,
    looks: () => looks,
    async looked() {
      const from = looks;
      await stage.eventually(() => looks >= from + 3);
    },
  };
}

/** Waits until a chain has nothing but its next run, an hour away. */
async function rests(stage: Stage, docket: Docket): Promise<void> {
  await stage.eventually(async () => {
    const { counts } = await docket.snapshot();
    return counts.scheduled === 1 && counts.queued + counts.running === 0;
  });
}

/** A worker of another make: it claims what is queued, and settles it in any way. */
async function stranger(storage: Storage): Promise<{
  claim: () => Promise<Claim>;
  settle: (claim: Claim, settlement: Settlement) => Promise<void>;
}> {
  const consumer = `stranger~${randomId()}`;
  const rest = { consumer, lane: 0, maxDeliveries: 9, from: NEW };
  let call = 0;
  return await Promise.resolve({
    async claim() {
      const step = { ...rest, call: ++call, token: randomId(), commits: [], want: 1 };
      const { claims: [claim] } = await storage.step(step);
      return claim;
    },
    async settle({ key, token }, settlement) {
      const commits = [{ key, token, settlement }];
      await storage.step({ ...rest, call: ++call, token: randomId(), commits, want: 0 });
      equal(await storage.retire(consumer), true);
    },
  });
}

onEveryStorage("An automatic task", (test) => {
  test("starts with the worker under its own name, and goes on", async (stage) => {
    const { docket } = await attend(stage);
    const keys: string[] = [];
    const tick = task("tick", { perpetual: new Perpetual({ every: 1, automatic: true }) }, (
      { key },
      greeting = "hello",
    ): void => {
      keys.push(`${greeting} ${key}`);
    });
    docket.register(tick);

    stage.start(docket);
    await stage.eventually(() => keys.length >= 3);

    deepEqual(keys.slice(0, 3), ["hello tick", "hello tick", "hello tick"]);
    equal((await docket.execution("tick"))!.task, "tick");
  });

  test("has its name as key also when it is added without one", async (stage) => {
    const { docket } = await attend(stage);
    const tick = task("tick", { perpetual: new Perpetual(SELDOM) }, (): void => {});

    const first = await docket.add(tick)();
    const again = await docket.add("tick")();
    const [planned] = await docket.addAll([docket.call(tick)()]);

    deepEqual([first, again, planned].map(({ key }) => key), ["tick", "tick", "tick"]);
    deepEqual([first, again, planned].map(({ disposition }) => disposition), [
      "scheduled",
      "exists",
      "exists",
    ]);
  });

  test("starts although its worker runs already when it is registered", async (stage) => {
    const { docket } = await attend(stage);
    let runs = 0;
    stage.start(docket);
    await stage.eventually(async () => (await docket.workers()).length === 1);

    docket.register(task("tick", { perpetual: new Perpetual(SELDOM) }, (): void => void runs++));

    await stage.eventually(() => runs === 1);
  });

  // 49: also where its worker has just begun to look what there is
  test("starts when it is registered in the very turn in which its worker starts", async (stage) => {
    const docket = await stage.connect();
    let runs = 0;
    const tick = task("tick", { perpetual: new Perpetual(SELDOM) }, (): void => void runs++);

    stage.start(docket);
    docket.register(tick);

    await stage.eventually(() => runs === 1);
  });

  test("starts when it is added under another key in the very turn in which its worker starts", async (stage) => {
    const docket = await stage.connect();
    const seen: string[] = [];
    const tick = task(
      "tick",
      { perpetual: new Perpetual(SELDOM) },
      ({ key }): void => void seen.push(key),
    );

    stage.start(docket);
    await docket.add(tick, { key: "mine", delay: "1h" })();

    await stage.eventually(() => seen.length === 1);
    deepEqual(seen, ["tick"]);
  });

  test("is one chain beside others", async (stage) => {
    const { docket } = await attend(stage);
    const seen = new Set<string>();
    const automatic = new Perpetual(SELDOM);
    for (const name of ["a", "b"]) {
      docket.register(task(name, { automatic }, ({ key }): void => void seen.add(key)));
    }
    docket.register(
      task("c", { perpetual: new Perpetual() }, ({ key }): void => void seen.add(key)),
    );
    docket.register(task("d", ({ key }): void => void seen.add(key)));

    const worker = stage.worker(docket);
    await stage.soon(worker.runUntilFinished());

    deepEqual([...seen].sort(), ["a", "b"]);
    deepEqual((await docket.snapshot()).counts, { ...NOTHING, scheduled: 2 });
  });

  // 49: seeding a live chain is a no-op
  test("is seeded once by five workers, and never over its next run", async (stage) => {
    let runs = 0;
    const tick = task("tick", { perpetual: new Perpetual(SELDOM) }, (): void => void runs++);
    const all = await Promise.all([1, 2, 3, 4, 5].map(() => attend(stage, { tasks: tick })));
    const [{ docket, storage }] = all;

    for (const { docket } of all) stage.start(docket);
    await rests(stage, docket);
    const before = await storage.load(["tick"]);
    await Promise.all(all.map(({ looked }) => looked()));

    deepEqual(await storage.load(["tick"]), before);
    deepEqual((await docket.snapshot()).counts, { ...NOTHING, scheduled: 1 });
    equal(runs, 1);
  });

  test("is seeded once by five workers of one docket", async (stage) => {
    const { docket, looked } = await attend(stage);
    let runs = 0;
    docket.register(task("tick", { perpetual: new Perpetual(SELDOM) }, (): void => void runs++));

    for (let n = 0; n < 5; n++) stage.start(docket);
    await rests(stage, docket);
    await looked();

    deepEqual((await docket.snapshot()).counts, { ...NOTHING, scheduled: 1 });
    equal(runs, 1);
  });

  // 49
  test("is left as somebody scheduled it", async (stage) => {
    const { docket, looked } = await attend(stage);
    let runs = 0;
    const tick = task("tick", { perpetual: new Perpetual(SELDOM) }, (_, n = 0): void => {
      runs += n;
    });
    const added = await docket.add(tick, { key: "tick", delay: "1h" })(7);

    stage.start(docket);
    await looked();

    deepEqual([(await added.refresh()).state, added.args], ["scheduled", [7]]);
    equal(runs, 0);
  });

  // 49: a severed chain heals while workers live
  test("comes back when it was cleared away", async (stage) => {
    const { docket } = await attend(stage);
    let runs = 0;
    docket.register(task("tick", { perpetual: new Perpetual(SELDOM) }, (): void => void runs++));
    stage.start(docket);
    for (let round = 1; round <= 3; round++) {
      await stage.eventually(() => runs === round);
      await rests(stage, docket);

      equal(await docket.clear(), 1);
    }

    await stage.eventually(() => runs === 4);
  });

  // 49: such as by an older version of the program, in which it is not perpetual yet
  for (const kind of ["completed", "failed"] as const) {
    test(`comes back when a run ${kind} and left no next one`, async (stage) => {
      const { docket, storage, looked } = await attend(stage);
      let runs = 0;
      const tick = task("tick", { perpetual: new Perpetual(SELDOM) }, (): void => void runs++);
      await docket.add(tick, { key: "tick" })();
      const { claim, settle } = await stranger(storage);
      const claimed = await claim();
      stage.start(docket);
      await looked();
      equal(runs, 0);

      await settle(claimed, { kind, text: "", ttl: 1_000 });

      await stage.eventually(() => runs === 1);
      await rests(stage, docket);
    });
  }

  // 48: what somebody ended on purpose stays so
  test("stays dead when it was cancelled between two runs", async (stage) => {
    const { docket, looked } = await attend(stage);
    const later = await attend(stage);
    const forgetful = await stage.connect({ executionTtl: 30 });
    let runs = 0;
    const tick = task("tick", { perpetual: new Perpetual(SELDOM) }, (): void => void runs++);
    docket.register(tick);
    later.docket.register(tick);
    stage.start(docket);
    await rests(stage, docket);

    equal(await forgetful.cancel("tick"), "cancelled");
    await looked();
    await stage.eventually(async () => await docket.execution("tick") === undefined); // its record has expired
    stage.start(later.docket);
    await Promise.all([looked(), later.looked()]);

    deepEqual((await docket.snapshot()).counts, NOTHING);
    equal(runs, 1);
  });

  test("stays dead when the run that waits is cancelled by its handle", async (stage) => {
    const { docket, looked } = await attend(stage);
    let runs = 0;
    docket.register(task("tick", { perpetual: new Perpetual(SELDOM) }, (): void => void runs++));
    stage.start(docket);
    await rests(stage, docket);

    const next = await docket.execution("tick");
    equal(await next!.cancel(), "cancelled");
    await looked();

    deepEqual((await docket.snapshot()).counts, NOTHING);
    equal(runs, 1);
  });

  // 48, 49: workers look while the cancelled run is still about to end
  for (const answer of ["stops", "throws", "returns"] as const) {
    test(`stays dead when it was cancelled during a run that ${answer}`, async (stage) => {
      const { docket, looked } = await attend(stage);
      const started = Promise.withResolvers<void>();
      const release = Promise.withResolvers<void>();
      stage.afterwards(() => release.resolve());
      let runs = 0;
      docket.register(
        task(
          "tick",
          { perpetual: new Perpetual(SELDOM), retry: Retry.forever() },
          async ({ signal }): Promise<void> => {
            if (++runs > 1) return;
            started.resolve();
            await aborted(signal);
            await release.promise;
            if (answer === "stops") signal.throwIfAborted();
            if (answer === "throws") throw new Error("whoops");
          },
        ),
      );
      stage.start(docket);
      await stage.soon(started.promise);

      equal(await docket.cancel("tick"), "requested");
      await looked();
      release.resolve();
      await stage.eventually(async () => (await docket.snapshot()).counts.running === 0);
      await looked();

      deepEqual((await docket.snapshot()).counts, NOTHING);
      equal(runs, 1);
    });
  }

  test("stays dead when a run ended it", async (stage) => {
    const { docket, looked } = await attend(stage);
    const later = await attend(stage);
    let runs = 0;
    const tick = task(
      "tick",
      { perpetual: new Perpetual({ automatic: true }) },
      ({ perpetual }): void => {
        if (++runs === 2) perpetual.cancel();
      },
    );
    docket.register(tick);
    later.docket.register(tick);
    stage.start(docket);
    await stage.eventually(() => runs === 2);

    await looked();
    stage.start(later.docket);
    await Promise.all([looked(), later.looked()]);

    deepEqual((await docket.snapshot()).counts, NOTHING);
    equal(runs, 2);
  });

  test("stays dead when it failed and is to stop then", async (stage) => {
    const { docket, looked } = await attend(stage);
    let runs = 0;
    const perpetual = new Perpetual({ automatic: true, onExhausted: "stop" });
    docket.register(
      task("tick", { perpetual, retry: new Retry({ attempts: 2 }) }, (): void => {
        runs++;
        throw new Error("whoops");
      }),
    );

    stage.start(docket);
    await stage.eventually(() => runs === 2);
    await looked();

    deepEqual((await docket.snapshot()).counts, NOTHING);
    equal(runs, 2);
  });

  // 48: nothing is there to cancel, and yet somebody wants no more of it
  test("stays dead when it was cancelled after it was cleared away", async (stage) => {
    const { docket, looked } = await attend(stage);
    let runs = 0;
    docket.register(task("tick", { perpetual: new Perpetual(SELDOM) }, (): void => void runs++));
    const worker = stage.start(docket);
    await rests(stage, docket);
    await stage.soon(worker.close());
    equal(await docket.clear(), 1);

    equal(await docket.cancel("tick"), "none");
    stage.start(docket);
    await looked();

    deepEqual((await docket.snapshot()).counts, NOTHING);
    equal(runs, 1);
  });

  test("is brought back to life by an add, and heals again from then on", async (stage) => {
    const { docket, looked } = await attend(stage);
    let runs = 0;
    const tick = task("tick", { perpetual: new Perpetual(SELDOM) }, (): void => void runs++);
    docket.register(tick);
    stage.start(docket);
    await rests(stage, docket);
    await docket.cancel("tick");
    await looked();

    const added = await docket.add(tick, { key: "tick" })();
    await stage.soon(added.result());
    await looked();
    const cleared = await docket.clear();
    await stage.eventually(() => runs === 3);

    equal(added.disposition, "scheduled");
    equal(cleared, 1);
  });

  // 48
  test("goes on as what replaced it during its last run", async (stage) => {
    const { docket, looked } = await attend(stage);
    const seen: string[] = [];
    const tick = task(
      "tick",
      { perpetual: new Perpetual(SELDOM) },
      async ({ perpetual }, text = "old"): Promise<void> => {
        seen.push(text);
        if (seen.length > 1) return;
        perpetual.cancel();
        await docket.replace(tick, { key: "tick" })("new");
      },
    );
    docket.register(tick);

    stage.start(docket);
    await stage.eventually(() => seen.length === 2);
    await rests(stage, docket);
    await looked();
    await docket.clear();
    await stage.eventually(() => seen.length === 3);

    deepEqual(seen, ["old", "new", "old"]);
  });

  // 49: a person looks at what is parked first
  test("is never seeded over one that is parked, until that is retried", async (stage) => {
    const { docket, storage, looked } = await attend(stage);
    let runs = 0;
    const tick = task("tick", { perpetual: new Perpetual(SELDOM) }, (): void => void runs++);
    await docket.add(tick, { key: "tick" })();
    const { claim, settle } = await stranger(storage);
    await settle(await claim(), { kind: "dead", text: "" });

    stage.start(docket);
    await looked();
    const { counts } = await docket.snapshot();
    const before = runs;
    const [parked] = await docket.dead();
    await parked.retry();
    await stage.eventually(() => runs === 1);
    await rests(stage, docket);

    deepEqual(counts, { ...NOTHING, dead: 1 });
    equal(before, 0);
    deepEqual((await docket.snapshot()).counts, { ...NOTHING, scheduled: 1 });
  });

  test("is not started by a worker that is told so, but is run by it", async (stage) => {
    const { docket, looks } = await attend(stage);
    let runs = 0;
    const tick = task("tick", { perpetual: new Perpetual(SELDOM) }, (): void => void runs++);
    docket.register(tick);
    const setup = { scheduleAutomaticTasks: false };

    await stage.finish(docket, setup);
    const before = runs;
    await docket.add(tick, { key: "tick" })();
    await stage.finish(docket, setup);

    equal(before, 0);
    equal(runs, 1);
    equal(looks(), 0);
    deepEqual((await docket.snapshot()).counts, { ...NOTHING, scheduled: 1 });
  });

  // 56: nothing is scheduled before the strikes are loaded
  test("is not seeded while it is struck, and is once it is restored", async (stage) => {
    const { docket, looked } = await attend(stage);
    const seen: string[] = [];
    const perpetual = new Perpetual(SELDOM);
    const tick = task("tick", { perpetual }, ({ key }): void => void seen.push(key));
    const other = task("other", { perpetual }, ({ key }): void => void seen.push(key));
    docket.register([tick, other]);
    await docket.strike({ task: "tick" });

    stage.start(docket, { redeliveryTimeout: 200 });
    await stage.eventually(() => seen.length === 1);
    await looked();
    const found = await docket.execution("tick");
    await docket.restore({ task: "tick" });
    await stage.eventually(() => seen.length === 2);

    equal(found, undefined);
    deepEqual(seen, ["other", "tick"]);
  });

  // 56: an idle worker claims nothing that could tell it; nor does it look after leases before long
  test("is seeded by an idle worker once somebody else has restored it", async (stage) => {
    const storage = await stage.open();
    const docket = await stage.connect({ heartbeatInterval: 10 });
    const operator = await stage.connect();
    let runs = 0;
    docket.register(task("tick", { perpetual: new Perpetual(SELDOM) }, (): void => void runs++));
    await operator.strike({ task: "tick" });
    stage.start(docket, { redeliveryTimeout: "1000h" });
    await stage.eventually(async () => (await docket.workers()).length === 1);
    await stage.advance(50); // it has looked, and rests
    const before = await storage.count();

    await operator.restore({ task: "tick" });

    await stage.eventually(() => runs === 1);
    equal(before, 0);
  });

  test("is refused where it is declared when it takes arguments", () => {
    const perpetual = new Perpetual({ automatic: true });

    throws(
      () => task("tick", { perpetual }, (_, _n: number): void => {}),
      (error: Error) => error instanceof TypeError && error.message.includes('"tick"'),
    );
    ok(task("tick", { perpetual }, (_, _n = 1): void => {}));
    ok(task("tick", { perpetual }, (_, ..._n: number[]): void => {}));
    return Promise.resolve();
  });

  // 40, 49: what kills its worker each time is parked, and stays so
  test("is not seeded again when it was handed out too often", async (stage) => {
    const { docket, storage, looked } = await attend(stage);
    let runs = 0;
    const tick = task("tick", { perpetual: new Perpetual(SELDOM) }, (): void => void runs++);
    const execution = await docket.add(tick, { key: "tick" })();
    const { claim } = await stranger(storage);
    const { consumer } = await claim();

    stage.start(docket, { redeliveryTimeout: 50, maxDeliveries: 1 });
    await stage.soon(rejects(execution.result(), { code: "EXECUTION_FAILED" }));
    await looked();

    deepEqual((await docket.snapshot()).counts, { ...NOTHING, dead: 1 });
    equal(runs, 0);
    equal(await storage.retire(consumer!), true);
  });
});

onMemory("An automatic task", (test) => {
  test("comes back within a heartbeat, which is two seconds", async (stage) => {
    const docket = await stage.connect();
    const starts: number[] = [];
    const begin = stage.clock.now();
    const perpetual = new Perpetual(SELDOM);
    docket.register(task("tick", { perpetual }, (): void => {
      starts.push(stage.clock.now() - begin);
    }));
    stage.start(docket);
    await stage.advance(1_000);

    await docket.clear();
    await stage.advance(10_000);

    deepEqual(starts, [0, 2_000]);
  });

  test("comes within two heartbeats after it was restored", async (stage) => {
    const docket = await stage.connect();
    const operator = await stage.connect();
    const starts: number[] = [];
    const perpetual = new Perpetual(SELDOM);
    docket.register(
      task("tick", { perpetual }, (): void => void starts.push(stage.clock.now())),
    );
    await operator.strike({ task: "tick" });
    stage.start(docket, { redeliveryTimeout: "1h" });
    await stage.advance(601_000);

    await operator.restore({ task: "tick" });
    const restored = stage.clock.now();
    await stage.advance(10_000);

    equal(starts.length, 1);
    ok(starts[0] - restored <= 4_000, `${starts[0] - restored}`);
  });

  test("is left to others by a worker that is told so, for ever", async (stage) => {
    const docket = await stage.connect();
    let runs = 0;
    docket.register(task("tick", { perpetual: new Perpetual(SELDOM) }, (): void => void runs++));

    stage.start(docket, { scheduleAutomaticTasks: false });
    await stage.advance(600_000);

    equal(runs, 0);
    deepEqual((await docket.snapshot()).counts, NOTHING);
  });
});

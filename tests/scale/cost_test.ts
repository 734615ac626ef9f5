/**
 * What a task costs Redis, counted and not timed: a regression shows on any machine.
 *
 * @module
 */

import { ok, strictEqual as equal } from "node:assert/strict";
import type { Redis } from "ioredis";
import { type Docket, Retry, task } from "../../mod.ts";
import { NEW } from "../../src/storage/contract.ts";
import { onOwnRedis, type OwnRedisStage } from "../_harness.ts";

const TASKS = 10_000;

onOwnRedis("A task costs", (test) => {
  test("few commands, round trips and bytes where many are added at once", async (stage) => {
    const docket = await stage.connect();
    const cost = await costOf(stage, TASKS, () => addMany(docket));
    within(cost, { commands: 1.1, trips: 0.002, received: 190, sent: 0.5 });
  });

  test("one round trip where each is awaited", async (stage) => {
    const count = 1_000;
    const docket = await stage.connect();
    await docket.add("welcome")(customer(0)); // it knows the script from here on
    const cost = await costOf(stage, count, async () => {
      for (let n = 1; n <= count; n++) await docket.add("welcome")(customer(n));
    });
    within(cost, { commands: 7.1, trips: 1, received: 315, sent: 12 });
  });

  test("few where each is awaited, and hundreds are under way", async (stage) => {
    const docket = await stage.connect();
    const cost = await costOf(stage, TASKS, async () => {
      let next = 0;
      const addSome = async () => {
        while (next++ < TASKS) await docket.add("welcome")(customer(next));
      };
      await Promise.all(Array.from({ length: 500 }, addSome));
    });
    within(cost, { commands: 1.15, trips: 0.012, received: 172, sent: 0.6 });
  });

  for (
    const [concurrency, limit] of [
      [100, { commands: 1.4, trips: 0.024, received: 112, sent: 260 }],
      [10, { commands: 3.4, trips: 0.225, received: 182, sent: 270 }],
      [1, { commands: 13.5, trips: 1.05, received: 490, sent: 300 }],
    ] as const
  ) {
    test(`few where they are drained, at concurrency ${concurrency}`, async (stage) => {
      within(await costOfDraining(stage, { concurrency }), limit);
    });
  }

  // The general way, where each is told of: a command for all of them, in each step.
  test("not many more where somebody watches", async (stage) => {
    const watching = await stage.connect();
    const execution = await watching.add("never", { when: Date.now() + 3_600_000 })();
    const events = execution.events();
    const first = await events[Symbol.asyncIterator]().next(); // it listens from here on

    const cost = await costOfDraining(stage, { concurrency: 100 });

    equal(first.done, false);
    await execution.cancel();
    within(cost, { commands: 1.4, trips: 0.024, received: 112, sent: 510 });
  });

  test("not many more where some fail, and some are tried again", async (stage) => {
    const cost = await costOfDraining(stage, { concurrency: 100, fails: true });
    within(cost, { commands: 1.75, trips: 0.027, received: 158, sent: 290 });
  });

  test("nothing where there is none: a step that finds nothing", async (stage) => {
    const storage = await stage.open();
    const step = (call: number) =>
      storage.step({
        consumer: "idle",
        lane: 0,
        call,
        token: "t".repeat(22),
        commits: [],
        want: 100,
        from: NEW,
        maxDeliveries: 5,
      });
    await step(1); // opens the lane, and tidies up
    const count = 100;
    const cost = await costOf(stage, count, async () => {
      for (let n = 1; n <= count; n++) await step(n + 1);
    });
    within(cost, { commands: 5, trips: 1, received: 280, sent: 51 });
    await storage.retire("idle");
  });
});

function customer(customerId: number) {
  return { customerId, name: "Jane" };
}

async function addMany(docket: Docket): Promise<void> {
  const calls = Array.from({ length: TASKS }, (_, i) => docket.call("welcome")(customer(i)));
  await docket.addAll(calls);
}

/** What one task costs. */
interface Cost {
  /** Those in scripts included. */
  readonly commands: number;
  /** Calls that a client waits for. */
  readonly trips: number;
  /** Bytes that the server is sent. */
  readonly received: number;
  /** Bytes that the server answers. */
  readonly sent: number;
}

/** What it costs to run so many tasks that are there already. */
async function costOfDraining(
  stage: OwnRedisStage,
  { concurrency, fails = false }: { readonly concurrency: number; readonly fails?: boolean },
): Promise<Cost> {
  const docket = await stage.connect();
  await addMany(docket);
  let left = TASKS;
  const drained = Promise.withResolvers<void>();
  const end = () => void (--left === 0 && drained.resolve());
  const welcome = task(
    "welcome",
    { retry: new Retry({ attempts: 2 }) },
    ({ execution }, { customerId }: { readonly customerId: number }): void => {
      const badly = fails && customerId % 20;
      if (badly === 1 || badly === 2 && execution.attempt === 1) {
        if (execution.attempt === 2) end();
        throw new Error("on purpose");
      }
      end();
    },
  );
  docket.register({ welcome });
  return await costOf(stage, TASKS, async () => {
    stage.start(docket, { concurrency });
    await drained.promise;
  });
}

/** What each of so many tasks costs. */
async function costOf(
  { admin }: OwnRedisStage,
  count: number,
  work: () => Promise<unknown>,
): Promise<Cost> {
  const before = await read(admin);
  await work();
  const after = await read(admin);
  const each = (what: keyof Cost) => (after[what] - before[what]) / count;
  return {
    commands: each("commands"),
    trips: each("trips"),
    received: each("received"),
    sent: each("sent"),
  };
}

async function read(admin: Redis): Promise<Cost> {
  const [commands, stats] = [await admin.info("commandstats"), await admin.info("stats")];
  const one = (text: string, name: string) =>
    Number(new RegExp(`^${name}:(\\d+)`, "m").exec(text)?.[1]);
  const calls = [...commands.matchAll(/^cmdstat_(.+?):calls=(\d+)/gm)];
  const sum = (which: (name: string) => boolean) =>
    calls.filter(([, name]) => which(name)).reduce(
      (total, [, , count]) => total + Number(count),
      0,
    );
  return {
    commands: sum((name) => name !== "info"),
    trips: sum((name) => /^evalsha|^eval$/.test(name)),
    received: one(stats, "total_net_input_bytes"),
    sent: one(stats, "total_net_output_bytes"),
  };
}

function within(cost: Cost, limits: Cost): void {
  for (const [what, limit] of Object.entries(limits)) {
    ok(
      cost[what as keyof Cost] <= limit,
      `${JSON.stringify(cost)} is more than ${JSON.stringify(limits)}`,
    );
  }
}

/**
 * What a task costs Redis, counted and not timed: a regression shows on any machine.
 *
 * @module
 */

import { ok } from "node:assert/strict";
import type { Redis } from "ioredis";
import type { Docket } from "../../mod.ts";
import { onOwnRedis, type OwnRedisStage } from "../_harness.ts";

const TASKS = 10_000;

onOwnRedis("A task costs", (test) => {
  test("few commands, round trips and bytes where many are added at once", async (stage) => {
    const docket = await stage.connect();
    const cost = await costOf(stage, () => addMany(docket));
    within(cost, { commands: 1.1, trips: 0.01, received: 190, sent: 12 });
  });

  test("few where each is awaited, and hundreds are under way", async (stage) => {
    const docket = await stage.connect();
    const cost = await costOf(stage, async () => {
      let next = 0;
      const addSome = async () => {
        while (next++ < TASKS) await docket.add("welcome")(customer(next));
      };
      await Promise.all(Array.from({ length: 500 }, addSome));
    });
    within(cost, { commands: 1.2, trips: 0.02, received: 175, sent: 15 });
  });

  test("few where they are drained, at concurrency 100 and at 10", async (stage) => {
    const limits = {
      100: { commands: 1.5, trips: 0.03, received: 130, sent: 260 },
      10: { commands: 3.6, trips: 0.25, received: 365, sent: 280 },
    };
    for (const [concurrency, limit] of Object.entries(limits)) {
      const docket = await stage.connect({ name: `${stage.name}.${concurrency}` });
      await addMany(docket);
      let left = TASKS;
      const drained = Promise.withResolvers<void>();
      docket.register({ welcome: () => --left === 0 && drained.resolve() });
      const cost = await costOf(stage, async () => {
        stage.start(docket, { concurrency: Number(concurrency) });
        await drained.promise;
      });
      within(cost, limit);
    }
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

async function costOf({ admin }: OwnRedisStage, work: () => Promise<unknown>): Promise<Cost> {
  const before = await read(admin);
  await work();
  const after = await read(admin);
  return Object.fromEntries(
    Object.entries(after).map((
      [what, count],
    ) => [what, (count - before[what as keyof Cost]) / TASKS]),
  ) as unknown as Cost;
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

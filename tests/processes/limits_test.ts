/**
 * Limits hold while workers are killed and frozen: invariants 59 and 60.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import type { Happening } from "./_journal.ts";
import { type Child, LEASE, processTest, select } from "./_scene.ts";
import type { Tasks } from "./_tasks.ts";

const TASKS = 2_000;
const CUSTOMERS = 20;
const WORKERS = 4;
const BLOWS = 8;
const PAUSE = 250;

/** How many of a customer's tasks may run at once: the first ten customers have the one limit, the others the other. */
function limitOf(customer: number): number {
  return customer < CUSTOMERS / 2 ? 1 : 3;
}

processTest(
  "ConcurrencyLimit: no limit is exceeded and nothing is lost while workers are killed and frozen",
  async (scene) => {
    const executions = await scene.docket.addAll(
      Array.from({ length: TASKS }, (_, i) => {
        const customer = i % CUSTOMERS;
        const name = limitOf(customer) === 1 ? "one" : "three";
        const options = { key: `${customer}:${i}` };
        return scene.docket.call<Tasks["one"]>(name as "one", options)(customer, 1 + i % 5);
      }),
    );
    const setup = { concurrency: 10, maxDeliveries: BLOWS + 1, redeliveryTimeout: 2 * LEASE };
    let started = 0;
    const launch = () => scene.launch(`worker ${started++}`, setup);

    const workers: Child[] = Array.from({ length: WORKERS }, launch);
    await scene.happened("started");
    // From then on all are in line, and it is known who comes when.
    while ((await scene.docket.snapshot()).counts.queued > 0) await pause(5);
    await scene.all("started");
    const arrived = scene.happenings.length;
    for (let blow = 0; blow < BLOWS; blow++) {
      await pause(PAUSE / 2 + Math.random() * PAUSE);
      const victim = await scene.until("somebody works", (all) => pick(workers, all));
      if (blow % 4 === 3) {
        workers[victim].kill("SIGSTOP");
        await pause(4 * LEASE); // its lease is over, and others have its tasks
        workers[victim].kill("SIGCONT");
      } else {
        workers[victim].kill("SIGKILL");
        workers[victim] = launch();
      }
    }
    await Promise.all(executions.map((execution) => execution.result()));

    const happenings = [...await scene.all("started"), ...await scene.all("ended")];
    ok(happenings.length >= 2 * TASKS);
    deepEqual(exceeded(scene.happenings), []);
    const inLine = scene.happenings.slice(arrived);
    ok(select(inLine, "started").length > TASKS / 4);
    deepEqual(overtaken(inLine), []);
    const settled = await scene.all("settled", { kind: "completed", committed: true });
    equal(new Set(settled.map(({ key }) => key)).size, settled.length, "completed twice");
    equal((await scene.docket.snapshot()).counts.waiting, 0);
  },
);

/**
 * Customers of whom more ran than may, as the tasks themselves tell. A run whose worker died is there until another one has
 * taken it over and ended it; what a frozen worker still says of runs that it has lost does not count.
 */
function exceeded(happenings: readonly Happening[]): string[] {
  const inside = new Map<string, Map<string, number>>();
  const latest = new Map<string, number>();
  const owner = new Map<string, number>();
  const wrong: string[] = [];
  for (const { what, key = "", deliveries = 1, pid } of happenings) {
    const [customer] = key.split(":");
    const runs = inside.get(customer) ?? new Map<string, number>();
    inside.set(customer, runs);
    if (what === "started") {
      if ((latest.get(key) ?? 0) >= deliveries) continue; // it was frozen, and has lost it
      latest.set(key, deliveries);
      owner.set(key, pid);
      runs.set(key, pid);
      if (runs.size > limitOf(Number(customer))) wrong.push(`${customer}: ${[...runs.keys()]}`);
    } else if (what === "ended" && owner.get(key) === pid) {
      runs.delete(key);
    }
  }
  return wrong;
}

/**
 * Tasks of customers with a limit of one that began before another that was queued earlier. What was claimed again is where
 * its dead worker left it, and what a frozen worker begins late another has run by then.
 */
function overtaken(happenings: readonly Happening[]): string[] {
  const last = new Map<string, number>();
  const begun = new Set<string>();
  const wrong: string[] = [];
  for (const { key = "", deliveries } of select(happenings, "started")) {
    const [customer, task] = key.split(":").map(Number);
    const isLate = begun.has(key);
    begun.add(key);
    if (deliveries !== 1 || isLate || limitOf(customer) > 1) continue;
    const before = last.get(`${customer}`) ?? -1;
    if (task < before) wrong.push(`${customer}: ${task} after ${before}`);
    last.set(`${customer}`, task);
  }
  return wrong;
}

/** The index of a worker at random among those that have run something. */
function pick(workers: readonly Child[], happenings: readonly Happening[]): number | undefined {
  const working = [...workers.keys()]
    .filter((index) => select(happenings, "started", { pid: workers[index].pid }).length > 0);
  return working[Math.floor(Math.random() * working.length)];
}

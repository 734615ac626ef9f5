/**
 * Find and flood: a perpetual task looks for work, and floods the docket with a task for each piece it finds, for all the
 * workers to share. Keys keep a piece that is found twice from being done twice.
 *
 * @module
 */
import { deepStrictEqual as deepEqual } from "node:assert/strict";
import { Docket, Perpetual, task, Worker } from "@docket/docket";

// ── A shop ──────────────────────────────────────────────────────────────────────────────────────

const toShip = new Set([1, 2, 3]);
const shipped: number[] = [];

// ── Flood: one piece of work ────────────────────────────────────────────────────────────────────

const ship = task("ship", ({ key }, order: number): void => {
  if (!toShip.delete(order)) return; // done already: tasks run at least once
  shipped.push(order);
  console.log(`${key}: shipped`);
});

// ── Find: starts with the worker, and comes again and again ─────────────────────────────────────

const findOrders = task(
  "findOrders",
  { perpetual: new Perpetual({ every: "50ms", automatic: true }) },
  async ({ docket }): Promise<void> => {
    const found = [...toShip];
    const executions = await docket.addAll(
      // The delay stands for a queue: orders are found again before they are shipped.
      found.map((order) => docket.call(ship, { key: `ship-${order}`, delay: "80ms" })(order)),
    );
    const fresh = executions.filter(({ disposition }) => disposition === "scheduled");
    console.log(`found ${found.length} orders, ${fresh.length} of them new`);
    if (shipped.length === 0) toShip.add(4); // meanwhile, a customer orders
  },
);

await using docket = await Docket.connect({
  url: "memory://find-and-flood",
  tasks: [findOrders, ship],
});
await using worker = new Worker(docket);
await worker.runAtMost({ findOrders: 4 }); // it would go on for ever

deepEqual(shipped.sort(), [1, 2, 3, 4]); // each of them once
console.log(`shipped ${shipped.length} orders, each of them once`);

/**
 * One task at a time for each customer, over all workers; those of other customers run beside it. Who waits takes no
 * worker's room, and nobody polls.
 *
 * @module
 */
import { deepStrictEqual as deepEqual, strictEqual as equal } from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { ConcurrencyLimit, Docket, task, Worker } from "@docket/docket";

/** How many run: of one customer, and of all. */
const inside = { of: new Map<number, number>(), most: 0, all: 0, mostAtAll: 0 };
const order = new Map<number, string[]>();

const charge = task(
  "charge",
  { one: new ConcurrencyLimit({ max: 1, by: (customerId: number) => customerId }) },
  async (_context, customerId: number, what: string): Promise<void> => {
    const now = (inside.of.get(customerId) ?? 0) + 1;
    inside.of.set(customerId, now);
    inside.most = Math.max(inside.most, now);
    inside.mostAtAll = Math.max(inside.mostAtAll, ++inside.all);
    order.set(customerId, [...order.get(customerId) ?? [], what]);
    console.log(`customer ${customerId}: ${what}`);
    await pause(20);
    inside.of.set(customerId, now - 1);
    inside.all--;
  },
);

const customers = [12345, 67890];
const bills = ["rent", "power", "water", "phone"];

await using docket = await Docket.connect({ url: "memory://customer-limit", tasks: [charge] });
await docket.addAll(
  bills.flatMap((what) => customers.map((customer) => docket.call(charge)(customer, what))),
);

// Two workers, as if on two machines.
await using one = new Worker(docket, { name: "one", concurrency: 5 });
await using two = new Worker(docket, { name: "two", concurrency: 5 });
const running = Promise.all([one.runUntilFinished(), two.runUntilFinished()]);

await pause(10);
const { counts } = await docket.snapshot();
console.log(`running: ${counts.running}, waiting for their turn: ${counts.waiting}`);
await running;

console.log(`at once: ${inside.most} of one customer, ${inside.mostAtAll} in all`);
equal(inside.most, 1);
equal(inside.mostAtAll, 2);
for (const customer of customers) deepEqual(order.get(customer)?.toSorted(), bills.toSorted());

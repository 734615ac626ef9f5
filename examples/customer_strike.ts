/**
 * A strike skips all work for one customer, whatever the task, on every worker, until it is restored. Nothing is
 * redeployed.
 *
 * @module
 */
import { deepStrictEqual as deepEqual, strictEqual as equal } from "node:assert/strict";
import { Docket, ExecutionCancelledError, Worker } from "@docket/docket";

const done: string[] = [];

function sync(customerId: number): void {
  done.push(`sync ${customerId}`);
}

function invoice(month: string, customerId: number): void {
  done.push(`invoice ${customerId} for ${month}`);
}

const url = "memory://customer-strike";
await using docket = await Docket.connect({ url, tasks: [sync, invoice] });
const early = await docket.add(sync)(12345); // before anybody knew

// ── An operator, in a process of its own that knows no tasks ────────────────────────────────────

await using operator = await Docket.connect({ url });
const strike = { parameter: "customerId", value: 12345 };
await operator.strike(strike);
console.log("struck:", await operator.strikes());

// ── From now on: neither added nor run ──────────────────────────────────────────────────────────

const late = await docket.add(invoice)("May", 12345);
await docket.add(invoice)("May", 67890);
console.log(`an invoice for customer 12345: ${late.disposition}`);
equal(late.disposition, "struck");

await using worker = new Worker(docket);
await worker.runUntilFinished();
deepEqual(done, ["invoice 67890 for May"]);
try {
  await early.result();
} catch (error) {
  if (!(error instanceof ExecutionCancelledError)) throw error;
  console.log(`what was queued before it: cancelled, because it was ${error.reason}`);
  equal(error.reason, "struck");
}

// ── Restored: the next one runs. What was skipped stays skipped ─────────────────────────────────

await operator.restore(strike);
const again = await docket.add(invoice)("May", 12345);
equal(again.disposition, "scheduled");
await worker.runUntilFinished();
deepEqual(done, ["invoice 67890 for May", "invoice 12345 for May"]);
console.log(`after all: ${done.at(-1)}`);
deepEqual(await operator.strikes(), []);

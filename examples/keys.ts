/**
 * A key of your own makes work unique: it is there once, and can be replaced and cancelled.
 *
 * @module
 */
import { Docket, ExecutionCancelledError, Worker } from "@docket/docket";

function sendFollowUp(customerId: number, name: string): string {
  return `Dear ${name} (${customerId})`;
}

await using docket = await Docket.connect({ url: "memory://keys" });
const key = "follow-up-12345";
const delay = { hours: 24 };

// The first of two wins: the customer does not get two letters.
const first = await docket.add(sendFollowUp, { key, delay })(12345, "Jane Smith");
const second = await docket.add(sendFollowUp, { key, delay })(12345, "Somebody Else");
console.log(`first: ${first.disposition}, second: ${second.disposition}`);
console.log(`so it stays with ${second.args[1]}`);

// Replacing changes when it runs and what it is called with.
const replaced = await docket.replace(sendFollowUp, { key, delay: "50ms" })(12345, "Jane Q. Smith");
try {
  await first.result();
} catch (error) {
  if (!(error instanceof ExecutionCancelledError)) throw error;
  console.log(`the first one ended: ${error.reason}`);
}

await using worker = new Worker(docket);
await worker.runUntilFinished();
console.log(`the replacement ran: ${await replaced.result()}`);

// Once it has ended, the key is free again. What has not started yet can be cancelled outright.
const again = await docket.add(sendFollowUp, { key, delay })(12345, "Jane Q. Smith");
console.log(`again: ${again.disposition}, then ${await docket.cancel(key)}`);
console.log(`and once more: ${await docket.cancel(key)}`);

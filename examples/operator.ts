/**
 * An operator's view: what is on the docket, who is at work, what went wrong, and what to do about it.
 *
 * @module
 */
import { deepStrictEqual as deepEqual, strictEqual as equal } from "node:assert/strict";
import { Docket, Retry, task, Worker } from "@docket/docket";

// ── A program with some troubles ────────────────────────────────────────────────────────────────

let bankIsOpen = false;

const charge = task(
  "charge",
  { retry: new Retry({ attempts: 2 }) },
  (_context, order: number): string => {
    if (!bankIsOpen) throw new Error("The bank is closed");
    return `receipt for order ${order}`;
  },
);

function remind(customer: string): string {
  return `Dear ${customer}`;
}

const url = "memory://operator";
await using docket = await Docket.connect({ url, tasks: [charge, remind] });
for (const order of [1, 2]) await docket.add(charge, { key: `charge-${order}` })(order);
await docket.add(remind, { key: "remind-jane", delay: { days: 1 } })("Jane");
await docket.add("sendPostcard", { key: "postcard-jane" })("Jane"); // no worker knows it

const stop = new AbortController();
const options = { name: "till", unknownTaskTtl: 0 }; // by default it is held for a day
await using worker = new Worker(docket, options);
const working = worker.runForever({ signal: stop.signal });
for (const order of [1, 2]) {
  const execution = await docket.execution(`charge-${order}`);
  await execution?.result().catch((error: Error) => console.log(error.message));
}
const postcard = await docket.execution("postcard-jane");
await postcard?.result().catch((error: Error) => console.log(error.message));

// ── What is there, and who ──────────────────────────────────────────────────────────────────────

await using operator = await Docket.connect({ url }); // knows none of the tasks

const { counts, scheduled } = await operator.snapshot();
console.log("counts:", counts);
deepEqual(counts, { scheduled: 1, queued: 0, running: 0, waiting: 0, dead: 1 });
for (const { key, task, when } of scheduled) console.log(`${key} (${task}) for ${when}`);

for (const { name, concurrency, tasks } of await operator.workers()) {
  console.log(`${name} runs ${concurrency} at once and knows ${Object.keys(tasks).join(", ")}`);
}
equal((await operator.taskWorkers("charge")).length, 1);
equal((await operator.taskWorkers("sendPostcard")).length, 0);

// ── What failed, once more ──────────────────────────────────────────────────────────────────────

const failed = await operator.failed();
for (const { key, args, attempt, error } of failed) {
  console.log(`${key} with ${args} failed at attempt ${attempt}: ${error}`);
}
deepEqual(failed.map(({ key }) => key).sort(), ["charge-1", "charge-2"]);

bankIsOpen = true;
for (const execution of failed) {
  const again = await execution.retry();
  console.log(`${again.key}, once more: ${await again.result()}`);
}
deepEqual(await operator.failed(), []);

// ── What is dead: a new version knows the task ──────────────────────────────────────────────────

const [dead] = await operator.dead();
console.log(`${dead.key} is dead: ${dead.error}`);
docket.register({ sendPostcard: (to: string): string => `Greetings, ${to}` });
const sent = await dead.retry();
equal(await sent.result(), "Greetings, Jane");

// ── What waits, away with it ────────────────────────────────────────────────────────────────────

const cleared = await operator.clear();
const reminder = await operator.execution("remind-jane");
console.log(`cleared ${cleared}: ${reminder?.key} is ${reminder?.state}, ${reminder?.reason}`);
deepEqual([cleared, reminder?.reason], [1, "cleared"]);

stop.abort();
await working;

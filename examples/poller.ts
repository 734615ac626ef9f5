/**
 * A poller: a task that schedules itself until there is something to do. It uses its own key, so that there is one such
 * chain for each file, however often somebody starts it.
 *
 * @module
 */
import { deepStrictEqual as deepEqual, strictEqual as equal } from "node:assert/strict";
import { Docket, task, Worker } from "@docket/docket";

const files = new Map<string, string>();

const pollForChanges = task(
  "pollForChanges",
  async ({ docket, key }, file: string, round = 1): Promise<string | undefined> => {
    const content = files.get(file);
    if (content !== undefined) {
      console.log(`round ${round}: ${file} says ${JSON.stringify(content)}`);
      return content;
    }
    console.log(`round ${round}: no ${file} yet`);
    if (round === 3) files.set(file, "hello"); // somebody writes it, at last

    // While this one runs, its key is taken: the next takes its place as soon as it has ended.
    const next = await docket.replace(pollForChanges, { key, delay: "50ms" })(file, round + 1);
    equal(next.disposition, "deferred");
  },
);

await using docket = await Docket.connect({ url: "memory://poller" });
const key = "poll-news.txt";
const one = await docket.add(pollForChanges, { key })("news.txt");
const two = await docket.add(pollForChanges, { key })("news.txt");
console.log(`started: ${one.disposition}, then: ${two.disposition}`);
deepEqual([one.disposition, two.disposition], ["scheduled", "exists"]);

await using worker = new Worker(docket);
await worker.runUntilFinished();

const last = await docket.execution<typeof pollForChanges>(key);
deepEqual(last?.state, "completed");
equal(await last?.result(), "hello");

/**
 * A task that schedules itself until there is something to do. It uses its own key, so that there is one such chain,
 * however often somebody starts it.
 *
 * @module
 */
import { Docket, task, Worker } from "@docket/docket";

const files = new Map<string, string>();

const pollForChanges = task(
  "pollForChanges",
  async ({ docket, key }, file: string, round = 1): Promise<void> => {
    const content = files.get(file);
    if (content !== undefined) {
      console.log(`round ${round}: ${file} says ${JSON.stringify(content)}`);
      return;
    }
    console.log(`round ${round}: no ${file} yet`);
    if (round === 3) files.set(file, "hello"); // somebody writes it, at last

    // While this one runs, its key is taken: the next takes its place as soon as it has ended.
    await docket.replace(pollForChanges, { key, delay: "50ms" })(file, round + 1);
  },
);

await using docket = await Docket.connect({ url: "memory://polling" });
const one = await docket.add(pollForChanges, { key: "poll-news.txt" })("news.txt");
const two = await docket.add(pollForChanges, { key: "poll-news.txt" })("news.txt");
console.log(`started: ${one.disposition}, then: ${two.disposition}`);

await using worker = new Worker(docket);
await worker.runUntilFinished();

/**
 * A search index that is built anew after a burst of edits, once, from the last of them. A preview of the page is refreshed
 * at the first edit instead, and then not again for a while.
 *
 * @module
 */
import { deepStrictEqual as deepEqual, strictEqual as equal } from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { Cooldown, Debounce, Docket, ExecutionCancelledError, task, Worker } from "@docket/docket";

const done: string[] = [];

const index = task(
  "index",
  { debounce: new Debounce({ quiet: "300ms", by: (page: string) => page }) },
  (_context, page: string, version: number): void => {
    console.log(`index ${page}, version ${version}`);
    done.push(`index ${page} ${version}`);
  },
);

const refresh = task(
  "refresh",
  { cooldown: new Cooldown({ period: "1m", by: (page: string) => page }) },
  (_context, page: string, version: number): void => {
    console.log(`refresh ${page}, version ${version}`);
    done.push(`refresh ${page} ${version}`);
  },
);

await using docket = await Docket.connect({
  url: "memory://debounced-index",
  tasks: [index, refresh],
});
await using worker = new Worker(docket);
const stop = new AbortController();
const running = worker.runForever({ signal: stop.signal });

const indexed = [];
for (const version of [1, 2, 3]) {
  for (const page of ["home", "about"]) {
    console.log(`edit  ${page}, version ${version}`);
    indexed.push(await docket.add(index)(page, version));
    await docket.add(refresh)(page, version);
  }
  await pause(10);
}

// What was overtaken has ended, and says why.
try {
  await indexed[0].result();
} catch (error) {
  if (!(error instanceof ExecutionCancelledError)) throw error;
  console.log(`the index of version 1: cancelled, because it was ${error.reason}`);
  equal(error.reason, "dropped");
}

await Promise.all(indexed.slice(-2).map((execution) => execution.result()));
deepEqual(done.toSorted(), [
  ...["index about 3", "index home 3"],
  ...["refresh about 1", "refresh home 1"],
]);
stop.abort();
await running;

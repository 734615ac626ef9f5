/**
 * Tests do not sleep: they move a clock. Retries that take hours and reminders for next week run at once.
 *
 * @module
 */
import { deepStrictEqual as deepEqual } from "node:assert/strict";
import { Docket, ExponentialRetry, task, Worker } from "@docket/docket";
import { FakeClock } from "@docket/docket/testing";

const clock = new FakeClock(new Date("2026-01-01T09:00:00Z"));
const log: string[] = [];
const note = (what: string) => {
  log.push(`${new Date(clock.now()).toISOString().slice(11, 16)} ${what}`);
};

const remind = task("remind", (_context, name: string): void => note(`reminded ${name}`));

const importData = task(
  "importData",
  { retry: new ExponentialRetry({ attempts: 4, minimumDelay: "10m", maximumDelay: "1h" }) },
  ({ attempt }): void => {
    note(`import, attempt ${attempt}`);
    if (attempt < 4) throw new Error("The supplier is closed");
  },
);

await using docket = await Docket.connect({ url: "memory://fake-clock", clock });
await using worker = new Worker(docket);
const stop = new AbortController();
const running = worker.runForever({ signal: stop.signal });

await docket.add(remind, { when: new Date("2026-01-01T10:30:00Z") })("Jane");
await docket.add(importData)();

await clock.advance({ hours: 1 });
deepEqual(log, ["09:00 import, attempt 1", "09:10 import, attempt 2", "09:30 import, attempt 3"]);

await clock.advance({ minutes: 30 });
deepEqual(log.slice(3), ["10:10 import, attempt 4", "10:30 reminded Jane"]);

console.log(log.join("\n"));
stop.abort();
await running;

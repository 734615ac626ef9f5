/**
 * Work that comes at once and need not be done at once: an `Agenda` spreads it evenly over a window of time. What is
 * scattered again is not scheduled twice, since its calls have keys.
 *
 * @module
 */
import { deepStrictEqual as deepEqual } from "node:assert/strict";
import { Agenda, task } from "@docket/docket";
import { FakeClock, memoryDocket, runAll } from "@docket/docket/testing";

const clock = new FakeClock(new Date("2026-01-05T09:00:00Z"));
const time = (instant: number | Date) => new Date(instant).toISOString().slice(11, 16);
const sent: string[] = [];

const remind = task("remind", (_context, customer: string): void => {
  sent.push(`${time(clock.now())} ${customer}`);
});

await using docket = await memoryDocket({ clock, tasks: [remind] });

const agenda = new Agenda();
const customers = ["Jane", "John", "Mary", "Paul", "Rose"];
for (const customer of customers) agenda.add(remind, { key: `remind-${customer}` })(customer);

// Five letters within an hour, from ten o'clock on.
const start = new Date("2026-01-05T10:00:00Z");
await agenda.scatter(docket, { over: "1h", start });
for (const { when, key } of await docket.preview()) console.log(`${time(when)} ${key} is due`);

// Was it done, or did the program die before? Once more does no harm.
const again = await agenda.scatter(docket, { over: "1h", start });
const dispositions = again.map(({ disposition }) => disposition);
deepEqual(dispositions, ["exists", "exists", "exists", "exists", "exists"]);
console.log(`Scattered again: ${dispositions.join(", ")}`);

await runAll(docket, { clock });
deepEqual(sent, ["10:00 Jane", "10:15 John", "10:30 Mary", "10:45 Paul", "11:00 Rose"]);
console.log(`Sent: ${sent.join(", ")}`);

// With a jitter they do not all come on the quarter hour, and none comes before the window.
const jittery = new Agenda();
for (const customer of customers) jittery.add(remind)(customer);
const moved = await jittery.scatter(docket, { over: "1h", jitter: "5m" });
console.log(`With jitter: ${moved.map(({ when }) => time(when!)).join(", ")}`);
await docket.clear();

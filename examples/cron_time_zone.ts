/**
 * `Cron` on the nights when clocks change. In Berlin, in 2026, 2:30 does not exist on 29 March, and exists twice on
 * 25 October. A fake clock takes a few days to pass at once.
 *
 * @module
 */
import { deepStrictEqual as deepEqual } from "node:assert/strict";
import { Cron, task, Worker } from "@docket/docket";
import { FakeClock, memoryDocket } from "@docket/docket/testing";

const timeZone = "Europe/Berlin";
const berlin = new Intl.DateTimeFormat("en-GB", {
  timeZone,
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
  timeZoneName: "short",
});

/** At which times of Berlin the two tasks run in some hours from an instant on. */
async function watch(from: string, hours: number): Promise<Record<string, string[]>> {
  const clock = new FakeClock(new Date(from));
  const ran: Record<string, string[]> = { nightly: [], hourly: [] };
  const note = (task: string) => ran[task].push(berlin.format(clock.now()));

  // A fixed time: once a night, whatever the clocks do.
  const nightly = task("nightly", { cron: new Cron("30 2 * * *", { timeZone }) }, (): void => {
    note("nightly");
  });
  // Every hour is real time: an hour apart, always.
  const hourly = task("hourly", { cron: new Cron("30 * * * *", { timeZone }) }, (): void => {
    note("hourly");
  });

  await using docket = await memoryDocket({ clock, tasks: [nightly, hourly] });
  await using worker = new Worker(docket, { redeliveryTimeout: "1h" });
  const stop = new AbortController();
  const running = worker.runForever({ signal: stop.signal });
  await clock.advance({ hours });
  stop.abort();
  await running;
  return ran;
}

const forward = await watch("2026-03-29T00:00:00Z", 3);
console.log("Clocks are put forward:", forward);
deepEqual(forward, {
  nightly: ["29 Mar, 03:00 CEST"], // right after the gap
  hourly: ["29 Mar, 01:30 CET", "29 Mar, 03:30 CEST", "29 Mar, 04:30 CEST"],
});

const back = await watch("2026-10-24T23:00:00Z", 4);
console.log("Clocks are put back:", back);
deepEqual(back, {
  nightly: ["25 Oct, 02:30 CEST"], // the first of the two
  hourly: ["25 Oct, 01:30 CEST", "25 Oct, 02:30 CEST", "25 Oct, 02:30 CET", "25 Oct, 03:30 CET"],
});

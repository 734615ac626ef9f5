/**
 * An API that takes so many calls a second. `RateLimit` keeps to what it has promised; where others use it up as well, it
 * answers "too many requests", and the task comes again when the API says so.
 *
 * The clock is one that this program moves, so that nobody has to wait.
 *
 * @module
 */
import { deepStrictEqual as deepEqual, strictEqual as equal } from "node:assert/strict";
import { Docket, RateLimit, Retry, task, Worker } from "@docket/docket";
import { FakeClock } from "@docket/docket/testing";

const clock = new FakeClock();
const start = clock.now();
const seconds = () => (clock.now() - start) / 1_000;

// ── The API ─────────────────────────────────────────────────────────────────────────────────────

interface Answer {
  readonly status: 200 | 429;
  readonly retryAfter?: number;
}

/** Between the first and the second second somebody else uses it up. */
function api(_city: string): Answer {
  const isBusy = seconds() >= 1 && seconds() < 2;
  return isBusy ? { status: 429, retryAfter: 5 } : { status: 200 };
}

// ── The task ────────────────────────────────────────────────────────────────────────────────────

const calls: number[] = [];
const known: string[] = [];

const weather = task(
  "weather",
  {
    rate: new RateLimit({ max: 2, per: "1s" }),
    retry: new Retry({ attempts: 5, delay: "1s" }),
  },
  ({ retry, attempt }, city: string): void => {
    calls.push(Math.round(seconds()));
    const { status, retryAfter = 1 } = api(city);
    console.log(`${seconds().toFixed(1)} s: ${city}, attempt ${attempt}: ${status}`);
    if (status === 429) throw retry.after({ seconds: retryAfter });
    known.push(city);
  },
);

const cities = ["Berlin", "Lisbon", "Lima", "Oslo", "Quito", "Rome"];

await using docket = await Docket.connect({ url: "memory://rate-limited-api", clock });
await docket.addAll(cities.map((city) => docket.call(weather)(city)));
await using worker = new Worker(docket);
const stop = new AbortController();
const running = worker.runForever({ signal: stop.signal });
await clock.advance({ minutes: 1 });

deepEqual(known.toSorted(), cities.toSorted());
equal(calls.length, cities.length + 2); // a retry is a call, too
deepEqual(calls, [0, 0, 1, 1, 2, 2, 6, 6]); // never more than two in a second
stop.abort();
await running;

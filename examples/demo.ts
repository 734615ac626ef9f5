/**
 * A producer and a worker. They share nothing but a URL: with `redis://` in its place they could be two processes on two
 * machines.
 *
 * Three tasks: one for now, one for three seconds later, and one that fails twice before it succeeds.
 *
 * @module
 */
import { Docket, Retry, task, Worker } from "@docket/docket";

const url = "memory://demo";

// ── The tasks ───────────────────────────────────────────────────────────────────────────────────

function greet(name: string, greeting = "Hello"): void {
  say("task", `${greeting}, ${name}!`);
}

const chargeCard = task(
  "chargeCard",
  { retry: new Retry({ attempts: 5, delay: { seconds: 1 } }) },
  ({ retry }, order: number): string => {
    const attempt = `attempt ${retry.attempt} of ${retry.attempts}`;
    if (retry.attempt < 3) {
      say("task", `Charging order ${order}, ${attempt}: the bank does not answer, again in 1 s`);
      throw new Error("The bank does not answer");
    }
    say("task", `Charging order ${order}, ${attempt}: done`);
    return `receipt for order ${order}`;
  },
);

// ── The worker's side: knows the tasks, and runs what comes ─────────────────────────────────────

async function work(signal: AbortSignal): Promise<void> {
  await using docket = await Docket.connect({ name: "demo", url, tasks: [greet, chargeCard] });
  await using worker = new Worker(docket);
  say("worker", `${worker.name} runs`);
  await worker.runForever({ signal });
  say("worker", "has drained");
}

// ── The producer's side: says what is to be done, and when ──────────────────────────────────────

async function produce(): Promise<void> {
  await using docket = await Docket.connect({ name: "demo", url });
  const now = await docket.add(greet)("Jane");
  const later = await docket.add(greet, { delay: { seconds: 3 } })("John", "Howdy");
  const charge = await docket.add(chargeCard, { key: "charge-42" })(42);
  say("producer", `greet Jane: ${now.state}`);
  say("producer", `greet John: ${later.state} for ${later.when && time(later.when)}`);
  say("producer", `charge order 42: ${charge.state} under the key ${charge.key}`);

  say("producer", `got the ${await charge.result()}`);
  await Promise.all([now.result(), later.result()]);
}

function say(who: string, what: string): void {
  console.log(`${time(new Date())}  ${who.padEnd(8)}  ${what}`);
}

function time(date: Date): string {
  return date.toISOString().slice(11, 23);
}

const stop = new AbortController();
const working = work(stop.signal);
await produce();
stop.abort();
await working;

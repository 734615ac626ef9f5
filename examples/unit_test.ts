/**
 * A task is a function: a unit test calls it, without docket, worker or clock. In a project each of these is the body of
 * a test.
 *
 * @module
 */
import { deepStrictEqual as deepEqual, rejects, strictEqual as equal } from "node:assert/strict";
import {
  Depends,
  Docket,
  Perpetual,
  type PerpetualState,
  Progress,
  Retry,
  task,
  Timeout,
} from "@docket/docket";

// ── The tasks, as in the program ────────────────────────────────────────────────────────────────

interface Mailer {
  send(to: number, text: string): Promise<void>;
}

const mailer = new Depends((): Mailer => ({
  send: () => Promise.reject(new Error("There is no mail server here")),
}));

const sendWelcomeEmail = task(
  "sendWelcomeEmail",
  { retry: new Retry({ attempts: 5 }), timeout: new Timeout("1m"), mailer },
  async ({ retry, mailer, signal }, customerId: number, name: string): Promise<number> => {
    signal.throwIfAborted();
    await mailer.send(customerId, `Welcome, ${name}!`);
    return retry.attempt;
  },
);

const signUp = task("signUp", async ({ docket }, id: number, name: string): Promise<void> => {
  await docket.add(sendWelcomeEmail, { key: `welcome-${id}`, delay: { hours: 1 } })(id, name);
});

const syncCustomers = task(
  "syncCustomers",
  { perpetual: new Perpetual<[ids: readonly number[]]>({ every: "1h" }) },
  ({ perpetual, progress }, ids: readonly number[]): void => {
    progress.update({ total: ids.length });
    for (const _id of ids) progress.increment();
    if (ids.length === 0) perpetual.after("1d"); // nothing to do: no hurry
  },
);

// ── Given by name ───────────────────────────────────────────────────────────────────────────────

const sent: string[] = [];
const fake: Mailer = { send: (to, text) => Promise.resolve(void sent.push(`${to}: ${text}`)) };

equal(await sendWelcomeEmail.with({ mailer: fake })(12345, "Jane"), 1);
deepEqual(sent, ["12345: Welcome, Jane!"]);
console.log("A fake was given for a dependency, by the name that the task gave it");

// ── Given for a dependency, wherever it is nested ───────────────────────────────────────────────

await sendWelcomeEmail.with({}, [mailer, () => fake])(12345, "John");
equal(sent.length, 2);
console.log("A fake stood in for a Depends, wherever it is asked for");

// ── What the handler does when it is told to stop ───────────────────────────────────────────────

const signal = AbortSignal.abort(new Error("stop"));
await rejects(sendWelcomeEmail.with({ signal, mailer: fake })(1, "Jane"), /stop/);
equal(sent.length, 2);
console.log("A signal was given that had aborted: nothing was sent");

// ── What it schedules ───────────────────────────────────────────────────────────────────────────

await using docket = await Docket.connect({ url: "memory://unit-test" });
await signUp.with({ docket })(12345, "Jane");
const scheduled = await docket.execution("welcome-12345");
deepEqual([scheduled?.task, scheduled?.state], ["sendWelcomeEmail", "scheduled"]);
console.log("A docket in memory was given: the follow-up is on it");

// ── What it tells of how far it is ──────────────────────────────────────────────────────────────

const progress = new Progress();
await syncCustomers.with({ progress })([1, 2, 3]);
deepEqual(progress.snapshot, { current: 3, total: 3 });
console.log("A progress was given: the task told that it has done 3 of 3");

// ── When it wants to come again ─────────────────────────────────────────────────────────────────

const pauses: unknown[] = [];
const perpetual: PerpetualState = {
  every: 3_600_000,
  perpetuate: () => {},
  after: (delay) => void pauses.push(delay),
  at: () => {},
  cancel: () => {},
};
await syncCustomers.with({ perpetual })([1]);
await syncCustomers.with({ perpetual })([]);
deepEqual(pauses, ["1d"]);
console.log("A perpetual was given: with nothing to do, the task takes its time");

/**
 * Testing several tasks together: a docket in memory, fakes for what is outside, retries over hours in no time, and a
 * storage that loses an answer. In a project each of these is the body of a test.
 *
 * @module
 */
import { deepStrictEqual as deepEqual, rejects, strictEqual as equal } from "node:assert/strict";
import { ConnectionError, Docket, ExponentialRetry, Shared, task } from "@docket/docket";
import {
  assertScheduled,
  FakeClock,
  FaultyStorage,
  memoryDocket,
  memoryStorage,
  runAll,
} from "@docket/docket/testing";

// ── The tasks, as in the program ────────────────────────────────────────────────────────────────

interface Bank {
  charge(order: number): Promise<string>;
}

const bank = new Shared((): Bank => {
  throw new Error("There is no bank here");
});

const charge = task(
  "charge",
  {
    retry: new ExponentialRetry({ attempts: 5, minimumDelay: "1h", maximumDelay: "8h" }),
    bank,
  },
  async ({ bank, docket }, order: number): Promise<string> => {
    const receipt = await bank.charge(order);
    await docket.add(review, { key: `review-${order}`, delay: { days: 7 } })(order);
    return receipt;
  },
);

const review = task("review", (_context, order: number): string => `order ${order}: how was it?`);

// ── What it does when the bank is closed, and what follows ──────────────────────────────────────

const clock = new FakeClock(new Date("2026-01-05T00:00:00Z"));
const tries: string[] = [];
const fake: Bank = {
  charge: (order) => {
    tries.push(new Date(clock.now()).toISOString().slice(11, 16));
    if (tries.length < 4) return Promise.reject(new Error("The bank is closed"));
    return Promise.resolve(`receipt ${order}`);
  },
};
const replace = [[bank, () => fake]] as const;

// Records expire by the clock that is moved: keep them for longer than it is.
await using docket = await memoryDocket({ clock, executionTtl: "30d", tasks: [charge, review] });
const charged = await docket.add(charge, { key: "charge-42" })(42);
await assertScheduled(docket, charge, { key: "charge-42", args: [42] });

await runAll(docket, { clock, worker: { replace } });

equal(await charged.result(), "receipt 42");
deepEqual(tries, ["00:00", "01:00", "03:00", "07:00"]);
console.log(`Charged at the fourth attempt: ${tries.join(", ")}`);

const reviewed = await docket.execution<typeof review>("review-42");
equal(await reviewed?.result(), "order 42: how was it?");
equal(new Date(clock.now()).toISOString(), "2026-01-12T07:00:00.000Z");
console.log("A week later the customer was asked: all of it has run");

// ── What it schedules, without running that ─────────────────────────────────────────────────────

await using other = await memoryDocket({ clock });
await charge.with({ docket: other, bank: fake })(43);
const when = clock.now() + 7 * 24 * 3_600_000;
const asked = await assertScheduled(other, review, { args: [43], when });
equal(asked.key, "review-43");
console.log("The next review is in a week, and has not run");

await rejects(assertScheduled(other, review, { key: "review-44" }), { name: "AssertionError" });
console.log("There is no review 44: the assertion fails");

// ── What becomes of an add whose answer is lost ─────────────────────────────────────────────────

const faulty = new FaultyStorage(await memoryStorage());
await using shaky = await Docket.connect({ storage: faulty.storage });
faulty.drop({ verb: "schedule" });
await rejects(shaky.add(review, { key: "review-45" })(45), ConnectionError);
equal((await shaky.add(review, { key: "review-45" })(45)).disposition, "exists");
console.log("An answer was lost, but with a key it could be asked again: the task is there once");

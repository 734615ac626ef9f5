/**
 * What to do when a task throws: again after a delay, after growing delays, at a time of its own choosing, or never.
 *
 * @module
 */
import {
  Docket,
  ExponentialRetry,
  NonRetryableError,
  Retry,
  task,
  Timeout,
  Worker,
} from "@docket/docket";

const flaky = task(
  "flaky",
  { retry: new Retry({ attempts: 5, delay: "20ms" }) },
  ({ retry }): string => {
    console.log(`flaky: attempt ${retry.attempt}`);
    if (retry.attempt < 4) throw new Error("whoops");
    return "whew!";
  },
);

const backingOff = task(
  "backingOff",
  { retry: new ExponentialRetry({ attempts: 4, minimumDelay: "10ms", maximumDelay: "40ms" }) },
  ({ retry, execution }): string => {
    console.log(`backingOff: attempt ${retry.attempt}`);
    if (retry.attempt < 4) throw new Error(`${execution.key} is not ready`);
    return "ready at last";
  },
);

// A server that said when to come back knows best. It counts as an attempt.
const polite = task(
  "polite",
  { retry: new Retry({ attempts: 3 }) },
  ({ retry }): string => {
    console.log(`polite: attempt ${retry.attempt}`);
    if (retry.attempt === 1) throw retry.after({ milliseconds: 30 });
    return "thank you";
  },
);

const hopeless = task("hopeless", { retry: Retry.forever({ delay: "1s" }) }, (): never => {
  console.log("hopeless: once is enough");
  throw new NonRetryableError("No such customer");
});

// Each attempt has the whole time. The slot is free again even if the handler ignores the signal.
const slow = task(
  "slow",
  { retry: new Retry({ attempts: 2 }), timeout: new Timeout("20ms") },
  async ({ signal, attempt }): Promise<string> => {
    if (attempt === 2) return "quick the second time";
    await new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason));
    });
    return "never";
  },
);

await using docket = await Docket.connect({ url: "memory://retries" });
const executions = [
  await docket.add(flaky, { key: "flaky" })(),
  await docket.add(backingOff, { key: "backingOff" })(),
  await docket.add(polite, { key: "polite" })(),
  await docket.add(hopeless, { key: "hopeless" })(),
  await docket.add(slow, { key: "slow" })(),
];

await using worker = new Worker(docket);
await worker.runUntilFinished();

for (const execution of executions) {
  const result = await execution.result().catch((error: Error) => error.message);
  console.log(`${execution.task}: ${execution.state} at attempt ${execution.attempt}: ${result}`);
}

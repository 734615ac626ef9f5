/**
 * What became of it: results, failures, and handles from anywhere.
 *
 * @module
 */
import { Docket, ExecutionFailedError, ResultTimeoutError, Worker } from "@docket/docket";

function divide(dividend: number, divisor: number): number {
  if (divisor === 0) throw new RangeError("Cannot divide by zero");
  return dividend / divisor;
}

await using docket = await Docket.connect({ url: "memory://results", executionTtl: "1h" });
const good = await docket.add(divide, { key: "good" })(84, 2);
const bad = await docket.add(divide, { key: "bad" })(1, 0);
const far = await docket.add(divide, { key: "far", delay: { days: 1 } })(1, 2);

// Waiting does not run anything: with no worker about, it is only a matter of patience.
await good.result({ timeout: "20ms" }).catch((error: unknown) => {
  if (!(error instanceof ResultTimeoutError)) throw error;
  console.log(error.message);
});

const stop = new AbortController();
await using worker = new Worker(docket);
const working = worker.runForever({ signal: stop.signal });

console.log(`84 / 2 = ${await good.result()}`);
try {
  await bad.result();
} catch (error) {
  if (!(error instanceof ExecutionFailedError)) throw error;
  console.log(`1 / 0 failed: ${error.cause}`);
}

// A handle shows what was known when it was made. Any process can make one from the key.
console.log(
  `bad was ${bad.state}, ran on ${bad.worker === worker.name ? "our worker" : "another"}`,
);
const found = await docket.execution<typeof divide>("good");
console.log(`good is ${found?.state} with ${await found?.result()}`);
console.log(`far is ${(await far.refresh()).state}`);

stop.abort();
await working;

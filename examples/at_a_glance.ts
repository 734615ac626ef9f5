/**
 * One task now, the same task three seconds later, and a worker that runs both.
 *
 * @module
 */
import { Docket, Worker } from "@docket/docket";

function greet(name: string, greeting = "Hello"): void {
  console.log(`${greeting}, ${name}, at ${new Date().toISOString()}!`);
}

await using docket = await Docket.connect({ url: "memory://at-a-glance" });

await docket.add(greet)("Jane");
await docket.add(greet, { delay: { seconds: 3 } })("John", "Howdy");

await using worker = new Worker(docket);
await worker.runUntilFinished();

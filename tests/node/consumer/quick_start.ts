/**
 * The quick start as a Node project has it: compiled by its own TypeScript, which lowers `await using`.
 *
 * @module
 */
import { Docket, Worker } from "@docket/docket";

function greet(name: string, greeting = "Hello"): string {
  return `${greeting}, ${name}!`;
}

// On the storage that DOCKET_URL names.
await using docket = await Docket.connect({ name: `quick-start-${crypto.randomUUID()}` });
const now = await docket.add(greet)("Jane");
const soon = await docket.add(greet, { delay: "20ms" })("John", "Howdy");

await using worker = new Worker(docket);
await worker.runUntilFinished();
console.log(await now.result(), await soon.result());

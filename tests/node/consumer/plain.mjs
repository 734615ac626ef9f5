/**
 * The quick start without a compiler: what is opened is closed by hand, as Node 20 and 22 do not know `await using`.
 *
 * @module
 */
import { randomUUID } from "node:crypto";
import { Docket, Worker } from "@docket/docket";

function greet(name, greeting = "Hello") {
  return `${greeting}, ${name}!`;
}

const docket = await Docket.connect({ name: `plain-${randomUUID()}` });
const worker = new Worker(docket);
try {
  const now = await docket.add(greet)("Jane");
  const soon = await docket.add(greet, { delay: "20ms" })("John", "Howdy");
  await worker.runUntilFinished();
  console.log(await now.result(), await soon.result());
} finally {
  await worker.close();
  await docket.close();
}

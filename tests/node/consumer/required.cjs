/**
 * The quick start in CommonJS, which may require an ES module where that awaits nothing at its top.
 *
 * @module
 */
const { randomUUID } = require("node:crypto");
const { Docket, Worker } = require("@docket/docket");

function greet(name, greeting = "Hello") {
  return `${greeting}, ${name}!`;
}

async function main() {
  const docket = await Docket.connect({ name: `required-${randomUUID()}` });
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
}

main();

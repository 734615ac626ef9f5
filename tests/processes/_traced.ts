/** A program that sets nothing up: whoever starts it decides whether anybody traces and measures. */

import { Docket, Worker } from "../../mod.ts";

function greet(_name: string): void {}

await using docket = await Docket.connect({ name: "traced", url: "memory://traced" });
await docket.add(greet, { key: "k" })("Jane");
await using worker = new Worker(docket, { name: "web-1" });
await worker.runUntilFinished();

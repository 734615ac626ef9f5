/**
 * A worker that is told to stop finishes what it runs and leaves the rest to others. `Worker.run()`
 * does so on SIGTERM and SIGINT; a program that has more to do wires its own handlers to an AbortSignal, as here.
 *
 * @module
 */
import process from "node:process";
import { Docket, task, Worker } from "@docket/docket";

const started = Promise.withResolvers<void>();
const mayFinish = Promise.withResolvers<void>();

const report = task("report", async ({ worker }, name: string): Promise<void> => {
  console.log(`${worker.name} starts the ${name} report`);
  started.resolve();
  await mayFinish.promise;
  console.log(`${worker.name} has finished the ${name} report`);
});

const stop = new AbortController();
process.once("SIGTERM", () => stop.abort());

await using docket = await Docket.connect({ url: "memory://graceful-shutdown" });
await docket.add(report)("first");
const second = await docket.add(report)("second");

await using old = new Worker(docket, {
  name: "old worker",
  concurrency: 1,
  gracePeriod: { seconds: 25 }, // running tasks may take so long; then their signals abort
});
const running = old.runForever({ signal: stop.signal });

await started.promise;
process.kill(process.pid, "SIGTERM"); // what an orchestrator would do
await new Promise((resolve) => stop.signal.addEventListener("abort", resolve));
console.log("SIGTERM: the old worker takes nothing new");
mayFinish.resolve();
await running;
console.log(`the old worker has stopped; the second report is ${(await second.refresh()).state}`);

await using young = new Worker(docket, { name: "new worker" });
await young.runUntilFinished();

/**
 * What a runtime must be able to do, with the package as it is installed: it prints what came of it, and ends by itself.
 *
 * @module
 */
import process from "node:process";
import { ConcurrencyLimit, Docket, Perpetual, Retry, task, Worker } from "@docket/docket";

const url = process.argv[2];
const name = `smoke.${crypto.randomUUID()}`;

const stumble = task("stumble", { retry: new Retry({ attempts: 2 }) }, ({ attempt }, text) => {
  if (attempt === 1) throw new Error("once");
  return `${text} at attempt ${attempt}`;
});
const limited = task("limited", { limit: new ConcurrencyLimit({ max: 1 }) }, (_, map) => map);
const tick = task("tick", { perpetual: new Perpetual({ every: 5 }) }, () => {});
const hold = task("hold", async ({ signal }) => {
  await new Promise((resolve) => signal.addEventListener("abort", resolve));
  signal.throwIfAborted();
});

const docket = await Docket.connect({ name, url, tasks: { stumble, limited, tick, hold } });
const worker = new Worker(docket, { concurrency: 4, redeliveryTimeout: 400 });
try {
  const stumbled = await docket.add(stumble)("done");
  const later = await docket.add(limited, { delay: 20 })(new Map([["a", 1n]]));
  const held = await docket.add(hold)();
  await docket.add(tick, { key: "tick" })();
  const working = worker.runForever();
  console.log(await stumbled.result());
  console.log([...(await later.result()).entries()].join());
  for await (const { state } of held.events()) if (state === "running") break;
  await held.cancel();
  console.log(await held.result().catch(({ code }) => code));
  await docket.cancel("tick");
  await worker.close();
  await working;
  console.log((await docket.snapshot()).running.length);
} finally {
  await worker.close();
  await docket.close();
}

/**
 * What the declarations of the package allow, and what they refuse, in a project of somebody else. Compiled, never run.
 *
 * @module
 */
import { Docket, type Execution, Retry, task, type TaskContext, Worker } from "@docket/docket";
import { main } from "@docket/docket/cli";
import type { Lease, Storage } from "@docket/docket/storage";
import { FakeClock } from "@docket/docket/testing";

async function greet(name: string, greeting = "Hello"): Promise<string> {
  return await Promise.resolve(`${greeting}, ${name}!`);
}

const charge = task("charge", { retry: new Retry({ attempts: 3 }) }, charging);

function charging({ key, attempt }: TaskContext, cents: number): string {
  return `${key}, ${attempt}: ${cents}`;
}

/** The right calls. */
export async function right(storage: Storage, lease: Lease): Promise<number> {
  const clock = new FakeClock(0);
  await using docket = await Docket.connect({ url: "memory://types", clock, tasks: charge });
  const greeting: Execution<string> = await docket.add(greet)("Jane");
  const charged: string = await (await docket.add(charge, { delay: { hours: 1 } })(100)).result();
  await using worker = new Worker(docket, { concurrency: 10 });
  await worker.runUntilFinished();
  return await main([charged, await greeting.result(), lease.token]) + await storage.count();
}

/** The wrong ones: TypeScript fails here where one of them would pass. */
export async function wrong(docket: Docket): Promise<void> {
  // @ts-expect-error a missing argument
  await docket.add(greet)();
  // @ts-expect-error an argument of another type
  await docket.add(charge)("a lot");
  // @ts-expect-error a misspelt option
  await docket.add(greet, { dealy: 3 })("Jane");
  // @ts-expect-error a result of another type
  const _cents: Execution<number> = await docket.add(greet)("Jane");
  // @ts-expect-error a worker has a docket
  new Worker();
  // @ts-expect-error arguments are text
  await main([1]);
  // @ts-expect-error a clock has no such method
  await new FakeClock().forward(1);
}

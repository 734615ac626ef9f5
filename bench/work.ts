/**
 * The work that is measured: a task that does nothing, with a small payload.
 *
 * @module
 */

import { Docket, type DocketOptions } from "../mod.ts";
import type { Place } from "./scenario.ts";

/** What the task is called with. */
export interface Customer {
  readonly customerId: number;
  readonly name: string;
}

/** The task's type; its handler is the scenario's. */
export type Welcome = (customer: Customer) => void;

/** A docket at the place, with the default settings: every guarantee, records kept for 15 minutes. */
export function connect({ url }: Place, options: DocketOptions = {}): Promise<Docket> {
  return Docket.connect({ name: "bench", url, ...options });
}

/** Adds one by one, each awaited. */
export async function addOneByOne(docket: Docket, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await docket.add<Welcome>("welcome")(customer(i));
}

/** Adds with hundreds in flight, as a busy web server does. */
export async function addInFlight(docket: Docket, count: number): Promise<void> {
  let next = 0;
  const addSome = async () => {
    while (next < count) await docket.add<Welcome>("welcome")(customer(next++));
  };
  await Promise.all(Array.from({ length: 500 }, addSome));
}

function customer(customerId: number): Customer {
  return { customerId, name: "Jane" };
}

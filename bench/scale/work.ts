/**
 * The work that is measured: a task that does nothing, with a small payload.
 *
 * @module
 */

import { Docket, type DocketOptions } from "../../mod.ts";
import { type Customer, customers, inFlight } from "../load.ts";
import type { Place } from "../scenario.ts";

/** The task's type; its handler is the subject's. */
export type Welcome = (customer: Customer) => void;

/** A docket at the place, with the default settings: every guarantee, records kept for 15 minutes. */
export function connect({ url }: Place, options: DocketOptions = {}): Promise<Docket> {
  return Docket.connect({ name: "bench", url, ...options });
}

/** Adds with hundreds in flight, as a busy web server does. */
export function addInFlight(docket: Docket, count: number): Promise<void> {
  return inFlight((customer) => docket.add<Welcome>("welcome")(customer), customers(count));
}

/** The small payload of a task. */
export function customer(customerId: number): Customer {
  return { customerId, name: "Jane" };
}

/**
 * The load that is measured, whoever carries it: how many tasks, what they are called with, and in which way they are added.
 *
 * @module
 */

import type { Counts } from "./scenario.ts";

/** What the task is called with. */
export interface Customer {
  readonly customerId: number;
  readonly name: string;
}

/** Adds one task. */
export type Add = (customer: Customer) => Promise<unknown>;

/** How many tasks, by scenario: each about a second's worth of ours. */
export const COUNTS = {
  "adds-awaited": { memory: 50_000, redis: 5_000 },
  "adds-in-flight": { memory: 100_000, redis: 50_000 },
  "drain-1": { memory: 60_000, redis: 5_000 },
  "drain-10": { memory: 100_000, redis: 20_000 },
  "drain-100": { memory: 150_000, redis: 40_000 },
} as const satisfies Record<string, Counts>;

/** Adds one by one, each awaited. */
export async function oneByOne(add: Add, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await add(customer(i));
}

/** Adds with hundreds in flight, as a busy web server does. */
export async function inFlight(add: Add, count: number): Promise<void> {
  let next = 0;
  const addSome = async () => {
    while (next < count) await add(customer(next++));
  };
  await Promise.all(Array.from({ length: 500 }, addSome));
}

/** The small payload of a task. */
export function customer(customerId: number): Customer {
  return { customerId, name: "Jane" };
}

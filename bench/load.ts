/**
 * The load that is measured, whoever carries it: what the tasks are called with, and in which way they are added.
 *
 * @module
 */

/** What the task is called with. */
export interface Customer {
  readonly customerId: number;
  readonly name: string;
}

/** Adds one task. */
export type Add = (customer: Customer) => Promise<unknown>;

/** Adds many. */
export type AddAll = (customers: readonly Customer[]) => Promise<unknown>;

/** Customers, one after the other. */
export type Customers = Iterable<Customer>;

/** So many customers, each with a name so long. */
export function* customers(count: number, bytes = 4): Generator<Customer, void> {
  const name = "Jane".repeat(Math.ceil(bytes / 4)).slice(0, bytes);
  for (let customerId = 0; customerId < count; customerId++) yield { customerId, name };
}

/** Adds one by one, each awaited. */
export async function oneByOne(add: Add, all: Customers): Promise<void> {
  for (const customer of all) await add(customer);
}

/** Adds with hundreds in flight, as a busy web server does. */
export async function inFlight(add: Add, all: Customers): Promise<void> {
  const next = all[Symbol.iterator]();
  const addSome = async () => {
    for (let at = next.next(); !at.done; at = next.next()) await add(at.value);
  };
  await Promise.all(Array.from({ length: 500 }, addSome));
}

/** Adds a thousand in each call, one call after the other. */
export async function inBulk(addAll: AddAll, all: Customers): Promise<void> {
  let some: Customer[] = [];
  for (const customer of all) {
    if (some.push(customer) < 1_000) continue;
    await addAll(some);
    some = [];
  }
  if (some.length > 0) await addAll(some);
}

/**
 * What a limit costs: tasks of a thousand customers, one at a time for each.
 *
 * @module
 */

import { ConcurrencyLimit, task } from "../../mod.ts";
import type { Customer } from "../load.ts";
import type { Scenario } from "../scenario.ts";
import { feature } from "./feature.ts";

const CUSTOMERS = 1_000;

/** Drains 10,000 tasks over 1,000 keys. */
export const limit: Scenario = feature("limit", "ConcurrencyLimit(1) over 1,000 keys", (end) => {
  const by = ({ customerId }: Customer) => customerId % CUSTOMERS;
  const limit = new ConcurrencyLimit<[Customer]>({ max: 1, by });
  return task("welcome", { limit }, (_context, customer: Customer): void => end(customer));
});

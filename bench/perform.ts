/**
 * What a process of the benchmark does, in whichever runtime.
 *
 * @module
 */

import { type Work, work } from "./crew.ts";
import { type Fill, fill } from "./fill.ts";
import type { Scenario } from "./scenario.ts";
import { type Imports, type Order, Stage } from "./stage.ts";

/** Measures a scenario, or takes a part in one. */
export async function perform(
  order: Order,
  scenarios: readonly Scenario[],
  imports: Imports,
): Promise<unknown> {
  using stage = new Stage(order, imports);
  const { part, details } = order;
  if (part === "fill") return await fill(stage, details as Fill);
  if (part === "work") return await work(stage, details as Work);
  const scenario = scenarios.find(({ name }) => name === part);
  if (!scenario) throw new TypeError(`Cannot measure ${part}: there is no such scenario`);
  return await scenario.measure(stage);
}

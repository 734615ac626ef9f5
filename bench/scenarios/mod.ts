/**
 * Everything that is measured, in the order of the table.
 *
 * @module
 */

import { answer, ask } from "../process.ts";
import type { Place, Sample, Scenario } from "../scenario.ts";
import { addsAwaited, addsInFlight } from "./adds.ts";
import { drains } from "./drain.ts";
import { idle } from "./idle.ts";
import { lateness } from "./lateness.ts";
import { latency } from "./latency.ts";
import { limit } from "./limit.ts";
import { startup } from "./startup.ts";
import { watched } from "./watched.ts";

/** All scenarios. */
export const scenarios: readonly Scenario[] = [
  addsAwaited,
  addsInFlight,
  ...drains,
  latency,
  lateness,
  idle,
  limit,
  startup,
  watched,
];

interface Order {
  readonly name: string;
  readonly place: Place;
}

/** Measures one scenario once, in a process of its own. */
export function measure({ name }: Scenario, place: Place): Promise<Sample> {
  return ask<Order, Sample>(import.meta.url, { name, place });
}

if (import.meta.main) {
  await answer(({ name, place }: Order) => {
    const scenario = scenarios.find((scenario) => scenario.name === name);
    if (!scenario) throw new TypeError(`Cannot measure ${name}: there is no such scenario`);
    return scenario.measure(place);
  });
}

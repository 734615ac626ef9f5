/**
 * Contenders and scenarios take turns, so that a machine that drifts drifts for all of them.
 *
 * @module
 */

import { Redis } from "ioredis";
import { can, type Contender } from "./contender.ts";
import { tell } from "./machine.ts";
import { Results } from "./results.ts";
import type { Scenario } from "./scenario.ts";
import { turns } from "./turns.ts";

/** What to measure. */
export interface Plan {
  /** The server, which is emptied before each. */
  readonly url: string;
  readonly scenarios: readonly Scenario[];
  readonly rounds: number;
  readonly contenders: readonly Contender[];
  readonly signal: AbortSignal;
}

/** Measures all of it, round by round. */
export async function measureAll(plan: Plan): Promise<Results> {
  const { url, scenarios, rounds, contenders, signal } = plan;
  const results = new Results();
  const admin = new Redis(url);
  try {
    for (let round = 0; round < rounds; round++) {
      for (const scenario of scenarios) {
        for (const contender of turns(contenders, round)) {
          if (!can(contender, scenario)) continue;
          signal.throwIfAborted();
          tell(`round ${round + 1} of ${rounds}: ${scenario.name}, ${contender.title}`);
          await admin.flushall();
          results.add(contender.name, scenario, await contender.measure(scenario));
        }
      }
    }
  } finally {
    admin.disconnect();
    tell("");
  }
  return results;
}

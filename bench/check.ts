/**
 * Whether ours is as near to the floor as it should be. Both run on the same machine at the same time, and only what ours
 * takes of the floor counts: a slow machine is slow for both.
 *
 * @module
 */

import { startRedis } from "../scripts/redis.ts";
import { floorInDeno, onRedis } from "./contender.ts";
import { summarize } from "./measure.ts";
import { measureAll } from "./rounds.ts";
import type { Scenario } from "./scenario.ts";
import { addsInFlight } from "./scenarios/adds.ts";
import { drains } from "./scenarios/drain.ts";
import { measured, ratio } from "./table.ts";

const ROUNDS = 5;

const drain100 = drains[2];

/** What ours must keep to: the floor's figure is 1. */
interface Bound {
  readonly scenario: Scenario;
  readonly metric: string;
  readonly least?: number;
  readonly most?: number;
}

const BOUNDS: readonly Bound[] = [
  { scenario: addsInFlight, metric: "rate", least: 0.35 },
  { scenario: addsInFlight, metric: "clientCpu", most: 2 },
  { scenario: addsInFlight, metric: "redisCpu", most: 11 },
  { scenario: drain100, metric: "rate", least: 0.15 },
  { scenario: drain100, metric: "clientCpu", most: 4 },
  { scenario: drain100, metric: "redisCpu", most: 14 },
];

/** Measures both, tells, and gives the exit code: 1 when ours is too slow. */
export async function check(signal: AbortSignal): Promise<number> {
  await using server = await startRedis();
  const contenders = [onRedis(server.url), floorInDeno(server.url)];
  const scenarios = [addsInFlight, drain100];
  const plan = { url: server.url, scenarios, rounds: ROUNDS, contenders, signal };
  const results = await measureAll(plan);
  const [ours, floor] = contenders.map((contender) => measured(results, contender));
  const { values } = ratio("ours / floor", ours, floor);

  let broken = 0;
  for (const bound of BOUNDS) {
    const { scenario, metric, least = 0, most = Infinity } = bound;
    const { median, low, high } = summarize(values(scenario, metric));
    const kept = least <= median && median <= most;
    if (!kept) broken++;
    const { label } = scenario.metrics[metric];
    const range = `${median.toFixed(2)} (${low.toFixed(2)}–${high.toFixed(2)})`;
    console.log(
      `${kept ? "ok" : "FAILED"}: ${scenario.title}: ${label}: ${range} times the floor, ${
        wanted(bound)
      }`,
    );
  }
  return broken > 0 ? 1 : 0;
}

function wanted({ least, most }: Bound): string {
  return least === undefined ? `at most ${most}` : `at least ${least}`;
}

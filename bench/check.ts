/**
 * Whether ours is as near to the floor as it should be. Both run on the same machine at the same time, and only what ours
 * takes of the floor counts: a slow machine is slow for both.
 *
 * @module
 */

import { startRedis } from "../scripts/redis.ts";
import { type Bound, judge } from "./bound.ts";
import { floorInDeno, onRedis } from "./contender.ts";
import { measureAll } from "./rounds.ts";
import { addsInFlight } from "./scenarios/adds.ts";
import { drains } from "./scenarios/drain.ts";
import { measured, ratio } from "./table.ts";

const ROUNDS = 5;

const drain100 = drains[2];

/**
 * Half as good as it is, or twice as dear, is too much. Rates suffer when others use the machine, as ours waits for more
 * answers than the floor does: their bounds are wider.
 */
const BOUNDS: readonly Bound[] = [
  { scenario: addsInFlight, metric: "rate", least: 0.25 },
  { scenario: addsInFlight, metric: "clientCpu", most: 2 },
  { scenario: addsInFlight, metric: "redisCpu", most: 11 },
  { scenario: drain100, metric: "rate", least: 0.12 },
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

  const verdicts = BOUNDS.map((bound) => judge(bound, values(bound.scenario, bound.metric)));
  for (const { kept, text } of verdicts) console.log(`${kept ? "ok" : "FAILED"}: ${text}`);
  const broken = verdicts.filter(({ kept }) => !kept).length;
  if (broken > 0) {
    console.log(`Ours is slower than it should be: ${broken} of the bounds are broken`);
  }
  return broken > 0 ? 1 : 0;
}

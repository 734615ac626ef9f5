/**
 * How many tasks several workers run and settle per second, each in a process of its own.
 *
 * @module
 */

import { type Cost, costMetrics, perUnit } from "../cost.ts";
import { Crew } from "../crew.ts";
import type { Scenario } from "../scenario.ts";

const COUNT = 100_000;
const CONCURRENCY = 100;

/** By how many there are. */
export const workers: readonly Scenario[] = [crewOf(2), crewOf(4)];

function crewOf(size: number): Scenario {
  const { rate, clientCpu, redisCpu, redisCommands } = costMetrics("task");
  return {
    name: `workers-${size}`,
    title: `${size} workers at concurrency ${CONCURRENCY}`,
    metrics: { rate, clientCpu, redisCpu, redisCommands },
    needs: ["server"],

    async measure(stage) {
      await using crew = new Crew(stage, size, {
        concurrency: CONCURRENCY,
        practice: COUNT / 10 / size,
      });
      await crew.ready();
      await stage.fill({ count: COUNT });

      const cost = await stage.during(() => crew.settle(COUNT));

      const whole: Cost = { ...cost, clientMicros: crew.micros };
      return perUnit(whole, COUNT);
    },
  };
}

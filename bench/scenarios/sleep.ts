/**
 * How well a worker keeps many slow handlers going.
 *
 * @module
 */

import { perUnit } from "../cost.ts";
import { drain } from "../drain.ts";
import type { Scenario } from "../scenario.ts";

/** Milliseconds that each handler waits. */
const NAP = 5;

/** By how many sleep at once. */
export const sleeps: readonly Scenario[] = [sleeping(100, 20_000), sleeping(1_000, 50_000)];

function sleeping(concurrency: number, count: number): Scenario {
  const ideal = concurrency / (NAP / 1_000);
  return {
    name: `sleep-${concurrency}`,
    title: `handlers of ${NAP} ms at concurrency ${concurrency.toLocaleString("en")}`,
    metrics: {
      rate: { label: "per second" },
      share: { label: `of ${ideal.toLocaleString("en")} per second, the ideal, %`, digits: 1 },
      clientCpu: { label: "client CPU µs per task", digits: 1 },
    },
    needs: ["wait"],

    async measure(stage) {
      const handler = () => nap;
      const { rate, clientCpu } = perUnit(
        await drain(stage, { concurrency, count, handler }),
        count,
      );
      return { rate, share: 100 * rate / ideal, clientCpu };
    },
  };
}

function nap(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, NAP));
}

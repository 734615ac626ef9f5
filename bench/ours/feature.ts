/**
 * What a feature costs: tasks that do nothing, drained with it beside the same without it, in turn.
 *
 * @module
 */

import { Docket, type Tasks, Worker } from "../../mod.ts";
import type { Cost } from "../cost.ts";
import type { Customer } from "../load.ts";
import { summarize } from "../measure.ts";
import type { Sample, Scenario } from "../scenario.ts";
import type { Stage } from "../stage.ts";
import { turns } from "../turns.ts";

/** Makes the tasks; `end` is to be called when one of them ends. */
export type WithFeature = (end: (customer: Customer) => void) => Tasks;

const COUNT = 10_000;
const CONCURRENCY = 100;
const PASSES = 3;

/** A scenario that drains with the feature and without. */
export function feature(name: string, title: string, having: WithFeature): Scenario {
  return {
    name,
    title,
    metrics: {
      rate: { label: "drained per second" },
      share: { label: "of what is drained without it, %" },
      redisCommands: { label: "Redis commands per task", digits: 2 },
    },
    needs: ["docket"],

    async measure(stage: Stage): Promise<Sample> {
      const ways = [(end) => ({ welcome: end }), having] as const satisfies WithFeature[];
      const [without, withIt] = ways.map((): Cost[] => []);
      for (const way of ways) await drain(stage, way); // warms up
      for (let pass = 0; pass < PASSES; pass++) {
        for (const way of turns(ways, pass)) {
          (way === having ? withIt : without).push(await drain(stage, way));
        }
      }
      const seconds = median(withIt, ({ seconds }) => seconds);
      const sample = {
        rate: COUNT / seconds,
        share: 100 * median(without, ({ seconds }) => seconds) / seconds,
      };
      if (stage.place.storage === "memory") return sample;
      return { ...sample, redisCommands: median(withIt, ({ server }) => server!.commands) / COUNT };
    },
  };
}

function median(costs: readonly Cost[], of: (cost: Cost) => number): number {
  return summarize(costs.map(of)).median;
}

async function drain(stage: Stage, having: WithFeature): Promise<Cost> {
  await using docket = await Docket.connect({ name: "bench", url: stage.place.url });
  await stage.fill({ count: COUNT });
  return await stage.during(() => drainAll(docket, having));
}

async function drainAll(docket: Docket, having: WithFeature): Promise<void> {
  const done = new AbortController();
  let left = COUNT;
  docket.register(having(() => {
    if (--left === 0) done.abort();
  }));
  await using worker = new Worker(docket, { concurrency: CONCURRENCY });
  await worker.runForever({ signal: done.signal });
}

/**
 * How soon the last of many tasks runs that are due at one instant.
 *
 * @module
 */

import { wallClock } from "../measure.ts";
import type { Scenario } from "../scenario.ts";
import type { Stage } from "../stage.ts";

const COUNT = 10_000;

/** Time to schedule them all before, in milliseconds; as often doubled as it is too short for a contender. */
const LEAD = 2_500;

/** Ten thousand at midnight. */
export const dueAtOnce: Scenario = {
  name: "due-at-once",
  title: `${COUNT.toLocaleString("en")} tasks due at one instant`,
  metrics: { all: { label: "until the last of them runs, ms" } },
  needs: ["schedule"],

  async measure(stage) {
    for (let lead = LEAD;; lead *= 2) {
      const all = await lastOf(stage, `bench-${lead}`, lead);
      if (all !== undefined) return { all };
    }
  },
};

/** Milliseconds from the instant until the last has begun; nothing when the first were due before the last were there. */
async function lastOf(stage: Stage, name: string, lead: number): Promise<number | undefined> {
  const now = wallClock();
  let last = 0;
  const queue = await stage.open(name);
  const worker = await queue.worker(100, () => {
    last = now(); // returned it would be the result
  });
  const due = Math.ceil(now()) + lead;
  await stage.fill({ name, count: COUNT, due });
  const inTime = now() < due;
  if (inTime) await worker.run(COUNT);
  await worker.close();
  await queue.close();
  return inTime ? last - due : undefined;
}

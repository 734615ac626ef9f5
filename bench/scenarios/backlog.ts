/**
 * Whether a million tasks that wait slow down those that run.
 *
 * @module
 */

import { drain, settle } from "../drain.ts";
import type { Ability } from "../queue.ts";
import type { Scenario } from "../scenario.ts";
import type { Stage } from "../stage.ts";

const BACKLOG = 1_000_000;
const COUNT = 20_000;
const CONCURRENCY = 100;

/** Milliseconds until what is scheduled is due: long after all is measured. */
const LATER = 3_600_000;

/** By what the million waits for. */
export const backlogs: readonly Scenario[] = [
  backlog("pending", ["bulk", "server"], (stage) => stage.fill({ count: BACKLOG, bulk: true })),
  backlog("scheduled", ["bulk", "server", "schedule"], async (stage) => {
    await stage.fill({ count: BACKLOG, bulk: true, due: Date.now() + LATER });
    await stage.fill({ count: COUNT });
  }),
];

function backlog(
  kind: string,
  needs: readonly Ability[],
  prepare: (stage: Stage) => Promise<void>,
): Scenario {
  return {
    name: `backlog-${kind}`,
    title: `backlog of ${BACKLOG.toLocaleString("en")} ${kind}`,
    metrics: {
      rate: { label: "drained per second at concurrency 100" },
      share: { label: `of what is drained with ${COUNT.toLocaleString("en")} there, %`, digits: 1 },
    },
    needs,

    async measure(stage) {
      const alone = await drain(stage, { name: "alone", concurrency: CONCURRENCY, count: COUNT });
      const queue = await stage.open();
      await prepare(stage);
      const { seconds } = await settle(stage, queue, { concurrency: CONCURRENCY, count: COUNT });
      await queue.close();
      return { rate: COUNT / seconds, share: 100 * alone.seconds / seconds };
    },
  };
}

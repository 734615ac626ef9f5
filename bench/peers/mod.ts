/**
 * Ours beside others: BullMQ and bee-queue, tuned as their documentation says, and the least that Redis must do.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { type Contender, docketOn } from "../contender.ts";
import { askProgram } from "../process.ts";
import type { Results } from "../results.ts";
import type { Sample, Scenario } from "../scenario.ts";
import { addsAwaited, addsInFlight } from "../scenarios/adds.ts";
import { drains } from "../scenarios/drain.ts";
import { latency } from "../scenarios/latency.ts";
import { type Column, measured, ratio } from "../table.ts";
import { install, node, version } from "./install.ts";

/** What all of them can do. */
export const compared: readonly Scenario[] = [addsAwaited, addsInFlight, ...drains, latency];

const script = fileURLToPath(new URL("main.mjs", import.meta.url));

/** Installs the peers, and gives ours and them, all on this server. */
export async function peers(url: string): Promise<readonly Contender[]> {
  await install();
  return [
    docketOn({ storage: "redis", url }, "docket", "Docket"),
    peer(url, "docket", "docket-node", `Docket on Node ${await version("node")}`),
    peer(url, "bullmq", "bullmq", `BullMQ ${await version("bullmq")}`),
    peer(url, "bee_queue", "bee-queue", `bee-queue ${await version("bee-queue")}`),
    peer(url, "floor", "floor", "raw floor"),
  ];
}

function peer(url: string, peer: string, name: string, title: string): Contender {
  const ask = <Answer>(what: string, scenario: string) =>
    askProgram<object, Answer>(node, [script], { peer, url, what, scenario });
  return {
    name,
    title,
    async measure(scenario) {
      if (drains.includes(scenario)) await ask("fill", scenario.name);
      return await ask<Sample>(scenario.name, scenario.name);
    },
  };
}

/** How ours compares: in the runtime that it is made for, and in that of the peers. */
export function ratios(results: Results): readonly Column[] {
  const of = (name: string) => measured(results, { name, title: name });
  return [
    ratio("Docket / BullMQ", of("docket"), of("bullmq")),
    ratio("on Node / BullMQ", of("docket-node"), of("bullmq")),
  ];
}

/**
 * Ours in Node, and beside it BullMQ and bee-queue, tuned as their documentation says, and the least that Redis must do.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { type Contender, contender } from "../contender.ts";
import { floorLacks } from "../floor.ts";
import type { Ability } from "../queue.ts";
import type { Results } from "../results.ts";
import { type Column, measured, ratio } from "../table.ts";
import { node, version } from "./install.ts";

const script = fileURLToPath(new URL("main.mjs", import.meta.url));

/** Those that run in Node, on this server, once they are installed. */
export async function peers(url: string): Promise<readonly Contender[]> {
  const place = { storage: "redis", url } as const;
  const program = { command: node, args: [script] };

  function peer(peer: string, name: string, title: string, lacks: readonly Ability[]): Contender {
    return contender({ peer, name, title, lacks, program, place });
  }

  return [
    peer("docket", "docket-node", `on Redis, Node ${await version("node")}`, ["docket"]),
    peer("bullmq", "bullmq", `BullMQ ${await version("bullmq")}`, ["docket"]),
    peer("bee_queue", "bee-queue", `bee-queue ${await version("bee-queue")}`, ["docket"]),
    peer("floor", "floor", "raw floor", floorLacks),
  ];
}

/** How ours compares: in the runtime that it is made for, and in that of the peers. */
export function ratios(results: Results): readonly Column[] {
  const of = (name: string) => measured(results, { name, title: name });
  return [
    ratio("ours / BullMQ", of("docket"), of("bullmq")),
    ratio("on Node / BullMQ", of("docket-node"), of("bullmq")),
  ];
}

/**
 * Run by Deno: measures ours, or the floor, once, in this process.
 *
 * @module
 */

import { Redis } from "ioredis";
import * as docket from "../mod.ts";
import { docketOf } from "./docket.ts";
import { floorOf } from "./floor.ts";
import { own } from "./ours/mod.ts";
import { watchedParts } from "./ours/watched.ts";
import { perform } from "./perform.ts";
import { answer } from "./process.ts";
import type { Open } from "./queue.ts";
import { common } from "./scenarios/mod.ts";
import type { Order } from "./stage.ts";

const opens: Readonly<Record<string, Open>> = { docket: docketOf(docket), floor: floorOf(Redis) };

await answer((order: Order) =>
  perform(order, [...common, ...own, ...watchedParts], { open: opens[order.peer], Redis })
);

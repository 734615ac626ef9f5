/**
 * Run by Node: measures one peer once, in this process. A peer is a module with `open`.
 *
 * @module
 */

import { Redis } from "ioredis";
import { perform } from "../perform.ts";
import { answer } from "../process.ts";
import { common } from "../scenarios/mod.ts";

await answer(async (order) => {
  const { open } = await import(`./${order.peer}.mjs`);
  return await perform(order, common, { open, Redis });
});

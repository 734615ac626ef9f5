/** The Redis storage keeps the contract in a cluster too: every docket is in one slot, on whichever node. */

import { after, before } from "node:test";
import { systemClock } from "../../src/base/clock.ts";
import { randomId } from "../../src/base/ids.ts";
import { openStorage } from "../../src/storage/open.ts";
import { conformance } from "../../src/testing/conformance/mod.ts";
import { assertNoLeaks } from "../_leaks.ts";
import { Sharded } from "../faults/_cluster.ts";

const LIMITS = { recordTtl: 60_000, commandTimeout: 5_000, connectTimeout: 5_000 };

let sharded: Sharded;
before(async () => {
  sharded = await Sharded.start(0);
});
after(() => sharded[Symbol.asyncDispose]());

conformance("redis+cluster", () => {
  const docket = `test-${randomId()}`;
  const url = sharded.url();
  const open = (name: string) => openStorage(url, { docket: name, clock: systemClock, ...LIMITS });
  return Promise.resolve({
    open: () => open(docket),
    neighbour: () => open(`${docket}.too`),
    advance: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    check: async () => assertNoLeaks(await sharded.ownerOf(docket), docket),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
});

/**
 * F46: the storage keeps the whole contract as the user that docs/production.md documents, who may do nothing else. The
 * server's log of refusals stays empty, so nothing was tried and quietly done without.
 *
 * @module
 */

import { deepStrictEqual as deepEqual } from "node:assert/strict";
import { after, before, test } from "node:test";
import { Redis } from "ioredis";
import { type OwnRedis, startRedis } from "../../scripts/redis.ts";
import { systemClock } from "../../src/base/clock.ts";
import { randomId } from "../../src/base/ids.ts";
import type { Storage } from "../../src/storage/contract.ts";
import { openStorage } from "../../src/storage/open.ts";
import { conformance } from "../../src/testing/conformance/mod.ts";
import { assertNoLeaks } from "../_leaks.ts";
import { limitedUrl } from "./_acl.ts";

const LIMITS = { recordTtl: 60_000, commandTimeout: 5_000, connectTimeout: 5_000 };

let server: OwnRedis;
let admin: Redis;

before(async () => {
  server = await startRedis();
  admin = new Redis(server.socket, { protocol: 2 });
});

after(async () => {
  admin.disconnect();
  await server[Symbol.asyncDispose]();
});

conformance("F46 redis as a limited user", () => {
  const docket = `test-${randomId()}`;
  return Promise.resolve({
    open: () => open(docket),
    neighbour: () => open(`${docket}.too`),
    advance: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    check: () => assertNoLeaks(server.url, docket),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
});

test("F46 a limited user was refused nothing but a close look at the server", async () => {
  const log = await admin.call("ACL", "LOG", "1000") as unknown[][];
  const refused = new Set(log.map((entry) => entry[entry.indexOf("object") + 1]));

  deepEqual([...refused].sort(), ["info", "memory|usage", "scan"]); // of which nothing depends
});

async function open(docket: string): Promise<Storage> {
  const url = await limitedUrl(admin, server.port, docket);
  return await openStorage(url, { docket, clock: systemClock, ...LIMITS });
}

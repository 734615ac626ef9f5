/** The Redis storage keeps the contract. */

import { env } from "node:process";
import { systemClock } from "../../src/base/clock.ts";
import { randomId } from "../../src/base/ids.ts";
import { openStorage } from "../../src/storage/open.ts";
import { conformance } from "../../src/testing/conformance/mod.ts";
import { assertNoLeaks } from "../_leaks.ts";

const url = env.REDIS_URL;
if (!url) throw new Error("Cannot test the Redis storage: set REDIS_URL, or run `deno task test`");

const LIMITS = { recordTtl: 60_000, commandTimeout: 5_000, connectTimeout: 5_000 };

conformance("redis", () => {
  const docket = `test-${randomId()}`;
  const open = (name: string) => openStorage(url, { docket: name, clock: systemClock, ...LIMITS });
  return Promise.resolve({
    open: () => open(docket),
    neighbour: () => open(`${docket}.too`),
    advance: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    check: () => assertNoLeaks(url, docket),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
});

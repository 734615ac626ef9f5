/**
 * How long the command line takes to be there: five times what is promised, so that a slow machine passes and a mistake
 * does not.
 *
 * @module
 */

import { ok } from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { startup } from "../../bench/ours/startup.ts";

test("docket version and docket worker start quickly", async () => {
  const url = process.env.REDIS_URL;
  ok(url, "REDIS_URL is not set: `deno task test` does that");

  const { empty, version, firstClaim } = await startup.measure({
    place: { storage: "redis", url },
  });

  ok(version - empty < 5 * 150, `docket version takes ${version} ms, an empty script ${empty} ms`);
  ok(firstClaim < 5 * 500, `docket worker claims its first task after ${firstClaim} ms`);
});

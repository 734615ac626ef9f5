/** The leak check finds what it is there to find (invariant 80). */

import { rejects } from "node:assert/strict";
import { env } from "node:process";
import { test } from "node:test";
import { Redis } from "ioredis";
import { randomId } from "../../src/base/ids.ts";
import { assertNoLeaks } from "../_leaks.ts";

const url = env.REDIS_URL;
if (!url) throw new Error("Cannot test the leak check: set REDIS_URL, or run `deno task test`");

/** What a bug might leave behind. */
const LEFTOVERS: Readonly<Record<string, readonly [command: string, ...args: string[]]>> = {
  "a live task": ["HSET", "state", "a", "Q0"],
  "a body": ["HSET", "tasks", "a", "{}"],
  "a deferred replacement": ["HSET", "next", "a", "…"],
  "a due entry": ["ZADD", "due", "1", "a"],
  "a key in the background": ["SADD", "background", "a"],
  "an advertised worker": ["ZADD", "workers", "1", "w"],
  "a failed task that is listed for ever": ["ZADD", "failed", "1", "a"],
  "a report of a run": ["SET", "p:a", "…", "EX", "100"],
  "a stream entry": ["XADD", "stream", "*", "k", "a"],
  "a call's memory": ["HSET", "calls", "worker0", "1"],
  "a record without a time to live": ["SET", "r:a", "C"],
  "a key that nobody knows": ["SET", "odd", "1"],
};

for (const [what, [command, name, ...args]] of Object.entries(LEFTOVERS)) {
  test(`assertNoLeaks() finds ${what}`, async () => {
    const docket = `test-${randomId()}`;
    const redis = new Redis(url, { protocol: 2 });
    await assertNoLeaks(url, docket);

    await redis.call(command, `{${docket}}:${name}`, ...args);

    await rejects(assertNoLeaks(url, docket), { name: "AssertionError" });
    await redis.del(`{${docket}}:${name}`);
    redis.disconnect();
  });
}

test("assertNoLeaks() finds a consumer and what is pending with it", async () => {
  const docket = `test-${randomId()}`;
  const stream = `{${docket}}:stream`;
  const redis = new Redis(url, { protocol: 2 });
  await redis.xgroup("CREATE", stream, "workers", "0", "MKSTREAM");
  const id = await redis.xadd(stream, "*", "k", "a");
  await redis.xreadgroup("GROUP", "workers", "w", "COUNT", 1, "STREAMS", stream, ">");
  await redis.xdel(stream, id!);

  await rejects(assertNoLeaks(url, docket), { name: "AssertionError" });

  await redis.xgroup("DELCONSUMER", stream, "workers", "w");
  await assertNoLeaks(url, docket);
  await redis.del(stream);
  redis.disconnect();
});

/**
 * F46: a user of Redis with the rights that docs/production.md lists can do everything that a docket does; one that lacks
 * a right is told which.
 *
 * @module
 */

import {
  deepStrictEqual as deepEqual,
  match,
  ok,
  rejects,
  strictEqual as equal,
} from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { Redis } from "ioredis";
import { type OwnRedis, startRedis } from "../../scripts/redis.ts";
import {
  ConcurrencyLimit,
  ConnectionError,
  Docket,
  Perpetual,
  Retry,
  task,
  Worker,
} from "../../mod.ts";
import { systemClock } from "../../src/base/clock.ts";
import { keysOf } from "../../src/storage/redis/keys.ts";
import { neededCommands } from "../../src/storage/redis/permissions.ts";
import { openStorage } from "../../src/storage/open.ts";
import { assertNoLeaks } from "../_leaks.ts";
import { captureLogs } from "../_logs.ts";
import { limitedUrl, PASSWORD } from "./_acl.ts";

const logged = captureLogs("warning");

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

const flaky = task(
  "flaky",
  { retry: new Retry({ attempts: 2 }), limit: new ConcurrencyLimit({ max: 1 }) },
  async ({ execution, progress }, n: number): Promise<number> => {
    await progress.update({ total: 2, current: 1 });
    if (execution.attempt === 1) throw new Error("once more");
    return n;
  },
);

const tick = task(
  "tick",
  { perpetual: new Perpetual({ every: "5ms", automatic: true }) },
  (): void => {},
);

test("F46 a docket and its worker live with the documented rights, and ask for no others", async () => {
  const name = "limited";
  const url = await limitedUrl(admin, server.port, name);
  await admin.call("ACL", "LOG", "RESET");
  {
    await using docket = await Docket.connect({ name, url, tasks: [flaky, tick] });
    await using worker = new Worker(docket, { redeliveryTimeout: "400ms" });
    const limited = await docket.addAll([1, 2, 3].map((n) => docket.call(flaky)(n)));
    await docket.add(flaky, { key: "later", delay: "1h" })(4);
    await docket.replace(flaky, { key: "later", delay: "10ms" })(5);
    await docket.strike({ task: "nothing" });
    await docket.restore({ task: "nothing" });
    await docket.add(flaky, { key: "cancelled", delay: "1h" })(6);
    await docket.cancel("cancelled");
    await worker.runAtMost({ tick: 3 });

    deepEqual(await Promise.all(limited.map((one) => one.result())), [1, 2, 3]);
    equal((await docket.execution("later"))?.state, "completed");
    equal((await docket.failed()).length, 0);
    await docket.add(flaky, { key: "cleared", delay: "1h" })(7);
    equal(await docket.clear(), 1);
  }
  await assertNoLeaks(server.url, name);

  const refused = (await admin.call("ACL", "LOG") as unknown[][])
    .map((entry) => entry[entry.indexOf("object") + 1]);
  deepEqual(refused, ["info"]); // which is optional
  const used: readonly string[] = (await admin.info("commandstats")).match(/^cmdstat_[a-z]+/gm) ??
    [];
  for (const forbidden of ["keys", "config", "flushall", "flushdb", "debug"]) {
    ok(!used.includes(`cmdstat_${forbidden}`), forbidden);
  }
  const complaints = logged.map(({ message }) => message.join(""));
  deepEqual(complaints.filter((text) => !text.endsWith("tried again: once more")), []);
});

/** What is needed only for what is due later. */
const SOON: ReadonlySet<string> = new Set(["TIME", "PUBLISH"]);

for (const command of ["XADD", "HSET", "TIME", "PUBLISH", "EVALSHA"]) {
  test(`F46 without ${command} an add is refused with an error that names it`, async () => {
    const name = `without-${command.toLowerCase()}`;
    const url = await limitedUrl(admin, server.port, name, [`-${command.toLowerCase()}`]);
    await using docket = await Docket.connect({ name, url });

    await rejects(docket.add(flaky, { delay: SOON.has(command) ? "1ms" : 0 })(1), (error) => {
      ok(error instanceof ConnectionError);
      match(error.message, new RegExp(`: NOPERM .*\\b${command}\\b`, "i"));
      ok(!error.message.includes(PASSWORD));
      return true;
    });
  });
}

test("F46 a user for other keys is told so", async () => {
  const url = await limitedUrl(admin, server.port, "orders");
  await using docket = await Docket.connect({ name: "invoices", url });

  const message =
    /: NOPERM the user may not touch the keys and channels that begin with "\{invoices\}:"$/;
  await rejects(docket.add(flaky)(1), { name: "ConnectionError", message });
});

test("F46 a worker says when it starts which commands are missing, in one line", async () => {
  const name = "half";
  const url = await limitedUrl(admin, server.port, name, ["-type", "-rename", "-zadd"]);
  await using docket = await Docket.connect({ name, url });
  await using worker = new Worker(docket);
  const run = worker.runForever();

  const told = () => logged.filter(({ properties }) => properties.about === "permissions");
  for (let n = 0; n < 2_000 && told().length === 0; n++) await pause(5);
  await worker.close();
  await run;

  deepEqual(told().map(({ message }) => message.join("")), [
    'The user of Redis may not run ZADD, RENAME, TYPE on what begins with "{half}:": ' +
    "allow it what Docket's guide to production lists",
  ]);
});

test("F46 what is asked of permissions is every command that the storage gives, and no other", async () => {
  const known = new Set(await admin.call("COMMAND", "LIST") as string[]);
  const given = new Set<string>();
  const folder = new URL("../../src/storage/redis/", import.meta.url);
  for (const file of await readdir(folder, { recursive: true })) {
    if (!file.endsWith(".ts") || EXAMINING.has(file)) continue;
    const source = await readFile(new URL(file, folder), "utf8");
    for (const [, word] of source.matchAll(/["']([A-Z]{3,})["']/g)) {
      if (known.has(word.toLowerCase())) given.add(word);
    }
    for (const [, word] of source.matchAll(/\bredis\.(ping|subscribe|unsubscribe)\(/g)) {
      given.add(word.toUpperCase());
    }
  }

  const asked = new Set(neededCommands(keysOf("docket")).map(([name]) => name));
  deepEqual([...asked].sort(), [...given].sort());
});

test("F46 asking for permissions is no attempt: nothing is written, and nothing is logged as refused", async () => {
  const docket = "asked";
  const limits = { recordTtl: 1_000, connectTimeout: 5_000, commandTimeout: 5_000 };
  const url = await limitedUrl(admin, server.port, docket, ["-@all", "+eval", "+evalsha", "+info"]);
  await using storage = await openStorage(url, {
    docket,
    clock: systemClock,
    lazy: true,
    ...limits,
  });
  await admin.call("ACL", "LOG", "RESET");

  const { findings } = await storage.inspect();

  equal(findings[0]?.about, "permissions");
  const refused = (await admin.call("ACL", "LOG") as unknown[][])
    .map((entry) => entry[entry.indexOf("object") + 1]);
  deepEqual(refused.filter((one) => one !== "client|setname" && one !== "config|get"), []);
  deepEqual(await admin.keys(`{${docket}}:*`), []);
});

// Each question that may be forbidden, what is noted then, and what is not told.
for (
  const [command, unknown, ...lost] of [
    ["INFO", "the server", "server"],
    ["CONFIG", "snapshots"],
    ["XINFO", "consumers", "consumer", "abandoned"],
    ["EXISTS", "workers", "abandoned"],
    ["HLEN", "state", "entries"],
    ["SCAN", "keys", "records", "lasting"],
    ["MEMORY", "memory", "bytes"],
    ["EVALSHA", "keys that stay", "lasting"],
  ]
) {
  test(`F46 without ${command} a docket is examined all the same, and what is unknown is named`, async () => {
    const docket = `examined-without-${command.toLowerCase()}`;
    const limits = { recordTtl: 1_000, connectTimeout: 5_000, commandTimeout: 5_000 };
    const rights = ["+info", "+scan", "+memory|usage", "+config|get", `-${command.toLowerCase()}`];
    const url = await limitedUrl(admin, server.port, docket, rights);
    const stream = `{${docket}}:stream`;
    await admin.xgroup("CREATE", stream, "workers", "0", "MKSTREAM");
    await admin.xadd(stream, "*", "k", "a");
    await admin.xreadgroup("GROUP", "workers", "gone", "STREAMS", stream, ">");
    await admin.hset(`{${docket}}:state`, "a", "x");
    await admin.set(`{${docket}}:r:forgotten`, "stays");
    await using storage = await openStorage(url, { docket, clock: systemClock, ...limits });

    const examined = await storage.examine({ silence: -1 }); // who was heard of just now is silent too

    const found = examined.findings.map(({ about }) => about);
    const family = (name: string) => examined.families.find((one) => one.name === name);
    const told = {
      server: examined.server !== undefined,
      consumer: examined.consumers?.length === 1,
      abandoned: found.includes("consumers"),
      queue: examined.queue.entries === 1,
      entries: family("state")?.entries === 1,
      bytes: family("state")?.bytes !== undefined,
      "nothing that is not there": examined.families.every(({ entries }) => entries !== 0),
      records: family("r:")?.keys === 1,
      lasting: found.includes("keys"),
    };
    deepEqual(Object.entries(told).filter(([, is]) => !is).map(([part]) => part), lost);
    const refused = new RegExp(`^(.+): NOPERM .*'${command}\\b`, "i");
    const parts = examined.unknown.map((line) => refused.exec(line)?.[1]);
    equal(parts[0], unknown);
    ok(!parts.includes(undefined), examined.unknown.join("\n"));
  });
}

/** What only looks, where it may. */
const EXAMINING: ReadonlySet<string> = new Set([
  "cluster.ts",
  "failures.ts", // codes of errors
  "permissions.ts",
  "inspector.ts",
  "sentinels.ts",
  "families.ts",
]);

/**
 * `docket doctor`: what is wrong, and what there is.
 *
 * @module
 */

import {
  deepStrictEqual as deepEqual,
  doesNotMatch,
  match,
  ok,
  strictEqual as equal,
} from "node:assert/strict";
import { test } from "node:test";
import { Redis } from "ioredis";
import { Docket, task, Worker } from "../../mod.ts";
import { type OwnRedis, startRedis } from "../../scripts/redis.ts";
import { limitedUrl } from "../faults/_acl.ts";
import { Rewriter } from "../faults/_rewriter.ts";
import { type Output, run } from "./_docket.ts";

interface Report {
  readonly docket: string;
  readonly url: string;
  readonly server: string | null;
  readonly clock: { readonly offset: number; readonly bound: number };
  readonly findings: readonly { readonly about: string; readonly text: string }[];
  readonly unknown: readonly string[];
  readonly families: readonly {
    readonly name: string;
    readonly keys: number;
    readonly entries: number | null;
    readonly bytes: number | null;
  }[];
  readonly partial: boolean;
  readonly queue: { readonly entries: number; readonly pending: number };
  readonly consumers: readonly { readonly pending: number; readonly alive: boolean }[];
}

const SOUND = ["--appendonly", "yes"];

const echo = task("echo", (_context, text: string): string => text);

doctorTest("docket doctor finds nothing wrong with a docket that is well", async (server) => {
  await using docket = await Docket.connect({ url: server.url, tasks: [echo] });
  const worker = new Worker(docket, { name: "well" });
  await docket.addAll([1, 2, 3].map((n) => docket.call(echo, { key: `${n}` })("x")));
  await worker.runUntilFinished();
  await docket.add(echo, { key: "later", delay: "1h" })("secret argument");
  await docket.add(echo, { key: "now" })("secret argument");

  const [told, report] = [await doctor(server.url), await examined(server.url)];

  deepEqual([told.code, told.stderr], [0, ""]);
  const [head, clock, queue, consumers, ...rest] = told.stdout.trimEnd().split("\n");
  match(head, /^docket at redis:\/\/127\.0\.0\.1:\d+\/0, (Redis|Valkey) \d/);
  match(clock, /^clock: \d+ ms (behind|ahead of) the storage's, give or take \d+ ms$/);
  equal(queue, "queue: 1 task, 0 of them handed out");
  equal(consumers, "consumers: 0, 0 of them without a worker");
  match(rest[0], /^KEYS +WHAT THEY HOLD +HOW MANY +ENTRIES +ABOUT$/);
  ok(rest.some((line) => /^r: +records of what ended +3 +\d+ B$/.test(line)), told.stdout);
  equal(rest.at(-1), "Nothing is wrong that could be seen");
  ok(!told.stdout.includes("secret argument"));

  const { families, ...others } = report;
  deepEqual(others.findings, []);
  deepEqual(others.unknown, []);
  equal(others.partial, false);
  deepEqual(others.queue, { entries: 1, pending: 0 });
  ok(Math.abs(others.clock.offset) <= others.clock.bound + 5, JSON.stringify(others.clock));
  const sizes = families.map(({ name, keys, entries }) => [name, keys, entries]);
  for (const size of [["state", 1, 2], ["due", 1, 1], ["stream", 1, 1], ["r:", 3, null]]) {
    ok(sizes.some((one) => `${one}` === `${size}`), `${size} in ${sizes.join("; ")}`);
  }
  ok(families.every(({ bytes }) => bytes !== null && bytes > 0));
});

doctorTest(
  "docket doctor exits with 1 for what puts tasks at risk, and names it",
  async (server) => {
    const admin = new Redis(server.socket, { protocol: 2 });
    await admin.config("SET", "maxmemory-policy", "volatile-ttl");
    await admin.set("{docket}:r:forgotten", "stays");
    await admin.set("{docket}:stranger\x1b[31m", "stays");

    const [told, report] = [await doctor(server.url), await examined(server.url)];
    admin.disconnect();

    equal(told.code, 1);
    deepEqual(report.findings.map(({ about }) => about), ["eviction", "keys"]);
    match(told.stdout, /^Wrong \(eviction\): .*volatile-ttl.*noeviction$/m);
    match(told.stdout, /^Wrong \(keys\): .*forgotten/m);
    ok(!told.stdout.includes("\x1b"));
  },
);

doctorTest("docket doctor counts who has no worker, and what they hold", async (server) => {
  const admin = new Redis(server.socket, { protocol: 2 });
  const stream = "{docket}:stream";
  await admin.xgroup("CREATE", stream, "workers", "0", "MKSTREAM");
  await admin.xadd(stream, "*", "k", "x");
  await admin.xreadgroup("GROUP", "workers", "gone~1", "STREAMS", stream, ">");
  admin.disconnect();

  const [told, report] = [await doctor(server.url), await examined(server.url)];

  match(told.stdout, /^queue: 1 task, 1 of them handed out$/m);
  match(told.stdout, /^consumers: 1, 1 of them without a worker$/m);
  deepEqual(report.queue, { entries: 1, pending: 1 });
  deepEqual(report.consumers.map(({ pending, alive }) => ({ pending, alive })), [
    { pending: 1, alive: false },
  ]);
  deepEqual(report.findings, []); // it may be about to say that it is there
});

doctorTest(
  "docket doctor works with the documented rights, and says what it could not see",
  async (server) => {
    const admin = new Redis(server.socket, { protocol: 2 });
    const limited = await limitedUrl(admin, server.port, "orders");
    const report = await examined(limited, "orders");

    deepEqual(report.findings, []);
    equal(report.server, null);
    equal(report.partial, true);
    deepEqual(
      report.unknown.map((line) => line.split(":")[0]).sort(),
      ["keys", "the server"],
    );

    const more = await limitedUrl(admin, server.port, "orders", [
      "+info",
      "+scan",
      "+memory|usage",
    ]);
    deepEqual((await examined(more, "orders")).unknown, []);

    const less = await limitedUrl(admin, server.port, "orders", ["-zadd", "-xinfo"]);
    const told = await doctor(less, "orders");
    admin.disconnect();
    equal(told.code, 1);
    match(told.stdout, /^Unknown: consumers: NOPERM .*'xinfo/m);
    doesNotMatch(told.stdout, /handed out|^consumers:/m); // and nothing is told of them
    match(told.stdout, /^Wrong \(permissions\): The user of Redis may not run XINFO, ZADD on /m);
  },
);

doctorTest(
  "docket doctor tells when this machine's clock is another than the server's",
  async (server) => {
    const century = `${Date.now()}`.slice(0, 2); // of seconds: three years
    const time = (digits: string) => `*2\r\n$10\r\n${digits}`;
    await using rewriter = await Rewriter.open(
      server.port,
      time(century),
      time(`${Number(century) + 1}`),
    );

    const told = await doctor(`redis://127.0.0.1:${rewriter.port}`);

    equal(told.code, 1);
    match(told.stdout, /^clock: \d{11,12} ms behind the storage's, give or take \d+ ms$/m);
    match(
      told.stdout,
      /^Wrong \(clock\): This machine's clock is 1157d \d+h behind the storage's, /m,
    );
  },
);

/** Declares a test with a Redis of its own. */
function doctorTest(sentence: string, body: (server: OwnRedis) => Promise<void>): void {
  test(sentence, async () => {
    await using server = await startRedis({ args: SOUND });
    await body(server);
  });
}

function doctor(url: string, docket = "docket", ...args: string[]): Promise<Output> {
  return run(["doctor", ...args], { env: { DOCKET_URL: url, DOCKET_NAME: docket } });
}

async function examined(url: string, docket?: string): Promise<Report> {
  const { stdout, stderr } = await doctor(url, docket, "--json");
  equal(stderr, "");
  return JSON.parse(stdout);
}

/**
 * What a worker says when it starts of a Redis that may lose its tasks: each thing once, and what to do about it.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, match, ok, strictEqual as equal } from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Redis } from "ioredis";
import { type OwnRedis, startRedis } from "../../scripts/redis.ts";
import type { LogRecord } from "@logtape/logtape";
import { Docket, Worker } from "../../mod.ts";
import { systemClock } from "../../src/base/clock.ts";
import type { Storage } from "../../src/storage/contract.ts";
import { openStorage } from "../../src/storage/open.ts";
import { altered } from "../_harness.ts";
import { captureLogs } from "../_logs.ts";
import { limitedUrl, PASSWORD } from "./_acl.ts";
import { Rewriter } from "./_rewriter.ts";

const logged = captureLogs("debug");

const SOUND = ["--appendonly", "yes"];

test("F20 a worker warns once of a Redis that evicts, and says what to set", async () => {
  await using server = await startRedis({ args: SOUND });
  const admin = new Redis(server.socket, { protocol: 2 });

  await work(server.url);
  deepEqual(warnings(), []);

  await admin.config("SET", "maxmemory-policy", "allkeys-lru");
  await work(server.url);
  deepEqual(warnings(), [
    "Redis may delete tasks when its memory is full: its maxmemory-policy is allkeys-lru; set it to noeviction",
  ]);
  admin.disconnect();
});

test("F16 a worker warns once of a Redis that keeps nothing on disk", async () => {
  const forgetful = await said(["--save", ""]);
  deepEqual(forgetful, [
    'Redis keeps nothing on disk (appendonly no, save ""): when it stops, everything on the docket may be lost; ' +
    "set appendonly yes",
  ]);

  deepEqual(await said(["--save", "3600 1"]), []);
  deepEqual(await said(SOUND), []);
});

test("F16 a worker that may not ask how Redis is configured judges by what it has done", async () => {
  await using server = await startRedis({ args: ["--save", "3600 1"] });
  const admin = new Redis(server.socket, { protocol: 2 });
  const url = await limitedUrl(admin, server.port, "limited", ["+info"]);

  await work(url, "limited");
  equal(warnings().length, 1);
  match(warnings()[0], /^Redis keeps no append-only file, and has made no snapshot since /);

  await admin.call("SAVE");
  await work(url, "limited");
  equal(warnings().length, 1); // no more than before
  admin.disconnect();
});

test("F46 a worker that may not ask for INFO says so in one line, for who debugs", async () => {
  await using server = await startRedis();
  const admin = new Redis(server.socket, { protocol: 2 });
  const url = await limitedUrl(admin, server.port, "limited");

  await work(url, "limited");

  deepEqual(warnings(), []);
  const lines = logged.filter(({ level }) => level === "debug").map(textOf);
  const [line, ...more] = lines.filter((text) => text.startsWith("Not everything "));
  match(line, /^Not everything could be looked at: the server: NOPERM .*'info'/);
  deepEqual(more, []);
  ok(!lines.some((text) => text.includes(PASSWORD)));
  admin.disconnect();
});

test("A worker warns of a Redis that is too old", async () => {
  await using server = await startRedis({ args: SOUND });
  const [, version] = /redis_version:(\S+)/.exec(await infoOf(server)) ?? [];
  const old = "6.0.9999".slice(0, version.length);
  await using rewriter = await Rewriter.open(
    server.port,
    `redis_version:${version}`,
    `redis_version:${old}`,
  );

  await work(`redis://127.0.0.1:${rewriter.port}`);

  equal(warnings().length, 1);
  match(warnings()[0], / is too old: Docket needs Redis 6\.2 or later, or Valkey$/);
});

test("A worker in memory has nothing to warn of", async () => {
  await work("memory://startup-checks");

  deepEqual(warnings(), []);
  ok(!logged.some((record) => textOf(record).startsWith("Not everything ")));
});

/** What a worker warns of on a server with these arguments. */
async function said(args: readonly string[]): Promise<readonly string[]> {
  const before = warnings().length;
  await using server = await startRedis({ args });
  await work(server.url);
  return warnings().slice(before);
}

/** Runs a worker until it has looked at its storage, and said what it thinks of that. */
async function work(url: string, name = "docket"): Promise<void> {
  const limits = { recordTtl: 1_000, connectTimeout: 5_000, commandTimeout: 5_000 };
  const storage = await openStorage(url, { docket: name, clock: systemClock, ...limits });
  const inspected = new EventTarget();
  const told = once(inspected, "told");
  const inspect: Storage["inspect"] = async (options) => {
    const inspection = await storage.inspect(options);
    setTimeout(() => inspected.dispatchEvent(new Event("told"))); // by then it is in the log
    return inspection;
  };
  await using docket = await Docket.connect({ name, storage: altered(storage, { inspect }) });
  await using worker = new Worker(docket);
  const run = worker.runForever();
  await told;
  await worker.close();
  await run;
}

function warnings(): readonly string[] {
  return logged.filter(({ level }) => level === "warning").map(textOf);
}

function textOf({ message }: LogRecord): string {
  return message.join("");
}

async function infoOf({ socket }: OwnRedis): Promise<string> {
  const redis = new Redis(socket, { protocol: 2 });
  try {
    return await redis.info();
  } finally {
    redis.disconnect();
  }
}

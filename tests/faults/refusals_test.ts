/**
 * Servers that answer, and refuse (invariants 70, 71, 78).
 *
 * F19 and F37 stand in `tests/fundamentals/redis_outages_test.ts` and `tests/storage/full_test.ts`, where a real server is
 * full or forgets scripts; F18 and F21 stand there too, for one that is really busy or really a replica.
 *
 * @module
 */

import { ok, rejects, strictEqual as equal } from "node:assert/strict";
import { mkdir, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { Redis } from "ioredis";
import { type OwnRedis, startRedis } from "../../scripts/redis.ts";
import { Docket, StorageFullError, task } from "../../mod.ts";
import { assertNoLeaks } from "../_leaks.ts";
import { FakeRedis } from "./_fake_redis.ts";
import { type FaultStage, faultTest, quick, secondsSince, Tally } from "./_stage.ts";

const LOADING = "LOADING Redis is loading the dataset in memory";

for (const database of [0, 1]) {
  faultTest(
    `F17 a Redis that is still loading is waited for (database ${database})`,
    async (stage) => {
      await using fake = await FakeRedis.before(stage.server.port);
      const url = fake.url.replace(/0$/, `${database}`);
      fake.refuse({ error: LOADING, times: 8 });

      const start = performance.now();
      const docket = await Docket.connect({ name: stage.name, url });
      stage.afterwards(() => void docket.close());

      equal(fake.refused.length, 8);
      ok(fake.refused.includes("PING") || database === 1, `${fake.refused}`);
      stage.figure(`connected ${secondsSince(start)} s after the start, eight refusals later`);
      await docket.close();
    },
  );
}

faultTest(
  "F17 connecting to a Redis that never ends loading fails in time, and says so",
  async (stage) => {
    await using fake = await FakeRedis.before(stage.server.port);
    fake.refuse({ error: LOADING, times: Infinity });

    const connecting = Docket.connect({ name: stage.name, url: fake.url, connectTimeout: 300 });

    await rejects(connecting, { code: "CONNECTION", message: /is loading the dataset/ });
  },
);

/** What a server says that will say something else soon. */
const PASSING: Readonly<Record<string, string>> = {
  LOADING,
  BUSY: "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
  READONLY: "READONLY You can't write against a read only replica.",
  NOREPLICAS: "NOREPLICAS Not enough good replicas to write.",
  TRYAGAIN: "TRYAGAIN Multiple keys request during rehashing of slot",
  CLUSTERDOWN: "CLUSTERDOWN The cluster is down",
  MASTERDOWN: "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
  UNBLOCKED: "UNBLOCKED client unblocked via CLIENT UNBLOCK",
  "too many clients": "ERR max number of clients reached",
};

for (const [what, error] of Object.entries(PASSING)) {
  faultTest(`F18 ${what} is waited out by adds and workers alike`, async (stage) => {
    await using fake = await FakeRedis.before(stage.server.port);
    const docket = await stage.connect({ url: fake.url });
    const tally = new Tally();
    const note = task("note", ({ key }): string => {
      tally.count(key);
      return key;
    });
    docket.register(note);
    await docket.add(note, { key: "before" })();
    const worker = stage.start(docket, quick);
    await stage.eventually(() => tally.runs.size === 1);

    fake.refuse({ error, times: 8 });
    const added = await stage.soon(docket.add(note, { key: "during" })());
    equal(added.disposition, "scheduled");
    equal(await stage.soon(added.result()), "during");
    await stage.eventually(() => fake.refused.length === 8);
    const after = await docket.add(note, { key: "after" })();
    equal(await stage.soon(after.result()), "after");

    equal(tally.repeated.length, 0);
    await stage.soon(worker.close());
    await docket.close();
  });
}

// The name of the server leads to its successor, as after a failover: whoever stays connected is not served any more.
faultTest(
  "F21 a server that became a replica is left, by readers and listeners too",
  async (stage) => {
    await using next = await startRedis({
      args: ["--replicaof", `127.0.0.1 ${stage.server.port}`],
    });
    const docket = await stage.through();
    const note = task("note", ({ key }): string => key);
    docket.register(note);
    const worker = stage.start(docket, quick);
    await stage.soon((await docket.add(note)()).result());
    await stage.eventually(async () => {
      const info = await stage.admin.info("replication");
      return /slave0:.*state=online/.test(info);
    });
    await stage.idle();
    const old = stage.proxy.ports;

    await failOver(stage, next);
    const start = performance.now();
    const added = await stage.soon(docket.add(note)());
    equal(await stage.soon(added.result()), added.key);
    const took = secondsSince(start);
    await stage.eventually(() => old.every((port) => !stage.proxy.ports.includes(port)));

    await worker.close();
    await docket.close();
    await assertNoLeaks(next.url, stage.name);
    stage.forget(); // the old server has nothing of it any more
    stage.figure(`run ${took} s after the failover, and nobody was connected to the old server`);
  },
  ["--repl-diskless-sync-delay", "0"],
);

faultTest(
  "F58 a Redis that cannot save refuses adds at once, and is used again when it can",
  async (stage) => {
    const docket = await stage.connect();
    const tally = new Tally();
    const release = Promise.withResolvers<void>();
    stage.afterwards(() => release.resolve());
    const note = task("note", async ({ key }): Promise<string> => {
      tally.count(key);
      if (key === "running") await release.promise;
      return key;
    });
    docket.register(note);
    const worker = stage.start(docket, quick);
    const running = await docket.add(note, { key: "running" })();
    const later = await docket.add(note, { key: "later", delay: 300 })();
    await stage.eventually(() => tally.runs.size === 1);
    const disk = await brokenDisk(stage);

    const start = performance.now();
    await rejects(docket.add(note, { key: "refused" })(), (error) => {
      ok(error instanceof StorageFullError, String(error));
      ok(/cannot save to its disk, and nothing was written/.test(error.message), error.message);
      return true;
    });
    const took = secondsSince(start);
    release.resolve(); // its end cannot be written down for now
    await stage.sleep(400);
    equal(await docket.execution("refused"), undefined);
    equal((await docket.execution("running"))?.state, "running");

    await disk.repair();
    const back = performance.now();
    equal(await stage.soon(running.result()), "running");
    equal(await stage.soon(later.result()), "later");
    const resumed = secondsSince(back);
    equal((await docket.add(note, { key: "refused" })()).disposition, "scheduled");
    await stage.finish(docket);

    equal(tally.repeated.length, 0);
    await worker.close();
    stage.figure(`refused after ${took} s; went on ${resumed} s after it could save`);
  },
);

/** Makes the replica the master, under the name of the old one, which follows it then. */
async function failOver({ admin, proxy }: FaultStage, next: OwnRedis): Promise<void> {
  const other = new Redis(next.socket, { protocol: 2 });
  await other.call("REPLICAOF", ["NO", "ONE"]);
  proxy.redirect(next.port);
  await admin.call("REPLICAOF", ["127.0.0.1", next.port]);
  other.disconnect();
}

/** Something lies where the server would save to: it stops taking writes. */
async function brokenDisk(stage: FaultStage): Promise<Disk> {
  const [, directory] = await stage.admin.config("GET", "dir") as string[];
  const obstacle = join(directory, "dump.rdb");
  await mkdir(obstacle);
  await stage.admin.config("SET", "save", "3600 1");
  await save(stage, "err");
  return {
    async repair() {
      await rmdir(obstacle);
      await save(stage, "ok");
    },
  };
}

interface Disk {
  repair(): Promise<void>;
}

async function save(stage: FaultStage, how: "ok" | "err"): Promise<void> {
  await stage.admin.bgsave();
  await stage.eventually(async () => {
    const info = await stage.admin.info("persistence");
    return info.includes(`rdb_last_bgsave_status:${how}`) &&
      info.includes("rdb_bgsave_in_progress:0");
  });
}

/**
 * Adds that wait for replicas: they resolve when the task is safe from the death of the master, and say so when it is not.
 *
 * @module
 */

import {
  deepStrictEqual as deepEqual,
  ok,
  rejects,
  strictEqual as equal,
  throws,
} from "node:assert/strict";
import process from "node:process";
import { startRedis } from "../../scripts/redis.ts";
import { NotReplicatedError, task } from "../../mod.ts";
import { onEveryStorage, onMemory, onOwnRedis, type OwnRedisStage } from "../_harness.ts";

const echo = task("echo", (_context, word: string): string => word);

/** How often a command was called, inside of scripts as well. */
async function callsOf({ admin }: OwnRedisStage, command: string): Promise<number> {
  const info = await admin.info("commandstats");
  return Number(new RegExp(`^cmdstat_${command}:calls=(\\d+)`, "m").exec(info)?.[1] ?? 0);
}

onEveryStorage("Docket.add({ durability })", (test) => {
  test("refuses what says nothing", async (stage) => {
    const docket = await stage.connect();
    const add = (durability: unknown) => () => docket.add(echo, { durability } as never);

    throws(add(1), { name: "TypeError", message: /"durability": give \{ replicas, timeout \}/ });
    throws(add({}), { name: "RangeError", message: /undefined for "durability.replicas"/ });
    throws(add({ replicas: 0 }), RangeError);
    throws(add({ replicas: 1.5 }), RangeError);
    throws(add({ replicas: 1, timeout: 0 }), RangeError);
    throws(add({ replicas: 1, timeout: "soon" }), /"durability.timeout"/);
    throws(add({ replica: 1 }), { name: "TypeError", message: /"replica" for durability/ });
    await rejects(docket.addAll([], { durability: { replicas: -1 } }), RangeError);
    await rejects(docket.addAll([], { durable: true } as never), /"durable" for addAll\(\)/);
    throws(() => docket.call(echo, { durability: { replicas: 1 } } as never), TypeError);
    equal((await docket.snapshot()).counts.queued, 0);
  });
});

onMemory("Docket.add({ durability })", (test) => {
  test("does not wait, as there is nothing to lose", async (stage) => {
    const docket = await stage.connect();

    const execution = await docket.add(echo, { durability: { replicas: 3 } })("hello");

    equal(execution.disposition, "scheduled");
    await stage.finish(docket);
    equal(await execution.result(), "hello");
  });
});

onOwnRedis("Docket.add({ durability })", (test) => {
  test("rejects when there are not enough replicas, and says that the task may exist", async (stage) => {
    const docket = await stage.connect();

    const adding = docket.add(echo, { key: "k", durability: { replicas: 1, timeout: 20 } })(
      "hello",
    );

    const error = await adding.then(() => undefined, (error) => error);
    ok(error instanceof NotReplicatedError, String(error));
    deepEqual([error.code, error.replicas, error.acknowledged], ["NOT_REPLICATED", 1, 0]);
    equal(
      error.message,
      `Cannot schedule tasks durably: ${stage.url}: 0 of 1 replicas confirmed within 20 ms; the tasks may exist`,
    );
    equal((await docket.execution("k"))?.state, "queued");
  });

  test("resolves when they have it, whatever became of it", async (stage) => {
    await using _replica = await follower(stage);
    const docket = await stage.connect();
    const durability = { replicas: 1, timeout: "10s" };
    const options = { key: "k", durability };

    const dispositions = [
      await docket.add(echo, options)("one"),
      await docket.add(echo, options)("two"),
      await docket.replace(echo, options)("three"),
      ...await docket.addAll([docket.call(echo, { key: "l" })("four")], { durability }),
    ].map(({ disposition }) => disposition);

    deepEqual(dispositions, ["scheduled", "exists", "scheduled", "scheduled"]);
    equal(await stage.admin.hlen(`{${stage.name}}:state`), 2);
  });

  test("rejects also of a task that was there, when replicas are behind", async (stage) => {
    await using replica = await follower(stage);
    const docket = await stage.connect();
    const options = { key: "k", durability: { replicas: 1, timeout: 50 } } as const;
    process.kill(replica.pid, "SIGSTOP");

    await rejects(docket.add(echo, options)("one"), NotReplicatedError);
    // A connection that wrote nothing itself has nothing to wait for.
    await rejects(docket.add(echo, options)("two"), NotReplicatedError);
    const other = await stage.connect();
    await rejects(other.add(echo, options)("three"), NotReplicatedError);

    process.kill(replica.pid, "SIGCONT");
    const patient = { ...options, durability: { replicas: 1, timeout: "10s" } };
    equal((await docket.add(echo, patient)("four")).disposition, "exists");
  });

  test("waits once for all that are added together, and holds up nobody else", async (stage) => {
    await using replica = await follower(stage);
    const docket = await stage.connect();
    await docket.add(echo)("what is struck has been looked at");
    process.kill(replica.pid, "SIGSTOP");
    const durability = { replicas: 1, timeout: "30s" };

    let settled = 0;
    const durable = Promise.all(
      Array.from({ length: 50 }, async (_, n) => {
        await docket.add(echo, { durability })(`${n}`);
        settled++;
      }),
    );
    await stage.eventually(async () => await callsOf(stage, "wait") === 1);
    await docket.add(echo)("another");
    await docket.add(echo, { durability: { replicas: 1, timeout: 1 } })("short").catch(() => {});

    equal(settled, 0);
    process.kill(replica.pid, "SIGCONT");
    await durable;
    equal(await callsOf(stage, "wait"), 2);
  });

  test("waits for each caller as many replicas as it asks for", async (stage) => {
    await using _replica = await follower(stage);
    const docket = await stage.connect();
    const add = (replicas: number, timeout: number) =>
      docket.add(echo, { durability: { replicas, timeout } })("hello");

    const outcomes = await Promise.allSettled([add(1, 10_000), add(2, 20), add(1, 10_000)]);

    deepEqual(outcomes.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled"]);
  });

  test("costs those nothing who do not ask for it", async (stage) => {
    const docket = await stage.connect();

    await docket.add(echo)("one");
    await docket.addAll([docket.call(echo)("two")]);

    deepEqual([await callsOf(stage, "wait"), await callsOf(stage, "set")], [0, 0]);
  });

  test("says so too when Redis has no memory left for more", async (stage) => {
    const docket = await stage.connect();
    await docket.add(echo, { key: "k" })("one");
    await stage.admin.config("SET", "maxmemory", "1");

    const adding = docket.add(echo, { key: "k", durability: { replicas: 1, timeout: 20 } })("two");

    await rejects(
      adding,
      (error: Error) => ["NotReplicatedError", "StorageFullError"].includes(error.name),
    );
    await stage.admin.config("SET", "maxmemory", "0");
  });
}, ["--repl-diskless-sync-delay", "0"]);

/** A replica that is there already. */
async function follower(stage: OwnRedisStage): Promise<Awaited<ReturnType<typeof startRedis>>> {
  const replica = await startRedis({ args: ["--replicaof", "127.0.0.1", `${stage.server.port}`] });
  await stage.eventually(async () =>
    /slave0:.*state=online/.test(await stage.admin.info("replication"))
  );
  return replica;
}

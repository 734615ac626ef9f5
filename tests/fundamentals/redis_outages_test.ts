/**
 * When Redis fails, stalls, fills up or forgets: workers back off and go on, tasks that run keep running, and closing
 * always returns.
 *
 * @module
 */

import {
  deepStrictEqual as deepEqual,
  ok,
  rejects,
  strictEqual as equal,
} from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { ConnectionError, type Execution, StorageFullError, task } from "../../mod.ts";
import { startRedis } from "../../scripts/redis.ts";
import { aborted, onOwnRedis, type OwnRedisStage } from "../_harness.ts";

/** Backs off for so long at most, so that tests need not wait. */
const quick = { reconnectionDelay: 50 } as const;

/** Cuts every connection but the operator's. */
async function cutAll({ admin }: OwnRedisStage): Promise<void> {
  await admin.call("CLIENT", ["KILL", "TYPE", "normal", "SKIPME", "yes"]);
  await admin.call("CLIENT", ["KILL", "TYPE", "pubsub"]);
}

onOwnRedis("A worker whose connections are cut", (test) => {
  // F25, 70, 72: what was delivered into a cut connection is taken up at once, not after its lease of 30 seconds
  test("runs each task once, in time", async (stage) => {
    const docket = await stage.connect();
    const producer = await stage.connect();
    const runs = new Map<string, number>();
    const note = task("note", async ({ key }): Promise<string> => {
      runs.set(key, (runs.get(key) ?? 0) + 1);
      await stage.sleep(2);
      return key;
    });
    docket.register(note);
    for (let n = 0; n < 2; n++) stage.start(docket, { ...quick, concurrency: 3 });
    const executions: Execution<string>[] = [];

    for (let round = 0; round < 40; round++) {
      const adding = Promise.all(
        Array.from({ length: 5 }, (_, n) => producer.add(note, { key: `${round}.${n}` })()),
      );
      await cutAll(stage);
      executions.push(...await adding);
      if (round % 4 === 0) await stage.sleep(5); // sometimes while they are idle
    }

    await stage.soon(Promise.all(executions.map((execution) => execution.result())));
    equal(runs.size, 200);
    deepEqual([...runs].filter(([, count]) => count !== 1), []);
  });

  // F52, 53, 72: nobody was told, and the next renewal is a quarter of a lease away
  test("hears at once of a cancel that came while it was deaf", async (stage) => {
    const docket = await stage.connect();
    const producer = await stage.connect();
    const started: string[] = [];
    const wait = task("wait", async ({ key, signal }): Promise<void> => {
      started.push(key);
      await aborted(signal);
      signal.throwIfAborted();
    });
    docket.register(wait);
    stage.start(docket, { ...quick, redeliveryTimeout: "1h" });
    for (let round = 0; round < 5; round++) {
      const execution = await producer.add(wait, { key: `${round}` })();
      await stage.eventually(() => started.length === round + 1);

      await stage.admin.call("CLIENT", ["KILL", "TYPE", "pubsub"]);
      await producer.cancel(execution.key);

      await stage.soon(rejects(execution.result(), { reason: "cancelled" }));
    }
  });

  // 30, 31, 70: running tasks keep running, and keep their leases
  test("keeps what it runs", async (stage) => {
    const docket = await stage.connect();
    const other = await stage.connect();
    let runs = 0;
    const long = task("long", async ({ signal }): Promise<boolean> => {
      runs++;
      await stage.sleep(1_500);
      return signal.aborted;
    });
    other.register(long);
    const execution = await docket.add(long)();
    stage.start(docket, { ...quick, redeliveryTimeout: 600 });
    await stage.eventually(() => runs === 1);
    stage.start(other, { ...quick, redeliveryTimeout: 600 });

    for (let round = 0; round < 12; round++) {
      await cutAll(stage);
      await stage.sleep(100);
    }

    equal(await stage.soon(execution.result()), false);
    equal(runs, 1);
  });

  // F52, 64, 53: hints come again, and until then results and cancels are found without
  test("hears cancels, and those who wait hear results", async (stage) => {
    const docket = await stage.connect();
    const other = await stage.connect();
    const release = Promise.withResolvers<void>();
    stage.afterwards(() => release.resolve());
    let started = 0;
    const hold = task("hold", async ({ signal }): Promise<string> => {
      started++;
      await Promise.race([
        release.promise,
        new Promise((resolve) => signal.addEventListener("abort", resolve)),
      ]);
      signal.throwIfAborted();
      return "done";
    });
    docket.register(hold);
    const one = await other.add<typeof hold>("hold", { key: "one" })();
    const two = await other.add<typeof hold>("hold", { key: "two" })();
    stage.start(docket, { ...quick, redeliveryTimeout: 400 });
    await stage.eventually(() => started === 2);
    const waiting = Promise.all([
      rejects(one.result(), { reason: "cancelled" }),
      two.result(),
    ]);

    await cutAll(stage);
    await other.cancel("one");
    await cutAll(stage);
    await stage.eventually(async () => (await one.refresh()).state === "cancelled");
    release.resolve();

    equal((await stage.soon(waiting))[1], "done");
  });
});

onOwnRedis("A worker whose Redis refuses", (test) => {
  // F21, 70, 71: READONLY means that somebody else is the master now, or will be
  test("waits until it accepts again", async (stage) => {
    const docket = await stage.connect();
    const seen: number[] = [];
    const started = Promise.withResolvers<void>();
    async function work(n: number): Promise<number> {
      seen.push(n);
      started.resolve();
      await stage.sleep(50);
      return n;
    }
    const running = await docket.add(work)(1);
    stage.start(docket, quick);
    await started.promise;

    await stage.admin.call("REPLICAOF", ["127.0.0.1", "1"]);
    const adding = docket.add(work)(2);
    await stage.sleep(150);
    const before = [...seen];
    await stage.admin.call("REPLICAOF", ["NO", "ONE"]);

    const added = await adding;
    deepEqual(before, [1]);
    equal(added.disposition, "scheduled");
    equal(await stage.soon(running.result()), 1);
    equal(await stage.soon(added.result()), 2);
    deepEqual(seen, [1, 2]);
  });

  // F18, 70: BUSY: somebody's script takes long
  test("waits until it is no longer busy", async (stage) => {
    const docket = await stage.connect();
    function work(n: number): number {
      return n;
    }
    docket.register(work);
    stage.start(docket, quick);
    await stage.admin.call("CONFIG", ["SET", "lua-time-limit", "20"]);
    const stuck = stage.admin.duplicate();
    stuck.on("error", () => {});
    const script = stuck.call("EVAL", ["while true do end", "0"]).catch(() => {});
    await stage.eventually(() =>
      stage.admin.call("PING").then(() => false, (error) => /BUSY/.test(String(error)))
    );

    const adding = docket.add(work)(1);
    await stage.sleep(60);
    await stage.admin.call("SCRIPT", ["KILL"]);
    await script;
    stuck.disconnect();

    equal(await stage.soon((await adding).result()), 1);
  });

  // F37, 70: NOSCRIPT, all the time
  test("sends its scripts again when they are forgotten", async (stage) => {
    const docket = await stage.connect();
    const runs = new Map<string, number>();
    const note = task("note", ({ key }): void => {
      runs.set(key, (runs.get(key) ?? 0) + 1);
    });
    stage.start(docket, quick);
    const executions: Execution<void>[] = [];

    for (let n = 0; n < 30; n++) {
      await stage.admin.call("SCRIPT", ["FLUSH"]);
      executions.push(await docket.add(note, { delay: n % 3 })());
    }

    await stage.soon(Promise.all(executions.map((execution) => execution.result())));
    deepEqual(new Set(runs.values()), new Set([1]));
    equal(runs.size, 30);
  });

  // 70: UNBLOCKED
  test("reads on when an operator interrupts it", async (stage) => {
    const docket = await stage.connect();
    function work(n: number): number {
      return n;
    }
    docket.register(work);
    stage.start(docket, quick);

    for (let n = 0; n < 5; n++) {
      const list = String(await stage.admin.call("CLIENT", ["LIST"]));
      for (const line of list.split("\n").filter((line) => line.includes("cmd=xreadgroup"))) {
        const id = /\bid=(\d+)/.exec(line)![1];
        await stage.admin.call("CLIENT", ["UNBLOCK", id, "ERROR"]);
      }
      equal(await stage.soon((await docket.add(work)(n)).result()), n);
    }
  });
});

onOwnRedis("A Redis that is full", (test) => {
  // F19, 78: nothing half-written, while claiming and settling still drain
  test("refuses what is added with a StorageFullError, and is drained all the same", async (stage) => {
    const docket = await stage.connect();
    const storage = await stage.open();
    const seen: number[] = [];
    function work(n: number): number {
      seen.push(n);
      return n;
    }
    const executions = await Promise.all(
      Array.from({ length: 20 }, (_, n) => docket.add(work, { delay: n < 10 ? 0 : 30 })(n)),
    );
    await docket.add(work, { key: "victim", delay: "1h" })(-1);

    await stage.admin.config("SET", "maxmemory", "1");
    await rejects(docket.add(work, { key: "refused" })(100), StorageFullError);
    await rejects(docket.replace(work, { key: "victim" })(100), { code: "STORAGE_FULL" });
    const [refused, victim] = await storage.load(["refused", "victim"]);
    const count = await storage.count();
    equal(await docket.cancel("victim"), "cancelled");
    await stage.finish(docket, quick);

    deepEqual(Object.values(refused).filter((part) => part !== undefined), []);
    equal(victim.live?.state, "scheduled");
    equal(count, 21);
    deepEqual(seen.sort((a, b) => a - b), Array.from({ length: 20 }, (_, n) => n));
    for (const [n, execution] of executions.entries()) {
      equal((await execution.refresh()).state, "completed", `${n}`);
    }

    await stage.admin.config("SET", "maxmemory", "0");
    const accepted = await docket.add(work, { key: "refused" })(101);
    equal(accepted.disposition, "scheduled");
    await stage.finish(docket, quick);
    equal(seen.at(-1), 101);
  });
});

onOwnRedis("A Redis that forgets everything", (test) => {
  // F16, F42, 70: accepted tasks are lost, the worker is not
  test("is served on", async (stage) => {
    const docket = await stage.connect();
    const started = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    stage.afterwards(() => release.resolve());
    const seen: string[] = [];
    async function hold(text: string): Promise<string> {
      seen.push(text);
      started.resolve();
      if (text === "lost") await release.promise;
      return text;
    }
    const lost = await docket.add(hold, { key: "hold" })("lost");
    stage.start(docket, { ...quick, redeliveryTimeout: 400 });
    await started.promise;

    await stage.admin.flushall();
    const added = await docket.add(hold, { key: "hold" })("new");
    equal(await stage.soon(added.result()), "new");
    release.resolve(); // 19, 24: fenced; it writes nothing over the new one
    await stage.sleep(60);

    equal(added.disposition, "scheduled");
    equal(await added.result(), "new");
    await rejects(lost.result(), { code: "EXECUTION_EXPIRED" });
    deepEqual(seen, ["lost", "new"]);
  });

  // F41, 37: groups are created lazily and idempotently
  test("is served on also when only its group was destroyed", async (stage) => {
    const docket = await stage.connect();
    function work(n: number): number {
      return n;
    }
    const stream = `{${stage.name}}:stream`;
    stage.start(docket, quick);
    equal(await stage.soon((await docket.add(work)(1)).result()), 1);

    await stage.admin.xgroup("DESTROY", stream, "workers");
    equal(await stage.soon((await docket.add(work)(2)).result()), 2);
    await stage.admin.del(stream);
    equal(await stage.soon((await docket.add(work)(3)).result()), 3);
  });
});

onOwnRedis("A Redis that does not answer", (test) => {
  // 71: every command has a deadline; the message says that the task may exist
  test("fails an add in time, and is used again when it answers", async (stage) => {
    const docket = await stage.connect({ commandTimeout: 200 });
    function work(n: number): number {
      return n;
    }
    docket.register(work);
    stage.start(docket, quick);
    equal(await stage.soon((await docket.add(work)(1)).result()), 1);

    process.kill(stage.server.pid, "SIGSTOP");
    const adding = docket.add(work, { key: "k" })(2);
    await rejects(adding, (error) => {
      ok(error instanceof ConnectionError, String(error));
      ok(/may exist/.test(error.message), error.message);
      return true;
    });
    await rejects(docket.execution("k"), ConnectionError);
    process.kill(stage.server.pid, "SIGCONT");

    const third = await docket.add(work, { key: "k" })(3); // it may exist, and then it ran or runs
    await stage.soon(third.result());
    equal(await stage.soon((await docket.add(work)(4)).result()), 4);
  });

  // F60, 74: closing returns always
  test("lets worker and docket close", async (stage) => {
    const docket = await stage.connect({ commandTimeout: 200 });
    const started = Promise.withResolvers<void>();
    const work = task("work", async ({ signal }): Promise<void> => {
      started.resolve();
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      signal.throwIfAborted();
    });
    await docket.add(work)();
    const worker = stage.worker(docket, { ...quick, gracePeriod: 50 });
    const running = worker.runForever();
    await started.promise;

    process.kill(stage.server.pid, "SIGSTOP");
    await stage.soon(Promise.all([worker.close(), running]));
    await stage.soon(docket.close());
    process.kill(stage.server.pid, "SIGCONT");
    stage.forget(); // it could not sign off
  });

  // F60, 74: also while connecting
  test("lets a docket close that is connecting, and connecting be given up", async (stage) => {
    process.kill(stage.server.pid, "SIGSTOP");
    const enough = new Error("enough");

    await rejects(stage.connect({ signal: AbortSignal.abort(enough) }), enough);
    await rejects(stage.connect({ connectTimeout: 100 }), ConnectionError);
    const lazy = await stage.connect({ lazy: true, connectTimeout: 60_000 });
    const adding = rejects(lazy.add("work")(), { code: "CONNECTION" });
    await stage.soon(lazy.close());
    await stage.soon(adding);

    process.kill(stage.server.pid, "SIGCONT");
  });
});

onOwnRedis("A Redis that is gone", (test) => {
  // 74
  test("lets everything close, and fails what waits", async (stage) => {
    const docket = await stage.connect({ commandTimeout: 200 });
    const execution = await docket.add(function noop() {}, { delay: "1h" })();
    const worker = stage.worker(docket, quick);
    const running = worker.runForever();
    const waiting = rejects(execution.result(), { code: "CONNECTION" });
    await stage.sleep(20);

    process.kill(stage.server.pid, "SIGKILL");
    await rejects(docket.cancel(execution.key), ConnectionError);
    await stage.soon(Promise.all([worker.close(), running]));
    await stage.soon(docket.close());
    await waiting;
    stage.forget(); // there is nobody left to ask
  });

  // F15, 70: it comes back with what it had
  test("is used again when it comes back, and nothing is lost", async (stage) => {
    const directory = await mkdtemp(join(tmpdir(), "docket_fundamentals_"));
    const persistent = ["--dir", directory, "--appendonly", "yes", "--appendfsync", "always"];
    try {
      const first = await startRedis({ args: persistent });
      const { url, port } = first;
      const docket = await stage.connect({ url });
      const runs = new Map<string, number>();
      const note = task("note", async ({ key }, ms: number): Promise<string> => {
        runs.set(key, (runs.get(key) ?? 0) + 1);
        await stage.sleep(ms);
        return key;
      });
      const worker = stage.start(docket, { ...quick, concurrency: 3 });
      const executions = await Promise.all(
        Array.from({ length: 30 }, (_, n) => docket.add(note, { key: `${n}`, delay: n })(30)),
      );
      await stage.eventually(() => runs.size >= 6);

      await first[Symbol.asyncDispose](); // SIGKILL
      await stage.sleep(50);
      await using second = await startRedis({ args: persistent, port });
      equal(second.url, url);

      const keys = await stage.soon(Promise.all(executions.map((each) => each.result())));
      deepEqual(keys, executions.map(({ key }) => key));
      deepEqual([...runs].filter(([, count]) => count !== 1), []);
      await stage.soon(worker.close());
      await docket.close();
      stage.forget();
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});

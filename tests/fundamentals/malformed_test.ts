/**
 * What strangers and newer versions may leave behind: one bad entry never stops the others (invariants 5, 39, 69).
 *
 * @module
 */

import {
  deepStrictEqual as deepEqual,
  ok,
  rejects,
  strictEqual as equal,
} from "node:assert/strict";
import { Redis } from "ioredis";
import { randomId } from "../../src/base/ids.ts";
import { DocketError } from "../../mod.ts";
import { onEveryStorage, onRedis, type Stage } from "../_harness.ts";

/** Bodies that no docket wrote. */
const unreadable: Readonly<Record<string, string>> = {
  "nothing": "",
  "no JSON": "{nope",
  "a number": "42",
  "null": "null",
  "a list": "[]",
  "no task": `{"args":[]}`,
  "no arguments": `{"task":"good"}`,
  "odd arguments": `{"task":"good","args":{"0":1}}`,
  "an odd name": `{"task":["good"],"args":[]}`,
  "a prototype": `{"task":"good","args":[],"__proto__":{"task":"bad"}}`,
  "a hidden prototype": `{"task":"good","args":[{"\\u005f_proto__":1}]}`,
  "binary": "\u0000\u0001\ufffd",
};

/** Bodies that can be read, with arguments that cannot. */
const undecodable: Readonly<Record<string, string>> = {
  "an unknown form": JSON.stringify({ task: "good", args: '~[["Nonsense",1]]' }),
  "no list": JSON.stringify({ task: "good", args: "~[{}]" }),
  "broken text": JSON.stringify({ task: "good", args: "~[[" }),
  "no text": JSON.stringify({ task: "good", args: "" }),
};

async function plant(stage: Stage, bodies: Readonly<Record<string, string>>): Promise<void> {
  const storage = await stage.open();
  await storage.schedule(
    Object.entries(bodies).map(([key, body]) => (
      { key, generation: randomId(), mode: "add", due: undefined, body }
    )),
  );
}

onEveryStorage("A malformed message", (test) => {
  test("is parked as dead with its reason, and others run", async (stage) => {
    const docket = await stage.connect();
    let runs = 0;
    function good(): string {
      runs++;
      return "alive";
    }
    const first = await docket.add(good)();
    await plant(stage, unreadable);
    const last = await docket.add(good)();

    await stage.finish(docket, { concurrency: 1 });

    equal(await first.result(), "alive");
    equal(await last.result(), "alive");
    equal(runs, 2);
    for (const key of Object.keys(unreadable)) {
      const execution = await docket.execution(key);
      equal(execution?.state, "dead", key);
      await rejects(execution!.result(), { code: "EXECUTION_FAILED" });
      ok(/stored (message|value)/.test((execution!.error as Error).message), key);
    }
  });

  test("can be looked at, replaced and cancelled before it is claimed", async (stage) => {
    const docket = await stage.connect();
    await plant(stage, unreadable);
    function good(): string {
      return "alive";
    }

    for (const [index, key] of Object.keys(unreadable).entries()) {
      const execution = await docket.execution(key);
      equal(execution?.state, "queued");
      equal(typeof execution?.task, "string");
      if (index % 2 === 0) equal(await docket.cancel(key), "cancelled");
      else {
        await docket.replace(good, { key })();
      }
    }
    await stage.finish(docket);

    for (const [index, key] of Object.keys(unreadable).entries()) {
      equal((await docket.execution(key))?.state, index % 2 === 0 ? "cancelled" : "completed");
    }
  });

  test("leaves its key free", async (stage) => {
    const docket = await stage.connect();
    await plant(stage, unreadable);
    function good(): string {
      return "alive";
    }
    await stage.finish(docket);

    for (const key of Object.keys(unreadable)) {
      equal((await docket.add(good, { key })()).disposition, "scheduled");
    }
    await stage.finish(docket);

    for (const key of Object.keys(unreadable)) {
      equal((await docket.execution(key))?.state, "completed");
    }
  });
});

onEveryStorage("A malformed argument", (test) => {
  test("fails its own task only", async (stage) => {
    const docket = await stage.connect();
    let runs = 0;
    function good(): string {
      runs++;
      return "alive";
    }
    docket.register(good);
    await plant(stage, undecodable);
    const last = await docket.add(good)();

    await stage.finish(docket);

    equal(await last.result(), "alive");
    equal(runs, 1);
    for (const key of Object.keys(undecodable)) {
      const execution = await docket.execution(key);
      equal(execution?.state, "failed", key);
      equal(execution?.task, "good");
      ok(execution?.error instanceof Error);
    }
  });
});

// 69: malformed stored data gives a clear error
onEveryStorage("A malformed record", (test) => {
  test("still tells how the task ended", async (stage) => {
    const docket = await stage.connect();
    const storage = await stage.open();
    for (const [index, text] of ["", "|||", "x|y|%|z|~[[", "{", "1|2|web|t|~[9"].entries()) {
      const key = `k${index}`;
      const call = {
        key,
        generation: randomId(),
        mode: "add",
        due: undefined,
        body: "{}",
      } as const;
      await storage.schedule([call]);
      const token = randomId();
      const step = { consumer: `c~${index}`, lane: 0, call: 1, token, commits: [], from: ">" };
      const { claims } = await storage.step({ ...step, want: 1, maxDeliveries: 5 });
      equal(claims.length, 1);
      const settlement = { kind: "failed", text, ttl: 60_000 } as const;
      const commits = [{ key, token, settlement }];
      await storage.step({
        ...step,
        call: 2,
        token: randomId(),
        commits,
        want: 0,
        maxDeliveries: 5,
      });
      await storage.retire(`c~${index}`);

      const execution = await docket.execution(key);

      equal(execution?.state, "failed");
      await rejects(execution!.result(), { code: "EXECUTION_FAILED" });
    }
  });
});

// F34, F35, 5: what somebody planted is set aside; it crashes no loop and never stops the others
onRedis("Redis data that nobody of us wrote", (test) => {
  async function withRedis(stage: Stage, use: (redis: Redis) => Promise<void>): Promise<void> {
    const redis = new Redis(stage.url, { protocol: 2 });
    try {
      await use(redis);
    } finally {
      redis.disconnect();
    }
  }

  // 21: an entry that stands for nothing, or for what another entry stands for, goes in the step that meets it: none is left
  test("in the stream is passed over", async (stage) => {
    const docket = await stage.connect();
    const stream = `{${stage.name}}:stream`;
    let runs = 0;
    function good(): number {
      return ++runs;
    }
    await withRedis(stage, async (redis) => {
      await redis.xadd(stream, "*", "task", "good");
      await redis.xadd(stream, "*", "", "");
      await redis.xadd(stream, "*", "a", "1", "b", "2", "c", Buffer.from([0, 255]));
      const execution = await docket.add(good)();
      await redis.xadd(stream, "*", "k", execution.key);

      await stage.finish(docket);

      equal(await execution.result(), 1);
      equal(runs, 1);
    });
  });

  test("in the place of a record gives a clear error, or is replaced", async (stage) => {
    const docket = await stage.connect();
    const record = (key: string) => `{${stage.name}}:r:${key}`;
    function good(): string {
      return "alive";
    }
    await withRedis(stage, async (redis) => {
      await redis.set(record("text"), "nonsense", "PX", 60_000);
      await redis.sadd(record("set"), "wrong type");
      await redis.pexpire(record("set"), 60_000);
      for (const key of ["text", "set"]) {
        const looked = await docket.execution(key).catch((error) => error);
        ok(
          looked === undefined || looked instanceof DocketError || looked.key === key,
          `${key}: ${looked}`,
        );
      }

      const executions = [];
      for (const key of ["text", "set", "other"]) {
        executions.push(await docket.add(good, { key })());
      }
      await stage.finish(docket);

      const found = executions.map((execution) => execution.result({ timeout: 5_000 }));
      deepEqual(await stage.soon(Promise.all(found)), ["alive", "alive", "alive"]);
    });
  });

  // 5: a key of the wrong type costs what it held, and stops nothing else
  for (const name of ["failed", "dead", "graves", "automatic", "background", "next"]) {
    test(`in the place of "${name}" keeps no task from ending`, async (stage) => {
      const docket = await stage.connect();
      const storage = await stage.open();
      function good(): string {
        return "alive";
      }
      function bad(): void {
        throw new Error("whoops");
      }
      await withRedis(stage, async (redis) => {
        await redis.set(`{${stage.name}}:${name}`, "of the wrong type");
        const malformed = { key: "malformed", generation: randomId(), mode: "add" } as const;
        await storage.schedule([{ ...malformed, due: undefined, body: "no JSON" }]);
        const executions = [await docket.add(good)(), await docket.add(bad)()];
        const unknown = await docket.add("nobody knows it", { key: "unknown" })();

        const worker = stage.start(docket);
        const results = await stage.soon(Promise.allSettled(executions.map((one) => one.result())));
        await stage.eventually(async () => {
          return (await docket.execution("malformed"))?.state === "dead" &&
            (await unknown.refresh()).state === "scheduled";
        });
        await docket.cancel("unknown");
        await worker.close();

        deepEqual(results.map(({ status }) => status), ["fulfilled", "rejected"]);
        await redis.del(`{${stage.name}}:${name}`);
      });
    });
  }

  // 5, 6: what cannot be read is in nobody's way but its own
  for (const row of ["", "Q", "R", "S", "nonsense"]) {
    test(`in the place of a row ("${row}") fails nobody else's add, cancel or look`, async (stage) => {
      const docket = await stage.connect();
      function good(): string {
        return "alive";
      }
      await withRedis(stage, async (redis) => {
        await redis.hset(`{${stage.name}}:state`, "bad", row);

        const beside = docket.add(good, { key: "beside" })();
        const inTheWay = docket.add(good, { key: "bad" })().catch((error) => error);
        equal((await beside).disposition, "scheduled");
        ok(await inTheWay instanceof DocketError || (await inTheWay).key === "bad");
        const looks = ["bad", "beside"].map((key) => docket.execution(key).catch((error) => error));
        const [looked, seen] = await Promise.all(looks);
        ok(looked instanceof DocketError || looked.key === "bad", `${looked}`);
        equal(seen.state, "queued");
        const ends = [docket.cancel("beside"), docket.cancel("bad").catch((error) => error)];
        equal((await Promise.all(ends))[0], "cancelled");

        await redis.hdel(`{${stage.name}}:state`, "bad");
      });
    });
  }

  // 17: an entry without a task is dropped, and blocks no other
  test("among what is due is passed over", async (stage) => {
    const docket = await stage.connect();
    function good(): string {
      return "alive";
    }
    await withRedis(stage, async (redis) => {
      await redis.zadd(`{${stage.name}}:due`, 1, "nobody's", -5, "");

      const execution = await docket.add(good, { delay: 10 })();
      await stage.finish(docket);

      equal(await execution.result(), "alive");
      equal(await redis.zcard(`{${stage.name}}:due`), 0);
    });
  });

  // 6: all or nothing
  test('in the place of "due" has cancel and clear refused, and then nothing is written', async (stage) => {
    const docket = await stage.connect();
    const name = (key: string) => `{${stage.name}}:${key}`;
    function good(): string {
      return "alive";
    }
    await docket.add(good, { key: "scheduled", delay: "1h" })();
    await docket.add(good, { key: "queued" })();
    await withRedis(stage, async (redis) => {
      const photograph = async () => {
        const keys = (await redis.keys(name("*"))).sort();
        return await Promise.all(
          keys.map(async (key) => [key, (await redis.dumpBuffer(key))?.toString("hex")]),
        );
      };
      await redis.rename(name("due"), name("kept"));
      await redis.set(name("due"), "of another type");
      const before = await photograph();

      await rejects(docket.cancel("scheduled"), /WRONGTYPE/);
      await rejects(docket.cancel("queued"), /WRONGTYPE/);
      await rejects(docket.clear(), /WRONGTYPE/);
      const after = await photograph();
      await redis.rename(name("kept"), name("due"));

      deepEqual(after, before);
      equal(await docket.cancel("scheduled"), "cancelled");
      equal(await docket.clear(), 1);
    });
  });

  // 5: what is there for people to look at stops no worker
  for (const name of ["strikes", "workers"]) {
    test(`in the place of "${name}" keeps no task from running`, async (stage) => {
      const docket = await stage.connect({ heartbeatInterval: 20 });
      function good(): string {
        return "alive";
      }
      await withRedis(stage, async (redis) => {
        await redis.set(`{${stage.name}}:${name}`, "nonsense", "PX", 60_000);
        stage.start(docket, { reconnectionDelay: 20 });

        const executions = [await docket.add(good)(), await docket.add(good, { delay: 10 })()];

        const results = executions.map((execution) => execution.result());
        deepEqual(await stage.soon(Promise.all(results)), ["alive", "alive"]);
        await redis.del(`{${stage.name}}:${name}`);
      });
    });
  }
});

/**
 * Failovers by Sentinel: outages of seconds, in which nothing is lost that was added with durability.
 *
 * @module
 */

import { ok, rejects, strictEqual as equal } from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { test } from "node:test";
import { ConnectionError, Docket, NotReplicatedError, task } from "../../mod.ts";
import { perform } from "../_harness.ts";
import { Load, MovingStage } from "./_load.ts";
import { DOWN_AFTER, Watched } from "./_sentinel.ts";
import { documentedRules, PASSWORD } from "./_acl.ts";
import { Node } from "./_servers.ts";

const quick = { reconnectionDelay: 50, redeliveryTimeout: 1_500 } as const;

function watchedTest(
  sentence: string,
  body: (stage: MovingStage, watched: Watched) => Promise<void>,
): void {
  test(sentence, async () => {
    await using watched = await Watched.start();
    const stage = new MovingStage(watched.url, async () => (await watched.master()).server.url);
    await perform(stage, () => body(stage, watched));
  });
}

watchedTest(
  "F22 nothing that was added with durability dies with its master",
  async (stage, watched) => {
    const load = new Load(stage);
    const producer = await stage.connect({ commandTimeout: "20s" });
    for (let n = 0; n < 2; n++) {
      const docket = await stage.connect();
      load.join(docket);
      stage.start(docket, quick);
    }
    load.start(producer, { replicas: 1, timeout: 200 });
    await load.progress(40, "durable");

    const master = await watched.master();
    const killed = performance.now();
    await master.kill();
    await load.progress(10);
    const outage = performance.now() - killed;
    await load.progress(40);
    await load.stop();

    const losses = await load.losses(producer);
    console.log(
      `F22: back after ${Math.round(outage)} ms (down-after ${DOWN_AFTER}); ${losses}`,
    );
    ok(outage < 20_000, `it took ${outage} ms`);
  },
);

watchedTest("F22 a token that the new master never heard of is fenced", async (stage, watched) => {
  const docket = await stage.connect({ commandTimeout: "20s" });
  const other = await stage.connect();
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  stage.afterwards(() => gates.forEach(({ resolve }) => resolve()));
  let runs = 0;
  const hold = task("hold", async (): Promise<number> => {
    const run = runs++;
    await gates[run].promise;
    return run;
  });
  docket.register(hold);
  other.register(hold);
  const safe = { durability: { replicas: 2, timeout: "20s" } };
  const execution = await docket.add(hold, { key: "held", ...safe })();

  const master = await watched.master();
  const replicas = await watched.replicas();
  for (const replica of replicas) replica.freeze();
  await master.admin.call("CLIENT", ["KILL", "TYPE", "replica"]);
  const first = stage.start(docket, { ...quick, concurrency: 1 });
  await stage.eventually(() => runs === 1);
  await docket.add("unheard", { key: "unheard" })();
  const unsafe = { durability: { replicas: 1, timeout: 20 } };
  await rejects(docket.add("unheard", { key: "known to be", ...unsafe })(), NotReplicatedError);
  await master.kill();
  for (const replica of replicas) replica.thaw();
  await watched.moved(master);

  stage.start(other, quick);
  await stage.eventually(() => runs === 2);
  gates[0].resolve();
  await stage.soon(first.close());
  equal((await execution.refresh()).state, "running");
  gates[1].resolve();
  equal(await stage.soon(execution.result()), 1);
  equal(await other.execution("unheard"), undefined); // what a failover may lose
});

watchedTest(
  "F21 a master that is made a replica is left for the new one",
  async (stage, watched) => {
    const load = new Load(stage);
    const producer = await stage.connect({ commandTimeout: "20s" });
    const docket = await stage.connect();
    load.join(docket);
    stage.start(docket, quick);
    load.start(producer, { replicas: 2, timeout: 200 });
    await load.progress(20, "durable");

    await stage.connect(); // and does nothing that would show it
    const master = await watched.master();
    await watched.demote();
    await watched.moved(master);
    // Nobody is left behind, where what they write is lost. The sentinels let it take itself for the master for 8 seconds.
    await stage.eventually(async () => !await master.isUsedBy(stage.name));
    const [role] = await master.admin.call("ROLE") as unknown[];
    equal(role, "master", "they were sent away, and had not heard");
    await load.progress(20);
    await load.stop();

    await load.completed("durable");
  },
);

watchedTest(
  "F22 whoever connects is told of the master by any sentinel that answers",
  async (stage, watched) => {
    const [first, second] = watched.sentinels;
    first.freeze();
    await second[Symbol.asyncDispose]();

    await stage.connect();

    first.thaw();
    const url = watched.url.replace("/main/", "/mian/");
    const connecting = stage.connect({ url });
    await rejects(connecting, (error) => {
      ok(error instanceof ConnectionError);
      equal(error.message, `Cannot connect: ${url}: no sentinel knows a master of that name`);
      return true;
    });
  },
);

test("F22 a replica that is named as the master is not taken for it", async () => {
  await using master = await Node.start([]);
  await using replica = await Node.start(["--replicaof", "127.0.0.1", `${master.port}`]);
  const answer = `*2\r\n$9\r\n127.0.0.1\r\n$5\r\n${replica.port}\r\n`;
  const sentinel = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (data) => {
      for (const command of `${data}`.split(/(?=^\*\d+\r$)/m)) {
        socket.write(command.includes("get-master") ? answer : "+OK\r\n");
      }
    });
  }).listen(0, "127.0.0.1");
  await once(sentinel, "listening");
  const { port } = sentinel.address() as AddressInfo;

  const url = `redis+sentinel://127.0.0.1:${port}/main`;
  await rejects(Docket.connect({ url }), /named a slave/);

  sentinel.close();
});

watchedTest(
  "F46 a user who may do no more than is documented reaches the master",
  async (stage, watched) => {
    const rights = await documentedRules(stage.name);
    for (const { admin } of watched.nodes) {
      await admin.call("ACL", ["SETUSER", "docket", ...rights, "+role"]);
    }
    const watching = "on >watch +sentinel|get-master-addr-by-name +subscribe +ping &+switch-master";
    for (const { admin } of watched.sentinels) {
      await admin.call("ACL", ["SETUSER", "watcher", ...watching.split(" ")]);
      await admin.call("ACL", ["SETUSER", "default", "-sentinel|get-master-addr-by-name"]);
    }
    const url = watched.url.replace("//", `//docket:${PASSWORD}@`);
    const load = new Load(stage);
    const docket = await stage.connect({
      url: `${url}?sentinelUsername=watcher&sentinelPassword=watch`,
    });
    load.join(docket);
    stage.start(docket, quick);
    load.start(docket, { replicas: 1, timeout: 2_000 });

    await load.progress(10, "durable");
    await load.stop();

    const secrets = { url, redis: { sentinelUsername: "watcher", sentinelPassword: "wrong" } };
    await rejects(stage.connect(secrets), (error) => {
      ok(error instanceof ConnectionError && /WRONGPASS/.test(error.message), String(error));
      ok(!/limited|wrong/.test(error.message), error.message);
      return true;
    });
    await stage.close();
    for (const { admin } of watched.sentinels) {
      await admin.call("ACL", ["SETUSER", "default", "+@all"]);
    }
  },
);

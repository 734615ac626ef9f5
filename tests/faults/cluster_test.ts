/**
 * A docket in a Redis Cluster: its slot moves, and its node dies.
 *
 * @module
 */

import {
  deepStrictEqual as deepEqual,
  ok,
  rejects,
  strictEqual as equal,
} from "node:assert/strict";
import { test } from "node:test";
import { Docket, task } from "../../mod.ts";
import { perform } from "../_harness.ts";
import { NODE_TIMEOUT, Sharded } from "./_cluster.ts";
import { Load, MovingStage } from "./_load.ts";
import { documentedRules, PASSWORD } from "./_acl.ts";

const quick = { reconnectionDelay: 50 } as const;

function clusterTest(
  sentence: string,
  replicas: number,
  body: (stage: MovingStage, sharded: Sharded) => Promise<void>,
): void {
  test(sentence, async () => {
    await using sharded = await Sharded.start(replicas);
    const stage = new MovingStage(sharded.url(), (docket) => sharded.ownerOf(docket));
    await perform(stage, () => body(stage, sharded));
  });
}

clusterTest(
  "F23 a docket whose slot moves under load goes on there, each task once",
  0,
  async (stage, sharded) => {
    const slot = await sharded.slot(stage.name);
    const from = await sharded.owner(slot);
    const [to, third] = sharded.nodes.filter((node) => node !== from);
    const load = new Load(stage);
    const release = Promise.withResolvers<void>();
    stage.afterwards(() => release.resolve());
    let held = 0;
    const hold = task("hold", async ({ signal }): Promise<boolean> => {
      held++;
      await release.promise;
      return signal.aborted;
    });
    const producer = await stage.connect({ url: sharded.url([third]), commandTimeout: "20s" });
    for (const seed of [from, to]) {
      const docket = await stage.connect({ url: sharded.url([seed]) });
      load.join(docket);
      docket.register(hold);
      stage.start(docket, quick);
    }
    const holding = await producer.add(hold)();
    const cancelled = await producer.add(hold, { key: "later", delay: "1h" })();
    load.start(producer, undefined);
    await load.progress(20);
    await stage.eventually(() => held === 1);

    let standstill = 0;
    await sharded.move(slot, from, to, async () => {
      standstill = performance.now();
      const before = await sharded.answered("ASK");
      await stage.eventually(async () => await sharded.answered("ASK") >= before + 3);
    });
    standstill = performance.now() - standstill;
    const asked = await sharded.answered("ASK");
    await load.progress(20);
    await load.stop();
    release.resolve();

    const completed = await load.completed("plain");
    equal(await stage.soon(holding.result()), false);
    deepEqual([load.refused, load.repeated, held], [[], 0, 1]);
    equal(await cancelled.cancel(), "cancelled");
    await stage.eventually(async () => !await from.isUsedBy(stage.name)); // who listens has come along
    const moved = await sharded.answered("MOVED");
    ok(moved > 0 && asked > 0, `MOVED ${moved} times, ASK ${asked} times`);
    equal(await from.admin.dbsize(), 0); // nothing was made anew on the side that it left
    console.log(
      `F23: stood still for ${Math.round(standstill)} ms while its slot moved; ` +
        `0 of ${completed} lost, 0 run again; MOVED ${moved} times, ASK ${asked} times`,
    );
  },
);

clusterTest("F23 a docket whose node dies goes on at its replica", 1, async (stage, sharded) => {
  const owner = await sharded.owner(await sharded.slot(stage.name));
  const load = new Load(stage);
  // Of the node that will die alone: the others are heard of from it.
  const producer = await stage.connect({ url: sharded.url([owner]), commandTimeout: "20s" });
  const docket = await stage.connect();
  load.join(docket);
  stage.start(docket, { ...quick, redeliveryTimeout: 1_500 });
  load.start(producer, { replicas: 1, timeout: 200 });
  await load.progress(40, "durable");

  const killed = performance.now();
  await owner.kill();
  await load.progress(10);
  const outage = performance.now() - killed;
  await load.progress(20);
  await load.stop();

  const losses = await load.losses(producer);
  console.log(
    `F23: back after ${Math.round(outage)} ms (node timeout ${NODE_TIMEOUT}); ${losses}`,
  );
  ok(outage < 20_000, `it took ${outage} ms`);
});

clusterTest(
  "F46 a user who may do no more than is documented reaches the node",
  0,
  async (stage, sharded) => {
    const rights = await documentedRules(stage.name);
    for (const { admin } of sharded.nodes) {
      await admin.call("ACL", ["SETUSER", "docket", ...rights, "+cluster|slots"]);
      await admin.call("ACL", ["SETUSER", "default", "-@scripting"]);
    }
    const load = new Load(stage);
    const docket = await stage.connect({
      url: sharded.url().replace("//", `//docket:${PASSWORD}@`),
    });
    load.join(docket);
    stage.start(docket, quick);
    load.start(docket, undefined);

    await load.progress(10);
    await load.stop();
    await stage.close();
    for (const { admin } of sharded.nodes) await admin.call("ACL", ["SETUSER", "default", "+@all"]);
  },
);

test("F23 a cluster has one database", async () => {
  const url = "redis+cluster://user:secret@127.0.0.1:1/5";
  await rejects(Docket.connect({ url }), {
    name: "TypeError",
    message: "Cannot use a database other than 0 in a cluster",
  });
});

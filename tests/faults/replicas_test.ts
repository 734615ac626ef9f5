/**
 * What WAIT counts has changed with Redis 7.2: only what its own connection wrote. An add that finds its task there already
 * has written nothing, and is to wait all the same.
 *
 * @module
 */

import { rejects, strictEqual as equal } from "node:assert/strict";
import { test } from "node:test";
import { debianServer } from "../../scripts/debian_servers.ts";
import { NotReplicatedError, task } from "../../mod.ts";
import { perform, RedisStage } from "../_harness.ts";
import { Node, until } from "./_servers.ts";

const echo = task("echo", (_context, word: string): string => word);

for (const [name, title] of [["redis", "Redis 8"], ["valkey", "Valkey"]] as const) {
  const binary = await debianServer(name);

  test(`F22 nothing is taken for replicated that another connection wrote (${title})`, {
    skip: !binary,
  }, async () => {
    await using master = await Node.start(["--repl-diskless-sync-delay", "0"], binary);
    await using replica = await Node.start(
      ["--replicaof", "127.0.0.1", `${master.port}`],
      binary,
    );
    await until("the replica is there", async () => {
      return /state=online/.test(await master.admin.info("replication"));
    });
    await perform(new RedisStage(master.server.url), async (stage) => {
      const add = async (timeout: number) => {
        const docket = await stage.connect();
        return await docket.add(echo, { key: "k", durability: { replicas: 1, timeout } })("hello");
      };
      replica.freeze();

      await rejects(add(30), NotReplicatedError);
      await rejects(add(30), NotReplicatedError);

      replica.thaw();
      equal((await add(20_000)).disposition, "exists");
    });
  });
}

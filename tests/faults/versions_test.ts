/**
 * Other servers than the one that everything else is tested with: the same contract (invariant 86).
 *
 * Where they cannot be fetched, which takes a Debian or its packages' keys, these tests are left out.
 *
 * @module
 */

import { strictEqual as equal } from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type DebianServer, debianServer } from "../../scripts/debian_servers.ts";
import { type OwnRedis, startRedis } from "../../scripts/redis.ts";
import { systemClock } from "../../src/base/clock.ts";
import { randomId } from "../../src/base/ids.ts";
import { openStorage } from "../../src/storage/open.ts";
import { cancelTests } from "../../src/testing/conformance/cancel.ts";
import { concurrencyTests } from "../../src/testing/conformance/concurrency.ts";
import { listeningTests } from "../../src/testing/conformance/listening.ts";
import { lostReplyTests } from "../../src/testing/conformance/lost_replies.ts";
import { promoteTests } from "../../src/testing/conformance/promote.ts";
import { replaceTests } from "../../src/testing/conformance/replace.ts";
import { Scene, type Test } from "../../src/testing/conformance/scene.ts";
import { scheduleTests } from "../../src/testing/conformance/schedule.ts";
import { settleTests } from "../../src/testing/conformance/settle.ts";
import { stepTests } from "../../src/testing/conformance/step.ts";
import { sweepTests } from "../../src/testing/conformance/sweep.ts";
import { waitingTests } from "../../src/testing/conformance/waiting.ts";
import { perform, RedisStage } from "../_harness.ts";
import { assertNoLeaks } from "../_leaks.ts";

const LIMITS = { recordTtl: 60_000, commandTimeout: 5_000, connectTimeout: 5_000 };

/** Those that use the most of what a server can do. */
const PARTS = [
  scheduleTests,
  replaceTests,
  cancelTests,
  stepTests,
  settleTests,
  concurrencyTests,
  promoteTests,
  sweepTests,
  lostReplyTests,
  waitingTests,
  listeningTests,
];

const SERVERS: Readonly<Record<DebianServer, string>> = { redis: "Redis 8", valkey: "Valkey" };

for (const [name, title] of Object.entries(SERVERS)) {
  const binary = await debianServer(name as DebianServer);
  if (!binary) console.warn(`Left out: ${title} cannot be fetched here`);
  describe(`${title} keeps the contract`, { skip: !binary }, () => {
    let server: OwnRedis;
    before(async () => void (server = await startRedis({ binary })));
    after(() => server[Symbol.asyncDispose]());

    const test: Test = (sentence, body) =>
      void it(sentence, async () => {
        const docket = `test-${randomId()}`;
        const open = (name: string) =>
          openStorage(server.url, { docket: name, clock: systemClock, ...LIMITS });
        await using scene = await Scene.open({
          open: () => open(docket),
          neighbour: () => open(`${docket}.too`),
          advance: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
          check: () => assertNoLeaks(server.url, docket),
          [Symbol.asyncDispose]: () => Promise.resolve(),
        });
        await body(scene);
        await scene.clear();
      });
    for (const declare of PARTS) declare(test);

    it("and runs tasks", async () => {
      await perform(new RedisStage(server.url), async (stage) => {
        const docket = await stage.connect({ url: server.url.replace("redis:", `${name}:`) });
        function add(a: number, b: number): number {
          return a + b;
        }
        docket.register(add);
        stage.start(docket);
        equal(await stage.soon((await docket.add(add, { delay: 20 })(1, 2)).result()), 3);
      });
    });
  });
}

/**
 * Whatever strangers write into the keys of a docket, what nobody touched runs, and whoever looks gets an answer or an
 * error that is ours (invariants 5, 39, 69).
 *
 * @module
 */

import { deepStrictEqual as deepEqual, ok } from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Redis } from "ioredis";
import { startRedis } from "../../scripts/redis.ts";
import { Docket, DocketError, task, Worker } from "../../mod.ts";
import { captureLogs } from "../_logs.ts";
import { anyText, fuzz } from "./_fuzz.ts";

const logged = captureLogs();

/** What nobody touches. */
const GOOD = ["good 0", "good 1", "good 2", "good 3"];

/** What strangers write to; some of it was there before. */
const BAD = ["bad 0", "bad 1", "bad 2", "", "__proto__"];

const id = "0".repeat(22);

/** Rows and the like: sound ones, some of them broken at a random place. */
const sound = fc.constantFrom(
  `Q0${id}1-1|1|0|`,
  `Q2${id}1-1|1|0|5`,
  `S0${id}|1|0|5`,
  `B0${id}|1|0|5~5`,
  `W0${id}|1|0||1|gate`,
  `R0${id}${id}1-1|1|1||5|worker~x`,
  `R6${id}${id}1-1|1|1|5|5|worker~x`,
  `N0${id}of another version`,
  `{"task":"good","args":["bad"]}`,
  `{"v":2}`,
  `C${id}5|1|||good|`,
  `f${id}5|1|xy`,
  `X${id}5|q`,
  `d${id}5|row|0||`,
  `${id}5|{"task":"good","args":[]}`,
  "0|5|0||",
);
const broken = fc.tuple(sound, fc.nat(60), anyText(3)).map(([text, at, junk]) =>
  text.slice(0, at % (text.length + 1)) + junk
);
const value = fc.oneof(sound, broken, anyText(10));
const badKey = fc.constantFrom(...BAD);

type Write = readonly [command: string, key: string, ...args: string[]];

const write: fc.Arbitrary<Write> = fc.oneof(
  fc.tuple(
    fc.constant("XADD"),
    fc.constant("stream"),
    fc.constant("*"),
    anyText(5),
    fc.oneof(badKey, value),
  ),
  fc.tuple(fc.constant("XADD"), fc.constant("stream"), fc.constant("*"), fc.constant("k"), badKey),
  fc.tuple(
    fc.constant("HSET"),
    fc.constantFrom("state", "state", "tasks", "next", "graves", "automatic", "strikes"),
    badKey,
    value,
  ),
  fc.tuple(
    fc.constant("HSET"),
    fc.constant("calls"),
    fc.constantFrom("@sweep", "@clear", "@struck", "x:0"),
    value,
  ),
  fc.tuple(
    fc.constant("ZADD"),
    fc.constantFrom("due", "waiters", "dead", "failed", "workers"),
    fc.integer().map(String),
    badKey,
  ),
  fc.tuple(
    fc.constant("SET"),
    fc.tuple(fc.constantFrom("r:", "p:", "g:h:", "g:l:", "w:"), badKey).map((parts) =>
      parts.join("")
    ),
    value,
  ),
  fc.tuple(fc.constant("SADD"), fc.constant("background"), badKey),
);

test("F34 whatever is written into its keys, a docket runs what nobody touched", async () => {
  await using server = await startRedis();
  const admin = new Redis(server.socket, { protocol: 2 });
  const goes = task("good", (_, text: string): string => text);
  let round = 0;
  try {
    await fuzz(25, fc.array(write, { minLength: 1, maxLength: 25 }), async (writes) => {
      const name = `fuzz.${round++}`;
      await using docket = await Docket.connect({ name, url: server.url, tasks: [goes] });
      for (const key of BAD.slice(0, 3)) await docket.add(goes, { key, delay: 5 })("there");
      const early = await addAll(docket, GOOD.slice(0, 2));
      for (const [command, key, ...args] of writes) {
        await admin.call(command, `{${name}}:${key}`, ...args).catch(() => {}); // of another type already
      }
      const worker = new Worker(docket, {
        redeliveryTimeout: 200,
        reconnectionDelay: 20,
        gracePeriod: 100,
      });
      void worker.runForever();
      const late = await addAll(docket, GOOD.slice(2));

      const results = [...early, ...late].map((one) => one.result({ timeout: "20s" }));
      deepEqual(await Promise.all(results), GOOD);
      for (const key of BAD) {
        await answered(docket.execution(key));
        await answered(docket.add(goes, { key, delay: 20 })("new"));
        await answered(docket.cancel(key));
      }
      const looks = [
        docket.snapshot(),
        docket.failed(),
        docket.dead(),
        docket.workers(),
        docket.strikes(),
      ];
      for (const look of [...looks, docket.clear()]) await answered(look);
      const again = await addAll(docket, ["good 4"]);
      deepEqual(await again[0].result({ timeout: "20s" }), "good 4"); // whatever the looking has moved
      await worker.close();
      await admin.flushall();
    });
  } finally {
    admin.disconnect();
  }
  const scripts = logged.filter(({ properties }) =>
    /user_script|attempt to/.test(`${properties.reason}`)
  );
  deepEqual(scripts.map(({ properties }) => properties.reason), []); // none of ours breaks off half-way
});

type Good = (text: string) => string;

async function addAll(docket: Docket, keys: readonly string[]) {
  return await docket.addAll(keys.map((key) => docket.call<Good>("good", { key })(key)));
}

/** An answer, or an error that is ours. */
async function answered(answer: Promise<unknown>): Promise<void> {
  await answer.catch((error) => {
    ok(error instanceof DocketError, `${error}`);
    ok(!/user_script|attempt to/.test(error.message), error.message);
  });
}

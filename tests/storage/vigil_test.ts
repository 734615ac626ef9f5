/** Who asks one thing after the other waits awake for answers that are near, and nobody else does. */

import { rejects, strictEqual as equal } from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { setImmediate } from "node:timers";
import { startRedis } from "../../scripts/redis.ts";
import { Connection } from "../../src/storage/redis/connection.ts";
import { Lonely } from "../../src/storage/redis/topology.ts";
import { Vigil } from "../../src/storage/redis/vigil.ts";
import { FakeClock } from "../../src/testing/clock.ts";

describe("Vigil", () => {
  let clock: FakeClock;
  let vigil: Vigil;
  let turn: (() => void) | undefined;

  beforeEach(() => {
    clock = new FakeClock();
    turn = undefined;
    vigil = new Vigil(clock, (next) => turn = next);
  });

  /** For how many turns it is awake at most. */
  function awake(most = Infinity): number {
    let turns = 0;
    for (; turn && turns < most; turns++) {
      const next = turn;
      turn = undefined;
      next();
    }
    return turns;
  }

  function askAndHear(turns = 0): number {
    vigil.begin();
    const waited = awake(turns);
    vigil.end();
    awake();
    return waited;
  }

  test("sleeps through the first call, and stays awake for one that follows its answer", () => {
    equal(askAndHear(10), 0);
    equal(askAndHear(10), 10);
    equal(askAndHear(10), 10);
  });

  test("ends with the answer", () => {
    askAndHear();
    vigil.begin();
    awake(3);
    vigil.end();
    equal(awake(), 1);
  });

  test("is over after 150 turns without an answer", () => {
    askAndHear();
    equal(askAndHear(Infinity), 150);
  });

  test("sleeps where calls come seldom", async () => {
    askAndHear();
    await clock.advance(2);
    equal(askAndHear(10), 0);
    await clock.advance(1);
    equal(askAndHear(10), 10);
  });

  test("sleeps while several calls are under way", () => {
    askAndHear();
    vigil.begin();
    vigil.begin();
    equal(awake(), 1);
    vigil.end();
    equal(askAndHear(10), 0);
    vigil.end();
    equal(askAndHear(10), 10);
  });

  test("tries ever less often where answers are far", () => {
    askAndHear();
    const tries: number[] = [];
    for (let call = 0; call < 1_200; call++) if (askAndHear(Infinity) > 0) tries.push(call);
    const pauses = tries.slice(1).map((call, i) => call - tries[i] - 1);
    equal(`${pauses}`, "0,2,6,14,30,62,126,254,254,254");
  });

  test("stays awake again after one answer that came soon", () => {
    askAndHear();
    for (let call = 0; call < 500; call++) askAndHear(Infinity);
    let slept = 0;
    while (askAndHear(10) === 0) slept++;
    equal(slept <= 254, true);
    for (let call = 0; call < 5; call++) equal(askAndHear(10), 10);
  });
});

test("Connection waits awake for what is asked after an answer, also where something was given up before", async () => {
  await using server = await startRedis();
  let turns = 0;
  const connection = new Connection({
    topology: new Lonely({
      name: server.socket,
      redis: { path: server.socket, lazyConnect: true },
    }),
    clock: new FakeClock(), // no time goes by between two calls
    connectTimeout: 2_000,
    onLost() {},
    nextTurn: (turn) => setImmediate(() => (turns++, turn())),
  });
  const ping = (signal?: AbortSignal) => connection.call((redis) => redis.ping(), 2_000, signal);
  await ping();
  equal(turns, 0);
  const given = new AbortController();
  const hung = connection.call((redis) => redis.blpop("nothing", 0), 2_000, given.signal);
  given.abort(new Error("given up"));
  await rejects(hung, /given up/);
  connection.drop();
  await ping();
  const before = turns;
  for (let call = 0; call < 20; call++) await ping();
  equal(turns > before, true, `${turns} turns, ${before} before`);
  connection.close();
});

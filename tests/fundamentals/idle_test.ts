/**
 * What it costs to have nothing to do (invariant 77).
 *
 * @module
 */

import { ok } from "node:assert/strict";
import { Docket, Worker } from "../../mod.ts";
import { FakeClock } from "../../src/testing/clock.ts";
import { test as declare } from "node:test";
import { onMemory, onOwnRedis, type OwnRedisStage } from "../_harness.ts";

/** Counts how often somebody asks to be woken. */
class CountingClock extends FakeClock {
  timers = 0;

  override timer(delay: number, callback: () => void): () => void {
    this.timers++;
    return super.timer(delay, callback);
  }
}

onMemory("An idle worker", (test) => {
  test("waits for a handful of timers, and for none once it is closed", async (stage) => {
    const docket = await stage.connect();
    function noop(): void {}
    for (let n = 0; n < 100; n++) await docket.add(noop)();
    const worker = stage.start(docket);
    await stage.advance(10_000);

    const { pending } = stage.clock;
    await stage.soon(worker.close());

    // What is due, leases to renew, leases of others, the sweep, the heartbeat, and automatic tasks: one for each.
    ok(pending <= 6, `${pending} timers`);
    ok(stage.clock.pending === 0, `${stage.clock.pending} timers`);
  });
});

declare("An idle worker polls nothing in memory", async () => {
  const clock = new CountingClock();
  await using docket = await Docket.connect({ name: "idle", url: "memory://idle", clock });
  await using worker = new Worker(docket);
  void worker.runForever();
  await clock.advance("1m");
  clock.timers = 0;

  await clock.advance("1m");

  // A heartbeat and a look after automatic tasks every two seconds; the rest is for leases and what is due. Nothing looks
  // for work.
  ok(clock.timers <= 150, `${clock.timers} timers in a minute`);
});

onOwnRedis("An idle worker", (test) => {
  /** Whether the server was given fewer commands than so many a second, those inside of scripts included. */
  async function commandsWithin(
    stage: OwnRedisStage,
    seconds: number,
    perSecond = 5,
  ): Promise<string> {
    await stage.admin.config("RESETSTAT");
    await stage.sleep(seconds * 1_000);
    const stats = await stage.admin.info("commandstats");
    const lines = stats.split("\r\n").filter((line) =>
      line.startsWith("cmdstat_") && !/^cmdstat_(config|info)/.test(line)
    );
    const calls = lines.reduce((sum, line) => sum + Number(/calls=(\d+)/.exec(line)![1]), 0);
    return calls < perSecond * seconds ? "few" : `${calls}: ${lines.join(" ")}`;
  }

  test("asks Redis fewer than five times a second", async (stage) => {
    const docket = await stage.connect();
    function noop(): void {}
    for (let n = 0; n < 50; n++) await docket.add(noop)();
    stage.start(docket);
    await stage.eventually(async () => await (await stage.open()).count() === 0);
    await stage.sleep(500);

    const commands = await commandsWithin(stage, 3);

    ok(commands === "few", commands);
  });

  test("asks as little while a task runs that is not idle", async (stage) => {
    const docket = await stage.connect();
    const release = Promise.withResolvers<void>();
    stage.afterwards(() => release.resolve());
    await docket.add(function hold() {
      return release.promise;
    })();
    stage.start(docket);
    await stage.sleep(500);

    const commands = await commandsWithin(stage, 2);

    ok(commands === "few", commands);
  });

  test("asks hardly more while it waits for the last task to be due", async (stage) => {
    const docket = await stage.connect();
    await docket.add(function later() {}, { delay: "1h" })();
    const stop = new AbortController();
    void stage.worker(docket).runUntilFinished(stop);
    await stage.sleep(1_500); // its pauses grow

    // Twice a second it looks whether all is done, by a script of two commands.
    const commands = await commandsWithin(stage, 2, 5 + 2 * 3);
    stop.abort();

    ok(commands === "few", commands);
  });
});

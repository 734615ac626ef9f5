/** Time comes in through the door. */

import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import { test } from "node:test";
import { sleep, systemClock } from "../../src/base/clock.ts";
import { FakeClock } from "../../src/testing/clock.ts";

test("sleep() lasts as long as it says", async () => {
  const clock = new FakeClock();
  let awake = false;
  const sleeping = sleep(clock, 1_000).then(() => awake = true);

  await clock.advance(999);
  equal(awake, false);
  await clock.advance(1);

  equal(awake, true);
  await sleeping;
});

test("sleep() ends when its signal aborts, and leaves nothing behind", async () => {
  const clock = new FakeClock();
  const controller = new AbortController();
  const sleeping = sleep(clock, 1_000, controller.signal);

  controller.abort();
  await sleeping;
  await sleep(clock, 1_000, controller.signal);

  equal(clock.pending, 0); // invariant 77
});

test("systemClock.timer() calls back once, unless it is called off", async () => {
  const called: string[] = [];
  const off = systemClock.timer(0, () => called.push("off"));
  off();

  await new Promise<void>((resolve) => {
    systemClock.timer(-5, () => called.push("on"));
    systemClock.timer(5, resolve);
  });

  deepEqual(called, ["on"]);
});

test("systemClock.timer() does not fire at once after a delay that timers cannot hold", async () => {
  let fired = false;
  const off = systemClock.timer(2 ** 31 + 1_000, () => fired = true);

  await new Promise<void>((resolve) => void systemClock.timer(10, resolve));

  equal(fired, false);
  off();
});

test("systemClock tells the time", () => {
  ok(Math.abs(systemClock.now() - Date.now()) < 1_000);
  ok(systemClock.monotonic() <= systemClock.monotonic());
});

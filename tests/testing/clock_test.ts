/** A clock that stands still until a test moves it. */

import {
  deepStrictEqual as deepEqual,
  rejects,
  strictEqual as equal,
  throws,
} from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers";
import { sleep } from "../../src/base/clock.ts";
import { FakeClock } from "../../src/testing/clock.ts";

test("FakeClock.advance() fires timers at their instants, in order", async () => {
  const clock = new FakeClock(1_000);
  const fired: (readonly [string, number])[] = [];
  for (const [name, delay] of [["c", 30], ["a", 10], ["b", 10], ["later", 31]] as const) {
    clock.timer(delay, () => fired.push([name, clock.now()]));
  }

  await clock.advance(30);

  deepEqual(fired, [["a", 1_010], ["b", 1_010], ["c", 1_030]]);
  deepEqual([clock.now(), clock.monotonic(), clock.pending], [1_030, 30, 1]);
});

test("FakeClock.advance() lets what a timer sets in motion settle before the next", async () => {
  const clock = new FakeClock(0);
  const woken: number[] = [];
  const ticking = (async () => {
    for (let i = 0; i < 3; i++) {
      await sleep(clock, 10);
      await new Promise<void>((resolve) => setImmediate(resolve)); // a macrotask of its own
      woken.push(clock.now());
    }
  })();

  await clock.advance("30ms");
  await ticking;

  deepEqual(woken, [10, 20, 30]);
});

test("FakeClock.advance() stands still between timers", async () => {
  const clock = new FakeClock();
  const start = clock.now();

  await clock.settle();
  await clock.advance(0);

  deepEqual([clock.now() - start, clock.pending], [0, 0]);
});

test("FakeClock.timer() can be called off", async () => {
  const clock = new FakeClock();
  const off = clock.timer(5, () => throws(() => "never"));

  off();
  off();
  await clock.advance({ seconds: 1 });

  equal(clock.pending, 0);
});

test("FakeClock.advance() refuses to run twice at once", async () => {
  const clock = new FakeClock();
  const advancing = clock.advance(10);

  await rejects(clock.advance(10), /advancing already/);

  await advancing;
  await clock.advance(10);
  equal(clock.monotonic(), 20);
});

test("FakeClock starts where it is told, or on a fixed day", () => {
  equal(new FakeClock(new Date(5)).now(), 5);
  equal(new FakeClock().now(), new FakeClock().now());
  throws(() => new FakeClock(new Date(NaN)), RangeError);
});

/** How long a loop waits between two failures. */

import { ok, strictEqual as equal } from "node:assert/strict";
import { test } from "node:test";
import { Backoff } from "../../src/base/loop.ts";

test("Backoff.next() grows from the minimum to the maximum, with jitter", () => {
  const backoff = new Backoff(100, 1_000);

  for (const ceiling of [100, 200, 400, 800, 1_000, 1_000]) {
    const delay = backoff.next();
    ok(delay >= ceiling / 2 && delay <= ceiling, `${delay} of ${ceiling}`);
  }
});

test("Backoff.next() stays within its bounds for ever", () => {
  const backoff = new Backoff(50, 5_000);

  for (let i = 0; i < 5_000; i++) {
    const delay = backoff.next();
    ok(delay >= 25 && delay <= 5_000);
  }
});

test("Backoff.next() never exceeds a maximum below the minimum", () => {
  const backoff = new Backoff(1_000, 10);

  for (let i = 0; i < 100; i++) ok(backoff.next() <= 10);
});

test("Backoff.next() does not let many come back as one", () => {
  const delays = Array.from({ length: 100 }, () => new Backoff(100, 1_000).next());

  ok(new Set(delays.map(Math.round)).size > 10);
});

test("Backoff.reset() forgets what failed", () => {
  const backoff = new Backoff(100, 10_000);
  equal(backoff.calm, true);

  for (let i = 0; i < 8; i++) backoff.next();
  equal(backoff.calm, false);
  backoff.reset();

  equal(backoff.calm, true);
  ok(backoff.next() <= 100);
});

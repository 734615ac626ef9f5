/** Ids are random, and as long as the storage scripts expect. */

import { match, strictEqual as equal } from "node:assert/strict";
import { test } from "node:test";
import { ID_LENGTH, randomId } from "../../src/base/ids.ts";

test("randomId() gives 22 URL-safe characters, never the same twice", () => {
  const ids = Array.from({ length: 20_000 }, randomId); // many times the pool of random bytes

  equal(ID_LENGTH, 22);
  for (const id of ids) match(id, /^[A-Za-z0-9_-]{22}$/);
  equal(new Set(ids).size, ids.length);
});

test("randomId() uses each character about as often as any other, at every place", () => {
  const counts = new Map<string, number>();
  const rounds = 6_400;

  for (let i = 0; i < rounds; i++) {
    const id = randomId();
    for (const place of [0, 10, 21]) {
      const seen = `${place}${id[place]}`;
      counts.set(seen, (counts.get(seen) ?? 0) + 1);
    }
  }

  equal(counts.size, 3 * 64);
  // 100 each on average; ten standard deviations away is no accident.
  for (const [seen, count] of counts) equal(Math.abs(count - rounds / 64) < 100, true, seen);
});

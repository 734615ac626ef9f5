/** Ids are random, and as long as the storage scripts expect. */

import { deepStrictEqual, match, strictEqual as equal } from "node:assert/strict";
import { test } from "node:test";
import { ID_LENGTH, randomId, timeOrderedId } from "../../src/base/ids.ts";

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

test("timeOrderedId() gives 20 URL-safe characters that begin with a digit, later ones behind", async () => {
  const ids: string[] = [];
  for (let burst = 0; burst < 3; burst++) {
    for (let i = 0; i < 5_000; i++) ids.push(timeOrderedId()); // many within one millisecond
    await new Promise((resolve) => setTimeout(resolve, 3));
  }

  for (const id of ids) match(id, /^[0-9][A-Za-z0-9_-]{19}$/);
  equal(new Set(ids).size, ids.length);
  deepStrictEqual(ids, [...ids].sort());
});

test("timeOrderedId() writes the time, and of 72 other bits all that a UUID of version 7 has", () => {
  const digits = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";
  const before = Date.now();
  let ones = 0n;
  let zeros = 0n;
  for (let n = 0; n < 2_000; n++) {
    const id = timeOrderedId();
    let number = BigInt(id[0]);
    for (const digit of id.slice(1)) number = number * 64n + BigInt(digits.indexOf(digit));
    const made = Number(number >> 72n);
    equal(made >= before - 1 && made <= Date.now() + 1_000, true, `${made} is not about ${before}`);
    ones |= number;
    zeros |= ~number;
  }

  // The last 30 bits are random: each is seen both ways. The counter before them begins anywhere.
  const random = (1n << 30n) - 1n;
  equal(ones & zeros & random, random);
});

/**
 * Hearing of aborted signals.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, strictEqual as equal } from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { onAbort, whenAborted } from "../../src/base/abort.ts";

test("onAbort() calls back those who have not called it off, with one listener for all", () => {
  const abort = new AbortController();
  const told: number[] = [];
  const off = [0, 1, 2].map((n) => onAbort(abort.signal, () => told.push(n)));
  equal(getEventListeners(abort.signal, "abort").length, 1);
  off[1]();

  abort.abort();

  deepEqual(told, [0, 2]);
});

test("onAbort() leaves nothing on a signal that all have called off", () => {
  const { signal } = new AbortController();

  for (const off of [0, 1].map(() => onAbort(signal, () => {}))) off();

  equal(getEventListeners(signal, "abort").length, 0);
});

test("onAbort() soon calls back who comes when it is over, unless it is called off", async () => {
  const told: string[] = [];
  onAbort(AbortSignal.abort(), () => told.push("called"));
  onAbort(AbortSignal.abort(), () => told.push("called off"))();
  deepEqual(told, []);

  await Promise.resolve();

  deepEqual(told, ["called"]);
});

test("whenAborted() resolves for a signal that has aborted, and for one that does", async () => {
  const abort = new AbortController();
  const aborted = whenAborted(abort.signal);
  abort.abort();

  await Promise.all([aborted, whenAborted(abort.signal)]);
});

/** The memory storage keeps the contract (F61: its tasks end with the process, and that is all that is different). */

import { randomId } from "../../src/base/ids.ts";
import { openMemory } from "../../src/storage/memory/handle.ts";
import { FakeClock } from "../../src/testing/clock.ts";
import { conformance } from "../../src/testing/conformance/mod.ts";
import { strictEqual as equal } from "node:assert/strict";

conformance("memory", () => {
  const clock = new FakeClock();
  const url = new URL(`memory://${randomId()}`);
  const open = (docket: string) =>
    Promise.resolve(openMemory(url, { docket, clock, recordTtl: 60_000 }));
  return Promise.resolve({
    open: () => open("docket"),
    neighbour: () => open("docket.too"),
    advance: (ms) => clock.advance(ms),
    // Nothing waits for time to pass any more: closed handles leave no timer (invariant 77).
    check: () => Promise.resolve(equal(clock.pending, 0)),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
});

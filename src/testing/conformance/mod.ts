/**
 * The storage contract as tests, for any storage.
 *
 * @module
 */

import { describe, it } from "node:test";
import { cancelTests } from "./cancel.ts";
import { keyTests } from "./keys.ts";
import { leaseTests } from "./leases.ts";
import { listeningTests } from "./listening.ts";
import { loadTests } from "./load.ts";
import { lostReplyTests } from "./lost_replies.ts";
import { promoteTests } from "./promote.ts";
import { replaceTests } from "./replace.ts";
import { Scene, type Test } from "./scene.ts";
import { scheduleTests } from "./schedule.ts";
import { settleTests } from "./settle.ts";
import { stepTests } from "./step.ts";
import type { Setup } from "./subject.ts";
import { waitingTests } from "./waiting.ts";

export type { Setup, Subject } from "./subject.ts";

/**
 * Declares the tests of the contract, with `node:test`, for one storage.
 *
 * @param name Names the storage in the report.
 * @param setup Makes a fresh place for each test.
 *
 * @example
 * ```ts ignore
 * import { conformance, FakeClock } from "@docket/docket/testing";
 *
 * conformance("my storage", async () => {
 *   const clock = new FakeClock();
 *   const place = await MyPlace.create(clock);
 *   return {
 *     open: () => place.open("docket"),
 *     advance: (ms) => clock.advance(ms),
 *     [Symbol.asyncDispose]: () => place.destroy(),
 *   };
 * });
 * ```
 */
export function conformance(name: string, setup: Setup): void {
  const test: Test = (sentence, body) =>
    void it(sentence, async () => {
      await using subject = await setup();
      await using scene = await Scene.open(subject);
      await body(scene);
      await scene.clear();
    });
  for (const [part, declare] of Object.entries(PARTS)) {
    describe(`${name}: ${part}`, () => declare(test));
  }
}

const PARTS: Readonly<Record<string, (test: Test) => void>> = {
  schedule: scheduleTests,
  replace: replaceTests,
  cancel: cancelTests,
  load: loadTests,
  step: stepTests,
  settlements: settleTests,
  leases: leaseTests,
  promote: promoteTests,
  "lost replies": lostReplyTests,
  wait: waitingTests,
  "listen and watch": listeningTests,
  "odd keys": keyTests,
};

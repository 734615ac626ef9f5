/**
 * The storage contract as tests, for any storage.
 *
 * @module
 */

import { describe, it } from "node:test";
import { backgroundTests } from "./background.ts";
import { cancelTests } from "./cancel.ts";
import { clearTests } from "./clear.ts";
import { concurrencyTests } from "./concurrency.ts";
import { discardTests } from "./discard.ts";
import { inspectionTests } from "./inspection.ts";
import { keyTests } from "./keys.ts";
import { leaseTests } from "./leases.ts";
import { listeningTests } from "./listening.ts";
import { loadTests } from "./load.ts";
import { lostReplyTests } from "./lost_replies.ts";
import { parkedTests } from "./parked.ts";
import { presenceTests } from "./presence.ts";
import { progressTests } from "./progress.ts";
import { promoteTests } from "./promote.ts";
import { replaceTests } from "./replace.ts";
import { requeueTests } from "./requeue.ts";
import { Scene, type Test } from "./scene.ts";
import { scheduleTests } from "./schedule.ts";
import { seedTests } from "./seed.ts";
import { settleTests } from "./settle.ts";
import { stepTests } from "./step.ts";
import { strikeTests } from "./strikes.ts";
import type { Setup } from "./subject.ts";
import { surveyTests } from "./survey.ts";
import { sweepTests } from "./sweep.ts";
import { timedGateTests } from "./timed_gates.ts";
import { waitingTests } from "./waiting.ts";
import { watchTests } from "./watch.ts";

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
  clear: clearTests,
  seed: seedTests,
  requeue: requeueTests,
  discard: discardTests,
  load: loadTests,
  background: backgroundTests,
  survey: surveyTests,
  parked: parkedTests,
  inspection: inspectionTests,
  step: stepTests,
  settlements: settleTests,
  "concurrency limits": concurrencyTests,
  "gates that go by the time": timedGateTests,
  leases: leaseTests,
  promote: promoteTests,
  progress: progressTests,
  presence: presenceTests,
  strikes: strikeTests,
  sweep: sweepTests,
  "lost replies": lostReplyTests,
  wait: waitingTests,
  "listen and watch": listeningTests,
  "what is watched": watchTests,
  "odd keys": keyTests,
};

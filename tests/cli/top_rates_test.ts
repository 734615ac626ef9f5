/**
 * What `docket top` counts.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, strictEqual as equal } from "node:assert/strict";
import { test } from "node:test";
import { ConcurrencyLimit, Cooldown, Retry, task } from "../../mod.ts";
import { type PerSecond, RATED, Rates } from "../../src/cli/top/rates.ts";
import { internalsOf } from "../../src/docket/internals.ts";
import type { StateChange } from "../../src/storage/contract.ts";
import { FakeClock } from "../../src/testing/clock.ts";
import { onEveryStorage } from "../_harness.ts";

test("Rates tells nothing until everything has been heard for a second", async () => {
  const { clock, rates, hear } = listen({ begun: false });
  hear("queued");
  equal(rates.perSecond, undefined);

  rates.begin();
  await clock.advance(999);
  hear("completed");
  equal(rates.perSecond, undefined);
  await clock.advance(1);

  deepEqual(rates.perSecond, those({ completed: 1 }));
});

test("Rates is the mean of the time that it has, and then of five seconds", async () => {
  const { clock, rates, hear } = listen();
  for (let second = 0; second < 4; second++) {
    for (let i = 0; i < 10; i++) hear("completed");
    await clock.advance("1s");
    equal(rates.perSecond?.completed, 10);
  }
  await clock.advance("1s");
  equal(rates.perSecond?.completed, 8);
  await clock.advance("2s");
  equal(rates.perSecond?.completed, 4);
  await clock.advance("3s");
  equal(rates.perSecond?.completed, 0);
});

test("Rates counts each state, and nothing that is no state", async () => {
  const { clock, rates, hear } = listen();
  for (const state of ["queued", "running", "completed", "failed", "cancelled", "dead"] as const) {
    hear(state, { generation: state });
  }
  hear("scheduled", { generation: "scheduled" });
  hear("waiting", { generation: "waiting" });
  rates.hear({ kind: "cancelling", key: "key", generation: "running" });
  rates.hear({ kind: "mark", mark: "mark" });
  const progress = { current: 1, total: 2 };
  rates.hear({ kind: "progress", key: "key", generation: "running", at: 0, progress });
  await clock.advance("1s");

  const all = { queued: 1, started: 1, completed: 1, failed: 1, cancelled: 1, dead: 1 };
  deepEqual(rates.perSecond, those(all));
});

for (const state of ["queued", "scheduled"] as const) {
  test(`Rates counts a retry that is ${state}, once`, async () => {
    const { clock, rates, hear } = listen();
    hear("running");
    hear(state, { attempt: 2 });
    if (state === "scheduled") hear("queued", { attempt: 2 });
    hear("running", { attempt: 2 });
    hear("completed", { attempt: 2 });
    await clock.advance("1s");

    deepEqual(rates.perSecond, those({ queued: 1, started: 2, retried: 1, completed: 1 }));
  });
}

test("Rates knows a retry of what began before it was counted", async () => {
  const { clock, rates, hear } = listen({ begun: false });
  hear("running");
  rates.begin();
  hear("scheduled", { attempt: 2 });
  await clock.advance("1s");

  deepEqual(rates.perSecond, those({ retried: 1 }));
});

for (const state of ["waiting", "scheduled"] as const) {
  test(`Rates does not count as started what a limit leaves ${state}`, async () => {
    const { clock, rates, hear } = listen();
    for (const next of ["queued", "running", state, "queued", "running", state] as const) {
      hear(next);
    }
    await clock.advance("1s");
    deepEqual(rates.perSecond, those({}));

    hear("queued");
    hear("running");
    await clock.advance("1s");

    deepEqual(rates.perSecond, those({ queued: 0.5, started: 0.5 }));
  });
}

test("Rates is never below nothing", async () => {
  const { clock, rates, hear } = listen();
  hear("queued");
  hear("running");
  await clock.advance("6s");
  hear("waiting");

  deepEqual(rates.perSecond, those({}));
});

for (const reason of ["dropped", "struck"] as const) {
  test(`Rates does not count as started what is ${reason} instead`, async () => {
    const { clock, rates, hear } = listen();
    hear("running", { generation: "kept out" });
    hear("cancelled", { generation: "kept out", reason });
    hear("running", { generation: "retried" });
    hear("scheduled", { generation: "retried", attempt: 2 });
    hear("cancelled", { generation: "retried", attempt: 2, reason });
    hear("running", { generation: "cancelled" });
    hear("cancelled", { generation: "cancelled", reason: "cancelled" });
    await clock.advance("1s");

    deepEqual(rates.perSecond, those({ started: 2, retried: 1, cancelled: 3 }));
  });
}

test("Rates forgets what was before it ended", async () => {
  const { clock, rates, hear } = listen();
  hear("running");
  await clock.advance("1s");

  rates.end();
  equal(rates.perSecond, undefined);
  rates.begin();
  hear("scheduled", { attempt: 2 });
  await clock.advance("1s");

  deepEqual(rates.perSecond, those({}));
});

test("Rates forgets those of which it heard nothing for the longest time", async () => {
  const { clock, rates, hear } = listen();
  const last = 100_000;
  for (let i = 0; i < last; i++) hear("running", { generation: `${i}` });
  hear("running", { generation: "0" });
  hear("running", { generation: `${last}` });
  hear("queued", { generation: "1", attempt: 2 });
  await clock.advance("1s");
  deepEqual(rates.perSecond, those({ queued: 1, started: last + 2 }));

  for (const i of [0, 2, last]) hear("queued", { generation: `${i}`, attempt: 2 });
  await clock.advance("1s");

  equal(rates.perSecond?.retried, 1.5);
});

onEveryStorage("Rates", (test) => {
  test("counts what workers do: runs that begin, retries, and no run at a limit", async (stage) => {
    const limited = task("limited", { limit: new ConcurrencyLimit({ max: 1 }) }, () => {});
    const cooled = task("cooled", { cooldown: new Cooldown({ period: "1h" }) }, () => {});
    const flaky = task("flaky", { retry: new Retry({ attempts: 2 }) }, ({ attempt }) => {
      if (attempt === 1) throw new Error("not yet");
    });
    const docket = await stage.connect();
    const clock = new FakeClock();
    const rates = new Rates(clock);
    const listening = new AbortController();
    let ended = 0;
    await internalsOf(docket).storage.watch((change) => {
      rates.hear(change);
      if (change.kind === "state" && /completed|cancelled/.test(change.state)) ended++;
    }, listening);
    rates.begin();
    for (let i = 0; i < 3; i++) await docket.add(limited)();
    for (let i = 0; i < 2; i++) await docket.add(cooled)();
    await docket.add(flaky)();

    await stage.finish(docket);
    await stage.eventually(() => ended === 6);
    listening.abort();
    await clock.advance("1s");

    const expected = { queued: 7, started: 6, completed: 5, retried: 1, cancelled: 1 };
    deepEqual(rates.perSecond, those(expected));
  });
});

function listen({ begun = true } = {}) {
  const clock = new FakeClock();
  const rates = new Rates(clock);
  if (begun) rates.begin();
  const hear = (state: StateChange["state"], more: Partial<StateChange> = {}) => {
    rates.hear({
      kind: "state",
      key: "key",
      generation: "generation",
      state,
      at: clock.now(),
      attempt: 1,
      ...more,
    });
  };
  return { clock, rates, hear };
}

/** These, and none of the others. */
function those(some: Partial<PerSecond>): PerSecond {
  const none = Object.fromEntries(RATED.map((what) => [what, 0])) as PerSecond;
  return { ...none, ...some };
}

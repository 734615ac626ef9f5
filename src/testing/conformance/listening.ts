/**
 * What `listen` and `watch` promise.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import type { Change, Notice, Settlement, StateChange } from "../../storage/contract.ts";
import { is, listening, stopping, watching } from "./attention.ts";
import type { Test } from "./scene.ts";
import { completed, failed, LONG, PAST_LEASE, succeeded } from "./shorthands.ts";

/** What is heard of each way a run can go. */
const HEARD: readonly (readonly [Settlement, StateChange["state"]])[] = [
  [completed(), "completed"],
  [failed(), "failed"],
  [{ kind: "cancelled", reason: "struck", text: "", ttl: LONG }, "cancelled"],
  [{ kind: "dead", text: "" }, "dead"],
  [{ kind: "retried", due: undefined }, "queued"],
  [{ kind: "retried", due: { after: LONG } }, "scheduled"],
  [{ kind: "released", due: undefined }, "queued"],
  [{ kind: "released", due: { after: LONG } }, "scheduled"],
  [succeeded(), "completed"],
  [succeeded({ state: "failed" }), "failed"],
  [succeeded({ state: "cancelled", reason: "struck" }), "cancelled"],
];

/** Declares them. */
export function listeningTests(test: Test): void {
  test("Storage.listen() tells when a task is due sooner than all others", async (scene) => {
    const { heard, until, stop } = await listening(scene);

    await scene.add("later", { due: { after: 50_000 } });
    await until((notice) => isDue(notice, 50_000));
    await scene.add("latest", { due: { after: 55_000 } }); // nothing to tell
    await scene.add("sooner", { due: { after: 20_000 } });
    await until((notice) => isDue(notice, 20_000));

    equal(heard.length, 2);
    stop();
  });

  test("Storage.listen() tells when a retry is due sooner than all others", async (scene) => {
    const { worker, claim } = await scene.running("a");
    const { until, stop } = await listening(scene);

    await worker.settle(claim, { kind: "retried", due: { after: 20_000 } });

    await until((notice) => isDue(notice, 20_000));
    stop();
  });

  test("Storage.listen() tells when a running task is to be cancelled", async (scene) => {
    const { generation } = await scene.running("a");
    const { heard, until, stop } = await listening(scene, await scene.another());
    await scene.add("queued");

    await scene.cancel("queued", "nobody", "a"); // invariant 53: the fast path

    const notice = await until(({ kind }) => kind === "cancel");
    deepEqual(notice, { kind: "cancel", key: "a", generation });
    equal(heard.length, 1);
    stop();
  });

  test("Storage.listen() falls silent when its signal aborts", async (scene) => {
    const first = await listening(scene);
    const second = await listening(scene);

    first.stop();
    await scene.add("a", { due: { after: LONG } });
    await second.until(() => true);

    deepEqual(first.heard, []); // invariant 65
    second.stop();
  });

  test("Storage.watch() tells that a task was queued", async (scene) => {
    const { until, stop } = await watching(scene);

    const { generation } = await scene.add("a");

    await until(is("a", generation, "queued"));
    stop();
  });

  for (const [settlement, state] of HEARD) {
    const delay = "due" in settlement && settlement.due ? " with a delay" : "";
    const verb = settlement.kind === "succeeded" ? `${state} and` : "is";
    test(`Storage.watch() tells what became of a run that ${verb} ${settlement.kind}${delay}`, async (scene) => {
      const { worker, claim, generation } = await scene.running("a");
      const { until, stop } = await watching(scene, await scene.another());

      await worker.settle(claim, settlement);

      await until(is("a", generation, state)); // invariant 64
      stop();
    });
  }

  test("Storage.watch() tells an ending only when it can be seen", async (scene) => {
    const { worker, claim, generation } = await scene.running("a");
    const { until, stop } = await watching(scene);
    const seen = until(is("a", generation, "completed")).then(() => scene.find("a"));

    await worker.settle(claim, completed("t"));

    const { live, ended } = await seen; // invariant 64: record and event change in one step
    deepEqual([live, ended?.generation, ended?.text], [undefined, generation, "t"]);
    stop();
  });

  test("Storage.watch() tells every end that nobody's body came to", async (scene) => {
    const running = await scene.running("running");
    const deferred = await scene.replace("running");
    const waits = await scene.add("waits");
    const replaced = await scene.add("replaced", { due: { after: LONG } });
    const { until, stop } = await watching(scene);

    await scene.cancel("waits", "running");
    await scene.replace("replaced");

    // Nobody waits for ever (invariant 64).
    await until(is("waits", waits.generation, "cancelled"));
    await until(is("replaced", replaced.generation, "cancelled"));
    await until(is("running", deferred.generation, "cancelled"));
    await until(({ kind, ...change }) =>
      kind === "cancelling" && "generation" in change && change.generation === running.generation
    );
    stop();
  });

  test("Storage.watch() tells the ends that come with taking over", async (scene) => {
    const poison = await scene.running("poison");
    const cancelled = await scene.running("cancelled");
    await scene.cancel("cancelled");
    await scene.advance(PAST_LEASE);
    const { until, stop } = await watching(scene);

    await scene.worker().reclaim({ maxDeliveries: 1 });

    await until(is("poison", poison.generation, "dead"));
    await until(is("cancelled", cancelled.generation, "cancelled"));
    stop();
  });

  test("Storage.watch() tells nothing where nothing changed", async (scene) => {
    const { worker, claim } = await scene.running("a");
    await scene.cancel("a");
    const call = scene.call("b");
    await scene.storage.schedule([call]);
    const { heard, until, stop } = await watching(scene);

    await scene.storage.schedule([call, scene.call("a"), scene.call("b")]);
    await scene.cancel("a", "nobody");
    await worker.settle({ key: "a", token: "x".repeat(22) }, completed());
    await scene.storage.promote(10);
    const marker = await scene.add("marker");
    await until(is("marker", marker.generation, "queued"));

    deepEqual(keysOf(heard), ["marker"]); // invariant 6
    await worker.settle(claim, completed());
    stop();
  });

  test("Storage.watch() tells everybody, until each has heard enough", async (scene) => {
    const watchers = [await watching(scene), await watching(scene, await scene.another())];
    const first = await scene.add("first");
    for (const { until } of watchers) await until(is("first", first.generation, "queued"));

    watchers[0].stop();
    const second = await scene.add("second");
    await watchers[1].until(is("second", second.generation, "queued"));

    ok(keysOf(watchers[0].heard).every((key) => key === "first")); // invariant 65
    watchers[1].stop();
  });

  test("Storage.watch() hears nothing of another docket", async (scene) => {
    const neighbour = await scene.neighbour(); // invariant 8
    if (!neighbour) return;
    const { heard, until, stop } = await watching(scene, neighbour);

    await scene.add("a");
    const { generation } = scene.call("b");
    await neighbour.schedule([scene.call("b", { generation })]);
    await until(is("b", generation, "queued"));

    deepEqual(keysOf(heard), ["b"]);
    await neighbour.cancel([{ key: "b" }]);
    stop();
  });

  test("Storage.schedule() and cancel() outlive listeners that throw", async (scene) => {
    const { generation } = await scene.running("a");
    const { signal, stop } = stopping();
    const fail = () => {
      throw new Error("a listener's own fault");
    };
    await scene.storage.listen(fail, { signal });
    await scene.storage.watch(fail, { signal });
    const { until, stop: alsoStop } = await listening(scene);

    const { verdict } = await scene.add("b", { due: { after: LONG } });
    const replies = await scene.cancel("a");

    deepEqual([verdict.kind, ...replies], ["scheduled", "requested"]);
    await until((notice) => notice.kind === "cancel" && notice.generation === generation);
    stop();
    alsoStop();
  });
}

/** Whose changes these are. */
function keysOf(changes: readonly Change[]): string[] {
  return changes.flatMap((change) => change.kind === "mark" ? [] : [change.key]);
}

/** Due in about so many milliseconds: the request took a moment. */
function isDue(notice: Notice, after: number): boolean {
  return notice.kind === "due" && notice.in <= after && notice.in > after - 3_000;
}

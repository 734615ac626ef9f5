/**
 * How `docket top` follows a docket, also one that does not answer.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, match, rejects } from "node:assert/strict";
import { test } from "node:test";
import { ConnectionError, Docket, Worker } from "../../mod.ts";
import { TopView } from "../../src/cli/top/view.ts";
import type { Storage } from "../../src/storage/contract.ts";
import { FakeClock } from "../../src/testing/clock.ts";
import { FaultyStorage } from "../../src/testing/faulty_storage.ts";
import { memoryStorage } from "../../src/testing/memory_docket.ts";
import { altered } from "../_harness.ts";

test("TopView looks again after each interval, and tells how much happened", async () => {
  await using scene = await Scene.open();
  void scene.show(2_000);
  await scene.clock.settle();
  match(scene.screen, /^orders at memory:.* 00:00:00 UTC\n/);
  match(scene.screen, /queued – .*\n.*\ntasks +queued 0 /);

  await scene.docket.add("nobody")();
  await scene.clock.advance("1999ms");
  match(scene.screen, /tasks +queued 0 /);
  await scene.clock.advance("1ms");

  match(scene.screen, / 00:00:02 UTC\n/);
  match(scene.screen, /queued 0\.5 .*\n.*\ntasks +queued 1 /);
});

test("TopView tells of a docket that does not answer, and finds back to it", async () => {
  await using scene = await Scene.open();
  void scene.show(60_000);
  await scene.clock.settle();

  scene.faulty.down();
  await scene.clock.advance("60s");
  match(scene.screen, / 00:00:00 UTC\nNo answer for 0s: Cannot \w+: the storage is down\n/);
  match(scene.screen, /queued – .*\n.*\ntasks +queued 0 /); // what was known is shown
  await scene.clock.advance("3s"); // it does not wait for its interval
  match(scene.screen, /\nNo answer for 3s: /);
  scene.faulty.up();
  await scene.docket.add("nobody")();
  await scene.clock.advance("1s");

  match(scene.screen, / 00:01:04 UTC\nper second +queued – .*\n.*\ntasks +queued 1 /);
  await scene.docket.add("nobody")();
  await scene.clock.advance("60s");
  match(scene.screen, / 00:02:04 UTC\nper second +queued 0\.0 .*\n.*\ntasks +queued 2 /);
});

test("TopView tells why there is no answer, without what the title says", async () => {
  const cause = new Error("connect ECONNREFUSED");
  await using scene = await Scene.open({
    survey: () => Promise.reject(new ConnectionError("Cannot survey: redis://host: …", { cause })),
  });
  void scene.show(1_000);

  await scene.clock.settle();

  match(scene.screen, /\nNo answer for 0s: connect ECONNREFUSED$/);
});

test("TopView knows who runs what, also of more than there is room for", async () => {
  await using scene = await Scene.open();
  const gate = Promise.withResolvers<void>();
  async function hold(): Promise<void> {
    await gate.promise;
  }
  for (let i = 0; i < 40; i++) await scene.docket.add(hold)();
  await using worker = new Worker(scene.docket, { name: "one", concurrency: 50 });
  void worker.runForever();
  void scene.show(1_000);

  await scene.clock.advance("3s");

  match(scene.screen, /\none {5}40\/50 /);
  gate.resolve();
  await scene.clock.settle();
});

test("TopView tells of a look that takes long, before it is over", async () => {
  await using scene = await Scene.open();
  scene.faulty.slow("2500ms");
  void scene.show(1_000);

  await scene.clock.advance("1s");
  deepEqual(scene.screen.split("\n").map((line) => line.trimEnd()), [
    `orders at ${scene.faulty.storage.url}`,
    "No answer for 1s",
  ]);
  await scene.clock.advance("1s");
  match(scene.screen, /\nNo answer for 2s$/);
  await scene.clock.advance("500ms");

  match(scene.screen, / 00:00:02 UTC\nper second +queued – /);
  await scene.clock.advance("3500ms"); // the second look is over, and it has been listened for a second
  match(scene.screen, / 00:00:06 UTC\nper second +queued 0\.0 /);
  await scene.clock.advance("2s"); // the third one is under way: maybe nothing is heard, either
  match(scene.screen, / 00:00:06 UTC\nNo answer for 1s\nper second +queued – /);
});

test("TopView listens again where listening has failed", async () => {
  await using scene = await Scene.open();
  scene.faulty.refuse({ verb: "watch" });
  void scene.show(1_000);
  await scene.clock.advance("1s"); // this look begins to listen, the one before has failed to

  await scene.clock.advance("1s");

  match(scene.screen, /queued 0\.0 /);
});

test("TopView ends with what is no failure of the docket", async () => {
  await using scene = await Scene.open({
    workers: () => Promise.reject(new TypeError("a defect")),
  });

  await rejects(scene.show(1_000), /a defect/);
});

/** A docket in memory that may fail, under a clock that the test moves. */
class Scene implements AsyncDisposable {
  readonly clock: FakeClock;
  readonly faulty: FaultyStorage;
  readonly docket: Docket;
  /** What was drawn last. */
  screen = "";

  private constructor(clock: FakeClock, faulty: FaultyStorage, docket: Docket) {
    this.clock = clock;
    this.faulty = faulty;
    this.docket = docket;
  }

  static async open(changes: Partial<Storage> = {}): Promise<Scene> {
    const clock = new FakeClock();
    const storage = altered(await memoryStorage({ clock }), changes);
    const faulty = new FaultyStorage(storage, { clock });
    const docket = await Docket.connect({ storage: faulty.storage, name: "orders", clock });
    return new Scene(clock, faulty, docket);
  }

  show(interval: number): Promise<never> {
    const redraw = (lines: readonly string[]) => void (this.screen = lines.join("\n"));
    return new TopView(this.docket, { columns: 80, rows: 23, redraw }).show(interval);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.docket[Symbol.asyncDispose]();
  }
}

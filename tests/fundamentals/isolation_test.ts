/**
 * Dockets share nothing, however alike their names are (invariant 8; F44, F59).
 *
 * @module
 */

import { deepStrictEqual as deepEqual, strictEqual as equal } from "node:assert/strict";
import { type Docket, type Execution, task } from "../../mod.ts";
import type { Change, Notice } from "../../src/storage/contract.ts";
import { onEveryStorage, onMemory, type Stage } from "../_harness.ts";

/** The test's own docket, and those whose names could be taken for a part of it. */
async function neighbours(stage: Stage): Promise<readonly Docket[]> {
  const names = [stage.name, `${stage.name}.b`, `${stage.name}.stream`, stage.name.toUpperCase()];
  return await Promise.all(names.map((name) => stage.connect({ name })));
}

onEveryStorage("A docket", (test) => {
  test("runs its own tasks only", async (stage) => {
    const dockets = await neighbours(stage);
    const seen: string[] = [];
    const note = task("note", ({ docket, key }, name: string): void => {
      equal(docket.name, name);
      seen.push(`${name} ${key}`);
    });
    for (const docket of dockets) {
      for (const key of ["a", "b:c", "stream"]) await docket.add(note, { key })(docket.name);
    }

    for (const docket of dockets.toReversed()) {
      seen.splice(0);
      await stage.finish(docket);
      deepEqual(seen.sort(), ["a", "b:c", "stream"].map((key) => `${docket.name} ${key}`));
    }
  });

  test("knows its own keys only", async (stage) => {
    const dockets = await neighbours(stage);
    function echo(name: string): string {
      return name;
    }
    const executions: Execution<string>[] = [];
    for (const docket of dockets) {
      executions.push(await docket.add(echo, { key: "same", delay: 20 })(docket.name));
    }
    const [first, ...others] = dockets;

    deepEqual(executions.map(({ disposition }) => disposition), dockets.map(() => "scheduled"));
    equal(await first.cancel("same"), "cancelled");
    for (const docket of others) {
      equal((await docket.execution("same"))?.state, "scheduled");
      await stage.finish(docket);
    }

    for (const [index, docket] of others.entries()) {
      equal(await executions[index + 1].result(), docket.name);
    }
    equal((await first.execution("same"))?.state, "cancelled");
  });

  test("cancels its own running task only", async (stage) => {
    const dockets = await neighbours(stage);
    const signals = new Map<string, AbortSignal>();
    const release = Promise.withResolvers<void>();
    stage.afterwards(() => release.resolve());
    const hold = task("hold", async ({ docket, signal }): Promise<boolean> => {
      signals.set(docket.name, signal);
      await release.promise;
      return signal.aborted;
    });
    const executions: Execution<boolean>[] = [];
    for (const docket of dockets) {
      executions.push(await docket.add(hold, { key: "same" })());
      stage.start(docket, { redeliveryTimeout: 2_000 });
    }
    await stage.eventually(() => signals.size === dockets.length);

    equal(await dockets[0].cancel("same"), "requested");
    await stage.eventually(() => signals.get(dockets[0].name)!.aborted);
    await stage.advance(600); // longer than until the next renewal of the others
    release.resolve();

    const aborted = await stage.soon(Promise.all(executions.map((each) => each.result())));
    deepEqual(aborted, dockets.map((_, index) => index === 0));
  });

  // 8: also events
  test("tells its own news only", async (stage) => {
    const [first, ...others] = await neighbours(stage);
    const heard: (Notice | Change)[] = [];
    const listening = new AbortController();
    stage.afterwards(() => listening.abort());
    for (const docket of others) {
      const storage = await stage.open(docket.name);
      await storage.watch((change) => heard.push(change), listening);
      await storage.listen((notice) => heard.push(notice), listening);
    }
    const storage = await stage.open(first.name);
    const own: Change[] = [];
    await storage.watch((change) => own.push(change), listening);
    function noop(): void {}

    await first.add(noop, { key: "a" })();
    await first.add(noop, { key: "b", delay: 10 })();
    await first.add(noop, { key: "c", delay: "1h" })();
    await first.cancel("c");
    await stage.finish(first);
    const ends = () => own.filter((told) => told.kind === "state" && told.state === "completed");
    await stage.eventually(() => ends().length === 2);

    // News of theirs that was sent afterwards has arrived: so would have what was sent before
    for (const docket of others) await docket.add(noop, { key: docket.name, delay: "1h" })();
    await stage.eventually(() => heard.length >= 2 * others.length);
    const dues = heard.filter(({ kind }) => kind === "due");
    const states = heard.filter((told) => told.kind === "state");
    equal(dues.length, others.length);
    deepEqual(
      new Map(states.map(({ key, state }) => [key, state])),
      new Map(others.map(({ name }) => [name, "scheduled"])),
    );
    equal(heard.length, dues.length + states.length);
  });

  test("counts its own tasks only", async (stage) => {
    const dockets = await neighbours(stage);
    function noop(): void {}
    for (const [index, docket] of dockets.entries()) {
      for (let n = 0; n <= index; n++) await docket.add(noop, { delay: "1h" })();
    }

    for (const [index, docket] of dockets.entries()) {
      equal(await (await stage.open(docket.name)).count(), index + 1);
    }
  });

  test("registers its own tasks only", async (stage) => {
    const [first, second] = await neighbours(stage);
    const one = task("same", (): number => 1);
    const two = task("same", (): number => 2);
    first.register(one);
    second.register(two);

    const executions = [await first.add<typeof one>("same")(), await second.add(two)()];
    await stage.finish(first);
    await stage.finish(second);

    deepEqual(await Promise.all(executions.map((execution) => execution.result())), [1, 2]);
  });
});

onEveryStorage("Two connections to one docket", (test) => {
  test("share its tasks, and register their own", async (stage) => {
    const one = await stage.connect();
    const other = await stage.connect();
    function noop(): void {}
    await one.add(noop, { key: "noop" })();

    equal((await other.add<typeof noop>("noop", { key: "noop" })()).disposition, "exists");
    equal((await other.execution("noop"))?.task, "noop");
    deepEqual([one.tasks, other.tasks], [["noop"], []]);
  });

  test("close on their own", async (stage) => {
    const one = await stage.connect();
    const other = await stage.connect();
    function answer(): number {
      return 42;
    }
    const execution = await other.add(answer)();

    await one.close();
    await stage.finish(other);

    equal(await execution.result(), 42);
  });
});

onMemory("Two places in memory", (test) => {
  test("share nothing, under one docket name", async (stage) => {
    const { name } = stage;
    const dockets = [
      await stage.connect({ url: "memory://one" }),
      await stage.connect({ url: "memory://other" }),
      await stage.connect({ url: "memory://one/deeper" }),
    ];
    const again = await stage.connect({ url: new URL("memory://one") });
    function noop(): void {}

    const dispositions: unknown[] = [];
    for (const docket of dockets) {
      equal(docket.name, name);
      dispositions.push((await docket.add(noop, { key: "noop" })()).disposition);
    }
    const duplicate = await again.add<typeof noop>("noop", { key: "noop" })();

    deepEqual(dispositions, ["scheduled", "scheduled", "scheduled"]);
    equal(duplicate.disposition, "exists");
    for (const docket of dockets) await stage.finish(docket);
  });
});

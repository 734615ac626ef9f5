/**
 * Many callers at once.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, strictEqual as equal } from "node:assert/strict";
import { task } from "../../mod.ts";
import { onEveryStorage } from "../_harness.ts";

onEveryStorage("Docket.add()", (test) => {
  // 18: exactly one of 1,000 is scheduled
  test("schedules one of 1,000 concurrent calls with one key, from ten dockets", async (stage) => {
    const dockets = await Promise.all(Array.from({ length: 10 }, () => stage.connect()));
    const seen: number[] = [];
    function note(n: number): void {
      seen.push(n);
    }

    const executions = await Promise.all(
      Array.from({ length: 1_000 }, (_, n) => dockets[n % 10].add(note, { key: "one" })(n)),
    );
    await stage.finish(dockets[0]);

    const scheduled = executions.filter(({ disposition }) => disposition === "scheduled");
    const others = executions.filter(({ disposition }) => disposition === "exists");
    equal(scheduled.length, 1);
    equal(others.length, 999);
    deepEqual(seen, scheduled[0].args);
    for (const { args } of others) deepEqual(args, scheduled[0].args);
  });

  // 18, 9: and each of 1,000 with keys of their own
  test("schedules each of 1,000 concurrent calls with their own keys", async (stage) => {
    const dockets = await Promise.all(Array.from({ length: 10 }, () => stage.connect()));
    const seen = new Map<string, number>();
    const note = task("note", ({ key }, n: number): number => {
      seen.set(key, n);
      return n;
    });

    const executions = await Promise.all(
      Array.from({ length: 1_000 }, (_, n) => dockets[n % 10].add(note, { key: `k${n}` })(n)),
    );
    const results = Promise.all(executions.map((execution) => execution.result()));
    await stage.finish(dockets[0], { concurrency: 100 });

    deepEqual(new Set(executions.map(({ disposition }) => disposition)), new Set(["scheduled"]));
    deepEqual(await stage.soon(results), Array.from({ length: 1_000 }, (_, n) => n));
    equal(seen.size, 1_000);
    for (const { key, args } of executions) equal(seen.get(key), args[0]);
  });

  // 6, 7: in one batch too, the first of two is kept
  test("keeps the first of two calls made at once", async (stage) => {
    const docket = await stage.connect();
    const seen: string[] = [];
    function note(text: string): void {
      seen.push(text);
    }

    const [first, second, other] = await Promise.all([
      docket.add(note, { key: "k" })("first"),
      docket.add(note, { key: "k" })("second"),
      docket.add(note, { key: "other" })("other"),
    ]);
    await stage.finish(docket, { concurrency: 1 });

    deepEqual(
      [first, second, other].map(({ disposition }) => disposition),
      ["scheduled", "exists", "scheduled"],
    );
    deepEqual(second.args, ["first"]);
    deepEqual(seen, ["first", "other"]);
  });

  // 1, 4: calls of one docket take effect in the order in which they were made
  test("takes its turn among other calls for the same key", async (stage) => {
    const docket = await stage.connect();
    const seen: string[] = [];
    function note(text: string): void {
      seen.push(text);
    }

    const [added, replaced, again] = await Promise.all([
      docket.add(note, { key: "k" })("added"),
      docket.replace(note, { key: "k" })("replaced"),
      docket.add(note, { key: "k" })("again"),
    ]);
    await stage.finish(docket);

    deepEqual(
      [added, replaced, again].map(({ disposition }) => disposition),
      ["scheduled", "scheduled", "exists"],
    );
    deepEqual(again.args, ["replaced"]);
    deepEqual(seen, ["replaced"]);
  });

  test("drains a thousand tasks through several workers, each once", async (stage) => {
    const docket = await stage.connect();
    const runs = new Map<string, number>();
    const note = task("note", ({ key }): void => {
      runs.set(key, (runs.get(key) ?? 0) + 1);
    });
    await Promise.all(Array.from({ length: 1_000 }, () => docket.add(note)()));

    const workers = [1, 10, 100].map((concurrency) => stage.worker(docket, { concurrency }));
    await stage.soon(Promise.all(workers.map((worker) => worker.runUntilFinished())));

    equal(runs.size, 1_000);
    deepEqual(new Set(runs.values()), new Set([1]));
  });
});

/**
 * What a storage says of itself.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import type { Test } from "./scene.ts";
import { completed, LONG } from "./shorthands.ts";

export function inspectionTests(test: Test): void {
  test("Storage.inspect() tells what it finds as data, and changes nothing", async (scene) => {
    const { storage } = scene;
    await scene.add("queued");
    await scene.add("due later", { due: { after: LONG } });
    const { at: _before, ...before } = await storage.survey(10);

    const { findings, unknown } = await storage.inspect();

    for (const { about, text } of findings) {
      ok(typeof about === "string" && typeof text === "string" && text !== "");
    }
    ok(unknown.every((text) => typeof text === "string"));
    const { at: _after, ...after } = await storage.survey(10);
    deepEqual(after, before);
  });

  test("Storage.examine() counts what stands in the queue, and what was handed out", async (scene) => {
    const { storage } = scene;
    const { worker, claim } = await scene.running("runs");
    await scene.add("queued");
    await scene.add("due later", { due: { after: LONG } });

    const { queue, families, findings } = await storage.examine();

    deepEqual(queue, { entries: 2, pending: 1 });
    ok(families.length > 0);
    equal(new Set(families.map(({ name }) => name)).size, families.length);
    ok(families.every(({ keys, holds }) => keys > 0 && holds !== ""));
    deepEqual((await storage.inspect()).findings, findings); // of what is in order there is no more to say
    equal(await worker.settle(claim, completed()), true);
  });

  test("Storage.examine() takes an empty docket", async ({ storage }) => {
    const { queue, consumers } = await storage.examine();

    deepEqual({ queue, consumers }, { queue: { entries: 0, pending: 0 }, consumers: [] });
  });

  test("Storage.inspect() and examine() do nothing once their signal has aborted", async ({ storage }) => {
    const aborted = { signal: AbortSignal.abort(new Error("enough")) };

    for (const verb of ["inspect", "examine"] as const) {
      const error = await storage[verb](aborted).then(() => undefined, (error) => error);
      equal(error?.message, "enough", verb);
    }
  });
}

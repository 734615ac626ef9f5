/**
 * Any text is a key and a task's name, and dockets share nothing, whatever they are called: played against a `Map`.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, strictEqual as equal } from "node:assert/strict";
import fc from "fast-check";
import type { Docket } from "../../mod.ts";
import { onEveryStorage } from "../_harness.ts";
import { anyText, fuzz } from "./_fuzz.ts";

/** What is done to one of two dockets, with one of a few keys. */
interface Act {
  readonly what: "add" | "replace" | "cancel" | "look";
  readonly docket: 0 | 1;
  readonly key: number;
  readonly task: string;
}

const act: fc.Arbitrary<Act> = fc.record({
  what: fc.constantFrom("add", "add", "replace", "cancel", "look"),
  docket: fc.constantFrom(0, 1),
  key: fc.nat(7),
  task: anyText().filter((name) => name !== ""),
});

/** Of at most 1,024 bytes, which is what a key may have. */
const keys = fc.uniqueArray(
  fc.oneof({ weight: 9, arbitrary: anyText() }, {
    weight: 1,
    arbitrary: fc.constant("é".repeat(512)),
  })
    .filter((key) => new TextEncoder().encode(key).length <= 1_024),
  { minLength: 8, maxLength: 8 },
);

onEveryStorage("F44 Docket", (test) => {
  test("does with any keys and names what a Map does, and two dockets share nothing", async (stage) => {
    let round = 0;
    await fuzz(15, fc.tuple(keys, fc.array(act, { maxLength: 40 })), async ([keys, acts]) => {
      const name = `${stage.name}.${round++}`;
      const dockets = [await stage.connect({ name }), await stage.connect({ name: `${name}.t` })];
      const models = [new Map<string, readonly [task: string, n: number]>(), new Map()];
      for (const [n, { what, docket, key, task }] of acts.entries()) {
        await play(dockets[docket], models[docket], { what, key: keys[key], task, n });
      }

      for (const [n, docket] of dockets.entries()) {
        const { scheduled } = await docket.snapshot();
        const found = scheduled.map(({ key, task, args }) => [key, [task, ...args]] as const);
        deepEqual(new Map(found), models[n]);
        await docket.clear();
      }
      await Promise.all(dockets.map((docket) => docket.close()));
    });
  });
});

async function play(
  docket: Docket,
  model: Map<string, readonly [task: string, n: number]>,
  { what, key, task, n }: { readonly what: Act["what"]; key: string; task: string; n: number },
): Promise<void> {
  const there = model.get(key);
  switch (what) {
    case "add": {
      const { disposition } = await docket.add(task, { key, delay: "1h" })(n);
      equal(disposition, there ? "exists" : "scheduled");
      if (!there) model.set(key, [task, n]);
      return;
    }
    case "replace":
      equal((await docket.replace(task, { key, delay: "1h" })(n)).disposition, "scheduled");
      return void model.set(key, [task, n]);
    case "cancel":
      equal(await docket.cancel(key) === "cancelled", model.delete(key));
      return;
    case "look": {
      const found = await docket.execution(key);
      equal(found?.state === "scheduled", there !== undefined);
      if (there) deepEqual([found!.key, found!.task, ...found!.args], [key, ...there]);
    }
  }
}

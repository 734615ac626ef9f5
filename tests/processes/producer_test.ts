/**
 * Producer processes are killed while they add (F13): a task is there, whole, or it is not there at all.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import type { Execution } from "../../mod.ts";
import { keyOf, payloadOf } from "./_producer.ts";
import { processTest, type Scene } from "./_scene.ts";

const PRODUCERS = 10;

/** Many packets: a producer can die in the middle of a command. */
const HEFT = 60_000;

/** Adds under way at a time. */
const AT_ONCE = 10;

processTest(
  "Docket.add() in a process that is killed adds the whole task, or nothing",
  async (scene) => {
    const names = Array.from({ length: PRODUCERS }, (_, i) => `producer-${i}`);
    for (const name of names) {
      const producer = scene.producer({ name, atOnce: AT_ONCE, heft: HEFT });
      await scene.happened("added", { worker: name });
      await pause(Math.random() * 30); // any moment will do: that is the fault
      producer.kill("SIGKILL");
      await producer.ends("SIGKILL");
    }
    await scene.worker("worker");

    // Only now has Redis surely read the last of what a producer had written when it died.
    const found = new Set<string>();
    for (const name of names) {
      const told = await scene.all("added", { worker: name });
      const all = await executionsOf(scene, name, told.length + 2 * AT_ONCE);
      ok(told.every(({ key }) => all.has(key!)), "an accepted task is lost");
      for (const [key, execution] of all) {
        equal(await execution.result(), payloadOf(key, HEFT));
        found.add(key);
      }
    }
    const ran = (await scene.all("started")).map(({ key }) => key!);
    deepEqual(ran.filter((key) => !found.has(key)), [], "there is more than was added");
    equal(ran.length, found.size);
  },
);

/** Those of a producer's first so many tasks that are there. */
async function executionsOf(
  scene: Scene,
  producer: string,
  count: number,
): Promise<Map<string, Execution>> {
  const keys = Array.from({ length: count }, (_, n) => keyOf(producer, n));
  const executions = await Promise.all(keys.map((key) => scene.docket.execution(key)));
  return new Map(keys.flatMap((key, i) => executions[i] ? [[key, executions[i]!]] : []));
}

/**
 * Runs before gates, for the tests of the contract.
 *
 * @module
 */

import { deepStrictEqual as deepEqual } from "node:assert/strict";
import type { Claim, Entry, Gate, Held, Passage, Settlement } from "../../storage/contract.ts";
import type { Scene } from "./scene.ts";
import { completed, keysOf, LONG } from "./shorthands.ts";
import type { Worker } from "./worker.ts";

/** Lets in one at once. */
export const ONE: Gate & Held = { kind: "concurrency", id: "one", max: 1 };

/** Schedules a task under each key, and has one worker claim them all. */
export async function claimed(
  scene: Scene,
  keys: readonly string[],
): Promise<{ readonly worker: Worker; readonly claims: readonly Claim[] }> {
  await scene.storage.schedule(keys.map((key) => scene.call(key)));
  const worker = scene.worker();
  const claims = await worker.claim(keys.length);
  deepEqual(keysOf(claims), keys);
  return { worker, claims };
}

/** A run comes to these gates. */
export function entry({ key, token }: Claim, ...gates: readonly Gate[]): Entry {
  return { key, token, gates, ttl: LONG };
}

/** Has one run come to these gates; tells what became of it. */
export async function enter(
  scene: Scene,
  claim: Claim,
  ...gates: readonly Gate[]
): Promise<Passage> {
  const [passage] = await scene.storage.enter([entry(claim, ...gates)]);
  return passage;
}

/** Settles a run with the gate that it holds. */
export async function leave(
  worker: Worker,
  { key, token }: Claim,
  gate: Held,
  settlement: Settlement = completed(),
): Promise<void> {
  await worker.step({ commits: [{ key, token, settlement, leaves: [gate] }], want: 0 });
}

/**
 * Listening and watching, for the tests of the contract.
 *
 * @module
 */

import type { Change, Notice, StateChange, Storage } from "../../storage/contract.ts";
import { Ear } from "./ear.ts";
import type { Scene } from "./scene.ts";

/** A signal and what aborts it. */
export interface Stopping {
  readonly signal: AbortSignal;
  readonly stop: () => void;
}

/** Somebody who hears, until it is stopped. */
export interface Attention<T> {
  /** Everything heard so far. */
  readonly heard: readonly T[];
  /** Waits until something is heard. */
  readonly until: Ear<T>["until"];
  readonly stop: () => void;
}

/** A signal of its own. */
export function stopping(): Stopping {
  const controller = new AbortController();
  return { signal: controller.signal, stop: () => controller.abort() };
}

/** Hears what workers hear. */
export async function listening(
  scene: Scene,
  storage: Storage = scene.storage,
): Promise<Attention<Notice>> {
  const ear = new Ear<Notice>();
  const { signal, stop } = stopping();
  await storage.listen(ear.listener, { signal });
  return { heard: ear.heard, until: (wanted) => ear.until(wanted), stop };
}

/** Hears what changes. */
export async function watching(
  scene: Scene,
  storage: Storage = scene.storage,
): Promise<Attention<Change>> {
  const ear = new Ear<Change>();
  const { signal, stop } = stopping();
  await storage.watch(ear.listener, { signal });
  return { heard: ear.heard, until: (wanted) => ear.until(wanted), stop };
}

/** Whether a change is that a generation came to a state. */
export function is(
  key: string,
  generation: string,
  state: StateChange["state"],
): (change: Change) => boolean {
  return (change) =>
    change.kind === "state" && change.key === key && change.generation === generation &&
    change.state === state;
}

/**
 * Another storage in front of one.
 *
 * @module
 */

import type { Storage } from "../src/storage/contract.ts";

/** A storage of which some verbs are another's. */
export function altered(storage: Storage, changes: Partial<Storage>): Storage {
  return new Proxy(storage, {
    get(target, verb) {
      const changed: unknown = Reflect.get(changes, verb);
      if (changed !== undefined) return changed;
      const kept: unknown = Reflect.get(target, verb);
      return typeof kept === "function" ? kept.bind(target) : kept;
    },
  });
}

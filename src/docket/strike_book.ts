/**
 * What is struck, as far as this docket has looked.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { onAbort } from "../base/abort.ts";
import { Strikes } from "../base/strikes.ts";
import type { Storage } from "../storage/contract.ts";

const log = getLogger(["docket", "strikes"]);

/** So many warnings are remembered, so that none is repeated. */
const MOST_WARNINGS = 1_000;

/**
 * A copy of the docket's strikes. Nobody polls it: the storage refuses what is scheduled in the light of an old version,
 * and tells the present one with everything that is claimed, so it is read again exactly when it must be (invariant 56).
 */
export class StrikeBook {
  readonly #storage: Storage;
  readonly #warned = new Set<string>();
  #version: string | undefined;
  #strikes = new Strikes([], () => {});
  #reading: Promise<unknown> = Promise.resolve();
  #next?: Promise<void>;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /** Which version this is: `""` before the first strike ever, `undefined` before it was read. */
  get version(): string | undefined {
    return this.#version;
  }

  /** What is struck. */
  get strikes(): Strikes {
    return this.#strikes;
  }

  /**
   * Reads it again, as it is now or later. However many ask at the same time, it is read once; whoever gives a signal may
   * leave earlier.
   */
  async refresh(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    // One that is under way may have missed what the caller knows of.
    const reading = this.#next ??= this.#reading.catch(() => {}).then(() => {
      this.#next = undefined;
      const read = this.#read();
      this.#reading = read;
      return read;
    });
    if (!signal) return await reading;
    reading.catch(() => {}); // whoever has left does not hear of it
    let deafen = () => {};
    const left = new Promise<never>((_resolve, reject) => {
      deafen = onAbort(signal, () => reject(signal.reason));
    });
    await Promise.race([reading, left]).finally(() => deafen());
  }

  async #read(): Promise<void> {
    const { version, rules } = await this.#storage.strikes();
    this.#strikes = new Strikes(rules, (message, properties) => this.#warn(message, properties));
    this.#version = version;
  }

  /** Once for each rule, however often it is read anew (invariant 58). */
  #warn(message: string, properties: Record<string, unknown>): void {
    const { task, parameter, operator } = properties;
    const warning = JSON.stringify([message, task, parameter, operator]);
    if (this.#warned.has(warning)) return;
    if (this.#warned.size < MOST_WARNINGS) this.#warned.add(warning);
    log.warn(message, properties);
  }
}

/**
 * A docket for one test, in a memory of its own.
 *
 * @module
 */

import { systemClock } from "../base/clock.ts";
import { randomId } from "../base/ids.ts";
import { Docket } from "../docket/docket.ts";
import type { DocketOptions } from "../docket/options.ts";
import type { Clock } from "../base/clock.ts";
import type { Storage } from "../storage/contract.ts";
import { openStorage } from "../storage/open.ts";

/** Options of {@linkcode memoryDocket}: those of a docket, but where it is. */
export type MemoryDocketOptions = Omit<DocketOptions, "url" | "storage" | "redis" | "lazy">;

/** Longer than any test advances its clock: results are there at its end. */
const KEPT = { days: 365 };

/** How often workers say that they live: seldom, so that a fake clock has little to do. */
const HEARTBEAT = "1h";

/**
 * Connects to a docket that nobody else has. Closing it forgets everything.
 *
 * @throws What {@linkcode Docket.connect} throws for options that cannot be used.
 *
 * @example
 * ```ts
 * import { equal } from "node:assert/strict";
 * import { assertScheduled, FakeClock, memoryDocket, runAll } from "@docket/docket/testing";
 *
 * const sent: string[] = [];
 * const remind = (name: string): void => void sent.push(name);
 *
 * const clock = new FakeClock();
 * await using docket = await memoryDocket({ clock });
 * await docket.add(remind, { key: "remind-jane", delay: { days: 1 } })("Jane");
 *
 * await assertScheduled(docket, remind, { key: "remind-jane", args: ["Jane"] });
 * await runAll(docket, { clock }); // a day goes by, in no time
 * equal(sent.join(), "Jane");
 * ```
 */
export function memoryDocket(options: MemoryDocketOptions = {}): Promise<Docket> {
  return Docket.connect({
    heartbeatInterval: HEARTBEAT,
    executionTtl: KEPT,
    ...options,
    url: `memory://${randomId()}`,
  });
}

/** Options of {@linkcode memoryStorage}. */
export interface MemoryStorageOptions {
  /**
   * What time it is.
   *
   * @default the machine's clock
   */
  readonly clock?: Clock;
}

/** A storage in memory that nobody else has: to be wrapped, and given to a docket as `storage`. */
export function memoryStorage(
  { clock = systemClock }: MemoryStorageOptions = {},
): Promise<Storage> {
  return openStorage(`memory://${randomId()}`, {
    docket: "docket",
    clock,
    recordTtl: 900_000,
    commandTimeout: 5_000,
    connectTimeout: 5_000,
  });
}

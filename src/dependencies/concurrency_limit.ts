/**
 * `ConcurrencyLimit`: at most so many at once.
 *
 * @module
 */

import { type OptionNames, refuseUnknownOptions, wholeNumber } from "../base/options.ts";
import type { Gate } from "../storage/contract.ts";
import { type GateOptions, GatePolicy } from "./gate.ts";

/** Options of {@linkcode ConcurrencyLimit}. */
export interface ConcurrencyLimitOptions<Args extends readonly unknown[]>
  extends GateOptions<Args> {
  /** How many may run at once. */
  readonly max: number;
}

const OPTIONS: OptionNames<ConcurrencyLimitOptions<readonly unknown[]>> = {
  max: true,
  by: true,
  scope: true,
};

/**
 * At most `max` runs at once over all workers: of the task, or for each value of an argument. The rest wait, without a
 * worker, in the order in which they were queued, and the longest waiting is woken when a run ends, whatever its end.
 * A worker that dies keeps its places until its lease is over (invariant 59).
 *
 * @example
 * ```ts
 * import { deepEqual } from "node:assert/strict";
 * import { ConcurrencyLimit, Docket, task, Worker } from "@docket/docket";
 *
 * const story: string[] = [];
 * const charge = task(
 *   "charge",
 *   { one: new ConcurrencyLimit({ max: 1, by: (customerId: number) => customerId }) },
 *   async (_context, customerId: number, order: string): Promise<void> => {
 *     story.push(`begin ${order} of ${customerId}`);
 *     await new Promise((resolve) => setTimeout(resolve, 5));
 *     story.push(`end ${order} of ${customerId}`);
 *   },
 * );
 *
 * await using docket = await Docket.connect({ url: "memory://concurrency-limit-example" });
 * for (const order of ["a", "b"]) await docket.add(charge)(12345, order);
 * await using worker = new Worker(docket);
 * await worker.runUntilFinished();
 * deepEqual(story, ["begin a of 12345", "end a of 12345", "begin b of 12345", "end b of 12345"]);
 * ```
 */
export class ConcurrencyLimit<Args extends readonly unknown[] = readonly unknown[]>
  extends GatePolicy<Args> {
  /** How many may run at once. */
  readonly max: number;

  /**
   * Checks the options where the task is declared.
   *
   * @throws {RangeError} When `max` is not a whole number from 1.
   * @throws {TypeError} For another option that cannot be used.
   */
  constructor(options: ConcurrencyLimitOptions<Args>) {
    super(options);
    refuseUnknownOptions("a ConcurrencyLimit", options, OPTIONS);
    this.max = wholeNumber("max", options.max);
  }

  /** `"concurrency limit"`. */
  override get policy(): string {
    return "concurrency limit";
  }

  /** At most so many hold it. */
  protected override gateOf(id: string): Gate {
    return { kind: "concurrency", id, max: this.max };
  }
}

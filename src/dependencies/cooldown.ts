/**
 * `Cooldown`: one, and then none for a while.
 *
 * @module
 */

import type { Millis } from "../base/clock.ts";
import type { DurationLike } from "../base/duration.ts";
import { type OptionNames, refuseUnknownOptions } from "../base/options.ts";
import type { Gate } from "../storage/contract.ts";
import { type GateOptions, GatePolicy } from "./gate.ts";
import { spanOf } from "./rate_limit.ts";

/** Options of {@linkcode Cooldown}. */
export interface CooldownOptions<Args extends readonly unknown[]> extends GateOptions<Args> {
  /** How long the rest are dropped once one has begun. */
  readonly period: DurationLike;
}

const OPTIONS: OptionNames<CooldownOptions<readonly unknown[]>> = {
  period: true,
  by: true,
  scope: true,
};

/**
 * The first run begins at once; what else comes within `period` after that ends `cancelled` with the reason `"dropped"`.
 * A retry of the first runs all the same (invariant 61). For what need not be done again so soon, such as a refresh.
 *
 * @example
 * ```ts
 * import { deepEqual } from "node:assert/strict";
 * import { Cooldown, Docket, task, Worker } from "@docket/docket";
 *
 * const refreshed: string[] = [];
 * const refresh = task(
 *   "refresh",
 *   { cooldown: new Cooldown({ period: "1m", by: (page: string) => page }) },
 *   (_context, page: string): void => void refreshed.push(page),
 * );
 *
 * await using docket = await Docket.connect({ url: "memory://cooldown-example" });
 * for (const page of ["home", "home", "about"]) await docket.add(refresh)(page);
 * await using worker = new Worker(docket);
 * await worker.runUntilFinished();
 * deepEqual(refreshed, ["home", "about"]);
 * ```
 */
export class Cooldown<Args extends readonly unknown[] = readonly unknown[]>
  extends GatePolicy<Args> {
  /** It may drop runs. */
  override readonly mayDrop: boolean = true;
  readonly #period: Millis;

  /**
   * Checks the options where the task is declared.
   *
   * @throws {RangeError} When `period` is not a span of at least a millisecond.
   * @throws {TypeError} For another option that cannot be used.
   */
  constructor(options: CooldownOptions<Args>) {
    super(options);
    refuseUnknownOptions("a Cooldown", options, OPTIONS);
    this.#period = spanOf("period", options.period);
  }

  /** `"cooldown"`. */
  override get policy(): string {
    return "cooldown";
  }

  /** Shut for a while behind who has passed. */
  protected override gateOf(id: string): Gate {
    return { kind: "cooldown", id, period: this.#period };
  }
}

/**
 * `Debounce`: the last, once things are quiet.
 *
 * @module
 */

import type { Millis } from "../base/clock.ts";
import type { DurationLike } from "../base/duration.ts";
import { type OptionNames, refuseUnknownOptions } from "../base/options.ts";
import type { Gate } from "../storage/contract.ts";
import { type GateOptions, GatePolicy } from "./gate.ts";
import { spanOf } from "./rate_limit.ts";

/** Options of {@linkcode Debounce}. */
export interface DebounceOptions<Args extends readonly unknown[]> extends GateOptions<Args> {
  /** How long no other may have come. */
  readonly quiet: DurationLike;
}

const OPTIONS: OptionNames<DebounceOptions<readonly unknown[]>> = {
  quiet: true,
  by: true,
  scope: true,
};

/**
 * Of those that come close together only the last runs, with its arguments, once no other has come for `quiet`; those
 * before it end `cancelled` with the reason `"dropped"`. For what is to be done after a burst, such as an index. What
 * waits is on the docket like any scheduled task, so no worker's death loses it (invariant 62).
 *
 * @example
 * ```ts
 * import { deepEqual } from "node:assert/strict";
 * import { Debounce, task } from "@docket/docket";
 * import { FakeClock, memoryDocket, runAll } from "@docket/docket/testing";
 *
 * const clock = new FakeClock();
 * const indexed: string[] = [];
 * const index = task(
 *   "index",
 *   { debounce: new Debounce({ quiet: "2s", by: (page: string) => page }) },
 *   (_context, page: string, version: number): void => void indexed.push(`${page} ${version}`),
 * );
 *
 * await using docket = await memoryDocket({ clock });
 * for (const version of [1, 2, 3]) await docket.add(index)("home", version);
 * await runAll(docket, { clock });
 * deepEqual(indexed, ["home 3"]);
 * ```
 */
export class Debounce<Args extends readonly unknown[] = readonly unknown[]>
  extends GatePolicy<Args> {
  /** It may drop runs. */
  override readonly mayDrop: boolean = true;
  readonly #quiet: Millis;

  /**
   * Checks the options where the task is declared.
   *
   * @throws {RangeError} When `quiet` is not a span of at least a millisecond.
   * @throws {TypeError} For another option that cannot be used.
   */
  constructor(options: DebounceOptions<Args>) {
    super(options);
    refuseUnknownOptions("a Debounce", options, OPTIONS);
    this.#quiet = spanOf("quiet", options.quiet);
  }

  /** `"debounce"`. */
  override get policy(): string {
    return "debounce";
  }

  /** Open to the last, when it is quiet. */
  protected override gateOf(id: string): Gate {
    return { kind: "debounce", id, quiet: this.#quiet };
  }
}

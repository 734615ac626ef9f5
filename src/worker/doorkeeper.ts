/**
 * Has runs pass their gates before they begin.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { type Clock, sleep } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { GroupCommit } from "../base/group_commit.ts";
import { Backoff } from "../base/loop.ts";
import { wholeNumber } from "../base/options.ts";
import type { Definition } from "../docket/task.ts";
import type { Entry, Gate, Held, Passage, Storage } from "../storage/contract.ts";
import type { Millis } from "../base/clock.ts";
import type { Run } from "./run.ts";

const log = getLogger(["docket", "worker"]);

/** As many entries travel together. */
const MOST = 200;

/** Drop before others that may have it wait, and wait for time before taking a place that others want. */
const ORDER: Readonly<Record<Gate["kind"], number>> = {
  cooldown: 0,
  debounce: 1,
  rate: 2,
  concurrency: 3,
};

/** What a {@linkcode Doorkeeper} needs. */
export interface DoorkeeperOptions {
  readonly storage: Storage;
  readonly clock: Clock;
  /** The longest pause before a call that failed is tried again. */
  readonly reconnectionDelay: Millis;
}

/** Asks the storage, for many runs at a time. */
export class Doorkeeper {
  readonly #options: DoorkeeperOptions;
  readonly #entries: GroupCommit<Entry, Passage>;

  constructor(options: DoorkeeperOptions) {
    this.#options = options;
    const { storage } = options;
    this.#entries = new GroupCommit<Entry, Passage>({
      send: (entries) => storage.enter(entries),
      maxItems: MOST,
      lanes: 2,
    });
  }

  /**
   * Whether a run may begin. What it holds from now on is settled with it. While the storage is away it is asked again, for
   * as long as the run is this worker's.
   *
   * @throws What a gate throws that cannot tell which it is, and for one that the storage could not work with.
   */
  async admit(
    run: Run,
    { name, gates: policies }: Definition,
    args: readonly unknown[],
    ttl: Millis,
  ): Promise<boolean> {
    const gates = gatesOf(policies, name, args);
    run.leaves = placesAmong(gates);
    const { key, token } = run.claim;
    const { clock, reconnectionDelay } = this.#options;
    const backoff = new Backoff(20, reconnectionDelay);
    while (!run.over && !run.reason) {
      try {
        return await this.#entries.add({ key, token, gates, ttl }) === "passed";
      } catch (error) {
        log.warn("Cannot pass the gates of {key}: {reason}; trying again", {
          key,
          reason: messageOf(error),
        });
        await sleep(clock, backoff.next());
      }
    }
    return true; // why its signal aborted is what it ends with
  }

  /** It ends before its gates. A place may be kept for it all the same, and is the next one's then (invariant 59). */
  turnAway(run: Run, { name, gates }: Definition, args: readonly unknown[]): void {
    if (gates.length === 0) return;
    try {
      run.leaves = placesAmong(gatesOf(gates, name, args));
    } catch {
      // Then none was kept: it never came as far as its gates.
    }
  }
}

function gatesOf(policies: Definition["gates"], task: string, args: readonly unknown[]): Gate[] {
  return policies.map((policy) => validated(policy.gate!(task, args)))
    .sort((a, b) => ORDER[a.kind] - ORDER[b.kind]);
}

function placesAmong(gates: readonly Gate[]): readonly Held[] {
  return gates.filter((gate) => gate.kind === "concurrency");
}

/**
 * A user's own policy may say anything (invariant 36): what the storage cannot work with would spoil the call that carries
 * it, and hold up all the runs that travel with it.
 *
 * @throws {TypeError} or {RangeError} When it is no gate.
 */
function validated(gate: Gate): Gate {
  const { kind, id } = gate;
  if (!Object.hasOwn(ORDER, kind)) {
    throw new TypeError(`Cannot enter a gate of kind ${String(kind)}`);
  }
  if (typeof id !== "string") throw new TypeError("Cannot enter a gate whose id is no string");
  switch (kind) {
    case "concurrency":
      return { kind, id, max: wholeNumber("max", gate.max) };
    case "rate": {
      const excess = gate.excess === "drop" ? "drop" : "wait";
      return {
        kind,
        id,
        max: wholeNumber("max", gate.max),
        per: wholeNumber("per", gate.per),
        excess,
      };
    }
    case "cooldown":
      return { kind, id, period: wholeNumber("period", gate.period) };
    case "debounce":
      return { kind, id, quiet: wholeNumber("quiet", gate.quiet) };
  }
}

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
   * @throws What a gate throws that cannot tell which it is.
   */
  async admit(
    run: Run,
    { name, gates: policies }: Definition,
    args: readonly unknown[],
    ttl: Millis,
  ): Promise<boolean> {
    const gates = policies.map((policy) => policy.gate!(name, args))
      .sort((a, b) => ORDER[a.kind] - ORDER[b.kind]);
    run.leaves = gates.filter((gate) => gate.kind === "concurrency") as Held[];
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
}

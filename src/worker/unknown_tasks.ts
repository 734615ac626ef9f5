/**
 * Tasks that this worker does not know, or whose messages it cannot read yet: another may, or a later version of this one.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import type { Clock, Millis } from "../base/clock.ts";

/** An unknown task is tried again after this, then after twice as long, and so on (invariant 38). */
const FIRST_DELAY: Millis = 1_000;
const LONGEST_DELAY: Millis = 60_000;

const log = getLogger(["docket", "worker"]);

/** How long to hold them. */
export class UnknownTasks {
  readonly #clock: Clock;
  /** By name, and by version those that are newer. */
  readonly #held = new Map<string | number, { readonly delay: Millis; readonly until: Millis }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How long to hold an execution of this task; warns once per name. */
  delay(task: string): Millis {
    if (!this.#held.has(task)) {
      log.warn("Unknown task {task}: holding its executions until a worker knows it", { task });
    }
    return this.#next(task);
  }

  /** How long to hold an execution whose message has this newer version; warns once per version. */
  delayOfNewer(version: number): Millis {
    if (!this.#held.has(version)) {
      log.warn("Messages of version {version}: holding them until a newer worker takes them", {
        version,
      });
    }
    return this.#next(version);
  }

  /** The delay grows with each round, not with each execution of a burst. */
  #next(what: string | number): Millis {
    const now = this.#clock.monotonic();
    const held = this.#held.get(what);
    if (held && now < held.until) return held.delay;
    const delay = held ? Math.min(held.delay * 2, LONGEST_DELAY) : FIRST_DELAY;
    this.#held.set(what, { delay, until: now + delay });
    return delay;
  }

  /** It is known now. */
  forget(task: string): void {
    if (this.#held.size > 0) this.#held.delete(task);
  }
}

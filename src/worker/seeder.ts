/**
 * Keeps tasks going that are to be there always.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { type Clock, type Millis, sleep } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { randomId } from "../base/ids.ts";
import { annotateMessage } from "../base/message.ts";
import type { Beginning } from "../dependencies/dependency.ts";
import type { Internals } from "../docket/internals.ts";
import type { Definition } from "../docket/task.ts";
import type { Seed } from "../storage/contract.ts";
import type { Bounds } from "./bounds.ts";

const log = getLogger(["docket", "worker"]);

/** What a {@linkcode Seeder} needs. */
export interface SeederOptions {
  readonly internals: Internals;
  readonly bounds: Bounds;
}

/** Schedules automatic tasks when the worker starts, and again whenever a chain was severed (invariant 49). */
export class Seeder {
  readonly #internals: Internals;
  readonly #clock: Clock;
  readonly #interval: Millis;
  readonly #bounds: Bounds;
  #unsure = true;
  #onStarted = () => {};
  /** Resolves when all automatic tasks were scheduled once. */
  readonly started: Promise<void> = new Promise((resolve) => this.#onStarted = resolve);

  constructor({ internals, bounds }: SeederOptions) {
    this.#internals = internals;
    this.#clock = internals.clock;
    this.#interval = internals.liveness.interval;
    this.#bounds = bounds;
  }

  /** Looks after them until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const { registry } = this.#internals;
        const { size } = registry;
        const any = await this.#look(signal);
        this.#onStarted();
        if (!any) {
          // No timer that nobody needs (invariant 77); but another task may have come while this looked.
          if (registry.size === size) await registry.whenChanged(signal);
          continue;
        }
      } catch (error) {
        if (signal.aborted) return;
        log.warn("Cannot schedule automatic tasks: {reason}; trying again", {
          reason: messageOf(error),
        });
      }
      await sleep(this.#clock, this.#interval, signal);
    }
  }

  /** Schedules what is not there; tells whether there is anything to look after. */
  async #look(signal: AbortSignal): Promise<boolean> {
    const { registry, storage, book } = this.#internals;
    const automatic = [...registry.definitions()].filter((definition) => this.#isOpen(definition));
    if (automatic.length === 0) return false;
    // Later on every step tells (invariant 56), but an idle worker takes none: what was struck may be restored.
    if (this.#unsure) await book.refresh(signal);
    this.#unsure = false;
    const now = automatic.some(({ seed }) => typeof seed()?.due === "function")
      ? await storage.now({ signal }) // not this machine's (invariant 79)
      : 0;
    const seeds: Seed[] = [];
    for (const { name, parameters, seed } of automatic) {
      // A struck one would be scheduled to be skipped.
      if (book.strikes.find(name, parameters, [])) {
        this.#unsure = true;
        continue;
      }
      try {
        seeds.push({ key: name, generation: randomId(), ...this.#begin(name, seed()!, now) });
      } catch (error) { // a policy that cannot tell stops nothing but its own task (invariant 36)
        log.error("Cannot tell when {task} is due: {reason}", {
          task: name,
          reason: messageOf(error),
          error,
        });
      }
    }
    if (seeds.length > 0) await storage.seed(seeds, { signal });
    return true;
  }

  #begin(name: string, { due, planned }: Beginning, now: Millis): Pick<Seed, "due" | "body"> {
    const body = this.#internals.producer.encode(name, []);
    const first = typeof due === "function" ? due(now) : due;
    const plans = planned && first && "at" in first;
    return { due: first, body: plans ? annotateMessage(body, { planned: first.at }) : body };
  }

  #isOpen({ name, seed }: Definition): boolean {
    return !this.#bounds.isReached(name) && seed() !== undefined;
  }
}

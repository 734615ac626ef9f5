/**
 * The reference implementation of the {@linkcode Storage} contract: read this one first. Every verb is one synchronous
 * function on maps, so that nothing can come between its steps; `handle.ts` wraps them in promises.
 *
 * It lives as long as the process, is shared by all who open the same URL and docket, and sets no timer of its own.
 *
 * @module
 */

import type { Clock } from "../../base/clock.ts";
import type { Hints } from "./hints.ts";
import { Requests } from "./requests.ts";
import { Site } from "./site.ts";
import { Upkeep } from "./upkeep.ts";
import { Work } from "./work.ts";

/** One docket: its verbs, by who asks. All of its state is in a {@linkcode Site}, which they share. */
export class Memory {
  readonly clock: Clock;
  /** What callers ask: `schedule`, `cancel`, `load`. */
  readonly requests: Requests;
  /**
   * What workers ask: `step` claims and settles, `reclaim` takes over from the dead, `renew` keeps leases, `enter` asks
   * gates, `promote` queues what is due; `report`, `retire`. `ready` is for those who `wait`.
   */
  readonly work: Work;
  /**
   * What is asked by those who look after a docket: `now`, `count`, `remaining`, `survey`, `parked`; `seed`, `requeue`,
   * `discard`, `clear`; `strike`, `strikes`; `advertise`, `withdraw`, `workers`, `sweep`.
   */
  readonly upkeep: Upkeep;
  /** Who is told what changed: `wait`, `listen`, `watch`. */
  readonly hints: Hints;

  constructor(clock: Clock) {
    const site = new Site(clock);
    this.clock = clock;
    this.requests = new Requests(site);
    this.work = new Work(site);
    this.upkeep = new Upkeep(site);
    this.hints = site.hints;
  }
}

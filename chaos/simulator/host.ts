/**
 * A process that can be stopped, continued and killed: whatever reaches code in it comes through here.
 *
 * @module
 */

import type { Clock, Millis } from "../../src/base/clock.ts";
import type { Timeline } from "./timeline.ts";

/** The instant at which timelines begin, for those who ask for the time of day. */
const EPOCH: Millis = Date.UTC(2026, 0, 1);

/** One process. */
export class Host {
  readonly name: string;
  /** Its own clock: wrong, and standing still for nobody. */
  readonly clock: Clock;
  readonly #timeline: Timeline;
  readonly #kill = new AbortController();
  readonly #timers = new Set<() => void>();
  #state: "up" | "frozen" | "dead" = "up";
  /** What has reached it while it was stopped. */
  #held: (() => void)[] = [];

  /** `skew`: how far its clock is ahead of everybody else's. */
  constructor(name: string, timeline: Timeline, skew: Millis = 0) {
    this.name = name;
    this.#timeline = timeline;
    this.clock = {
      now: () => EPOCH + timeline.now() + skew,
      monotonic: () => timeline.now(),
      timer: (delay, callback) => this.#timer(delay, callback),
    };
  }

  /** Whether it was killed. */
  get dead(): boolean {
    return this.#state === "dead";
  }

  /** Whether it works. */
  get up(): boolean {
    return this.#state === "up";
  }

  /** Aborts when it is killed: its sockets close. */
  get killed(): AbortSignal {
    return this.#kill.signal;
  }

  /** How many timers are set in it. */
  get timers(): number {
    return this.#timers.size;
  }

  /** Something reaches it: now, when it is continued, or never. */
  reach(act: () => void): void {
    if (this.#state === "up") act();
    else if (this.#state === "frozen") this.#held.push(act);
  }

  /** Stops it: time goes on without it. */
  freeze(): void {
    if (this.#state === "up") this.#state = "frozen";
  }

  /** Continues it: what has reached it comes all at once, in any order. */
  thaw(): void {
    if (this.#state !== "frozen") return;
    this.#state = "up";
    for (const act of this.#held.splice(0)) this.#timeline.after(0, () => this.reach(act));
  }

  /** Ends it, in the middle of whatever it does. */
  kill(): void {
    this.#state = "dead";
    this.#held = [];
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
    this.#kill.abort();
  }

  #timer(delay: Millis, callback: () => void): () => void {
    if (this.dead) return () => {};
    let isOff = false;
    const off = () => {
      isOff = true;
      this.#timers.delete(off);
      cancel();
    };
    const cancel = this.#timeline.after(delay, () =>
      this.reach(() => {
        if (isOff) return;
        this.#timers.delete(off);
        callback();
      }));
    this.#timers.add(off);
    return off;
  }
}

/** The clock of the storage's machine: the one that is right. */
export function clockOf(timeline: Timeline): Clock {
  return {
    now: () => EPOCH + timeline.now(),
    monotonic: () => timeline.now(),
    timer: (delay, callback) => timeline.after(delay, callback),
  };
}

/**
 * What a storage says of itself: whether it is fit to keep tasks, and what it keeps.
 *
 * @module
 */

import type { Millis } from "../../base/clock.ts";

/** Something that puts tasks at risk, or keeps workers from working. */
export interface Finding {
  /** What it is about, for programs: `"eviction"`, `"persistence"`, `"version"`, `"permissions"`, … */
  readonly about: string;
  /** What is wrong, and what to do about it. */
  readonly text: string;
}

/** What was found: see {@linkcode Storage.inspect}. */
export interface Inspection {
  /** Each once, the worst first. */
  readonly findings: readonly Finding[];
  /** What could not be looked at, and why. */
  readonly unknown: readonly string[];
}

/** Keys that belong together. */
export interface Family {
  /** As users of the storage know it: for Redis, how the names of its keys go on behind the docket's. */
  readonly name: string;
  /** What it holds. */
  readonly holds: string;
  /** How many keys there are. */
  readonly keys: number;
  /** How much there is in them, where they are collections. */
  readonly entries?: number;
  /** What they take, estimated from a sample of them; absent where that cannot be had. */
  readonly bytes?: number;
}

/** Who claims tasks, as far as the storage knows. */
export interface ConsumerState {
  /** Unique to one worker. */
  readonly consumer: string;
  /** How many tasks it has been handed. */
  readonly pending: number;
  /** How long ago it was heard of. */
  readonly idle: Millis;
  /** Whether it is advertised: what is not has no worker any more. */
  readonly alive: boolean;
}

/** What is known of a storage when it is looked at closely: see {@linkcode Storage.examine}. */
export interface Examination extends Inspection {
  /** What it is, as in "Redis 7.0.15"; absent where it does not tell. */
  readonly server?: string;
  /** What takes room, in a fixed order, without what is not there. */
  readonly families: readonly Family[];
  /** Whether some keys were not looked at, because there are too many, or because that is forbidden. */
  readonly partial: boolean;
  /** How many tasks stand in the queue, and how many of those were handed out; absent where it may not be asked. */
  readonly queue: { readonly entries: number; readonly pending?: number };
  /** In no order; absent where it may not be asked. */
  readonly consumers?: readonly ConsumerState[];
}

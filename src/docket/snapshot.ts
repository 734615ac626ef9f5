/**
 * What is on a docket, at one instant.
 *
 * @module
 */

import type { Counts, Survey } from "../storage/contract.ts";
import type { EndedTask } from "../storage/contract.ts";
import type { Docket } from "./docket.ts";
import { Execution } from "./execution.ts";

/** What {@linkcode Docket.snapshot} gives. */
export interface Snapshot {
  /** When it was taken, by the storage's clock. */
  readonly takenAt: Date;
  /** How many there are of each state: exact, also where the lists are cut short. */
  readonly counts: Counts;
  /** Due later: the soonest first. */
  readonly scheduled: readonly Execution[];
  /** Due, and not claimed yet: the next one first. */
  readonly queued: readonly Execution[];
  /** Running: the one that started first goes first. */
  readonly running: readonly Execution[];
  /** Waiting for another to end: in line before a limit, the longest first, or to take a running one's place. */
  readonly waiting: readonly Execution[];
  /** Parked: the newest first. */
  readonly dead: readonly Execution[];
}

/** Something that ended, under its key. */
export type Parked = EndedTask & { readonly key: string };

/** Makes handles of what a storage told. */
export function toSnapshot(docket: Docket, survey: Survey, dead: readonly Parked[]): Snapshot {
  const live = (tasks: Survey["scheduled"]): Execution[] =>
    tasks.map((live) => {
      const { key, generation } = live;
      return new Execution({ docket, key, generation, found: { live } });
    });
  return {
    takenAt: new Date(survey.at),
    counts: survey.counts,
    scheduled: live(survey.scheduled),
    queued: live(survey.queued),
    running: live(survey.running),
    waiting: [
      ...live(survey.inLine),
      ...survey.waiting.map((deferred) => {
        const { key, generation } = deferred;
        return new Execution({ docket, key, generation, found: { deferred } });
      }),
    ],
    dead: toExecutions(docket, dead),
  };
}

/** Makes handles of what ended badly. */
export function toExecutions(docket: Docket, parked: readonly Parked[]): Execution[] {
  return parked.map((ended) => {
    const { key, generation } = ended;
    return new Execution({ docket, key, generation, found: { ended } });
  });
}

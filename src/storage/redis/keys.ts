/**
 * Every key of a docket. One hash tag keeps them in one slot, so that a script may touch all of them (invariant 86);
 * user keys are hash fields, or stand behind a typed segment, so that any string is safe (invariant 13).
 *
 * @module
 */

/** The names of one docket's keys and channels. */
export interface Keys {
  /** Hash, key → row: live tasks only, and the only truth about them. */
  readonly state: string;
  /** Hash, key → body of the live generation. */
  readonly bodies: string;
  /** Stream with the group `workers`: pointers to rows. An entry that the row does not name is stale. */
  readonly stream: string;
  /** Sorted set, key → when it is due, in milliseconds. */
  readonly dueSet: string;
  /** Hash, key → a replacement that waits for the running generation to end. */
  readonly deferred: string;
  /** Hash, what is remembered of calls whose reply may get lost; `@watch` → until when somebody listens to events. */
  readonly calls: string;
  /** Sorted set, key → when it was parked. */
  readonly dead: string;
  /** Hash, key → what is known of the parked generation. */
  readonly graves: string;
  /** Before a user's key: string with a time to live, the record of the last generation that ended. */
  readonly recordPrefix: string;
  /** Channel: what workers hear. */
  readonly wake: string;
  /** Channel: what waiters hear. */
  readonly events: string;
}

/** The keys of a docket. */
export function keysOf(docket: string): Keys {
  const tag = `{${docket}}`;
  return {
    state: `${tag}:state`,
    bodies: `${tag}:tasks`,
    stream: `${tag}:stream`,
    dueSet: `${tag}:due`,
    deferred: `${tag}:next`,
    calls: `${tag}:calls`,
    dead: `${tag}:dead`,
    graves: `${tag}:graves`,
    recordPrefix: `${tag}:r:`,
    wake: `${tag}:wake`,
    events: `${tag}:events`,
  };
}

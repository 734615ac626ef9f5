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
  /** Set of the keys that are scheduled in the background: those whose row says `B`. */
  readonly background: string;
  /**
   * Hash, what is remembered of calls whose reply may get lost. `@watch` → until when somebody listens to events,
   * `@strikes` → the version of the strikes, `@sweep` → how far the sweep is, `@clear` → the last page that was cleared.
   */
  readonly calls: string;
  /** Sorted set, key → when it was parked. */
  readonly dead: string;
  /** Hash, key → what is known of the parked generation. */
  readonly graves: string;
  /** Sorted set, key → when it failed. Lives as long as the last of their records. */
  readonly failed: string;
  /** Hash, key of a chain that is to be there always → `on`, or `off` once it was stopped on purpose. */
  readonly automatic: string;
  /** Hash, rule → the request that struck it, and when. */
  readonly strikes: string;
  /** Sorted set, consumer → when it was advertised last. */
  readonly workers: string;
  /** Sorted set, key → its turn: what is in line before a gate. */
  readonly waiters: string;
  /**
   * Before a letter, a colon and the id of a gate: `h` hash of holders, `l` sorted set of the line, `r` sorted set of
   * grants, `c` string and `d` hash of who came last.
   */
  readonly gatePrefix: string;
  /** Before a consumer: string with a time to live, what it says of itself. While there is one it is advertised. */
  readonly workerPrefix: string;
  /** Before a user's key: string with a time to live, what the present run has reported, under its token. */
  readonly progressPrefix: string;
  /** Before a user's key: string with a time to live, the record of the last generation that ended. */
  readonly recordPrefix: string;
  /** Channel: what workers hear. */
  readonly wake: string;
  /** Channel: what those who watch hear. */
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
    background: `${tag}:background`,
    calls: `${tag}:calls`,
    dead: `${tag}:dead`,
    graves: `${tag}:graves`,
    failed: `${tag}:failed`,
    automatic: `${tag}:automatic`,
    strikes: `${tag}:strikes`,
    workers: `${tag}:workers`,
    waiters: `${tag}:waiters`,
    gatePrefix: `${tag}:g:`,
    workerPrefix: `${tag}:w:`,
    progressPrefix: `${tag}:p:`,
    recordPrefix: `${tag}:r:`,
    wake: `${tag}:wake`,
    events: `${tag}:events`,
  };
}

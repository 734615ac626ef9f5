/**
 * Every key of a docket. One hash tag keeps them in one slot, so that a script may touch all of them (invariant 86);
 * user keys are hash fields, or stand behind a typed segment, so that any string is safe (invariant 13).
 *
 * @module
 */

/** What each key's name ends with. */
const ENDINGS = {
  /** Hash, key → row: live tasks only, and the only truth about them. */
  state: "state",
  /** Hash, key → body of the live generation. */
  bodies: "tasks",
  /** Stream with the group `workers`: pointers to rows. An entry that the row does not name is stale. */
  stream: "stream",
  /** Sorted set, key → when it is due, in milliseconds. */
  dueSet: "due",
  /** Hash, key → a replacement that waits for the running generation to end. */
  deferred: "next",
  /** Set of the keys that are scheduled in the background: those whose row says `B`. */
  background: "background",
  /**
   * Hash, what is remembered of calls whose reply may get lost. `@watch` → until when somebody listens to events,
   * `@strikes` → the version of the strikes, `@sweep` → how far the sweep is, `@clear` → the last page that was cleared.
   */
  calls: "calls",
  /** Sorted set, key → when it was parked. */
  dead: "dead",
  /** Hash, key → what is known of the parked generation. */
  graves: "graves",
  /** Sorted set, key → when it failed. Lives as long as the last of their records. */
  failed: "failed",
  /** Hash, key of a chain that is to be there always → `on`, or `off` once it was stopped on purpose. */
  automatic: "automatic",
  /** Hash, rule → the request that struck it, and when. */
  strikes: "strikes",
  /** Sorted set, consumer → when it was advertised last. */
  workers: "workers",
  /** String with a time to live: written where replicas are waited for, so that there is something to wait for. */
  replicated: "replicated",
  /** Sorted set, key → its turn: what is in line before a gate. */
  waiters: "waiters",
  /**
   * Before a letter, a colon and the id of a gate: `h` hash of holders, `l` sorted set of the line, `r` sorted set of
   * grants, `c` string and `d` hash of who came last.
   */
  gatePrefix: "g:",
  /** Before a consumer: string with a time to live, what it says of itself. While there is one it is advertised. */
  workerPrefix: "w:",
  /** Before a user's key: string with a time to live, what the present run has reported, under its token. */
  progressPrefix: "p:",
  /** Before a user's key: string with a time to live, the record of the last generation that ended. */
  recordPrefix: "r:",
  /** Channel: what workers hear. */
  wake: "wake",
  /** Channel: what those who watch hear. */
  events: "events",
} as const;

/** A key, or what keys or channels begin with, by its name in the scripts. */
export type Name = keyof typeof ENDINGS;

/** The names of one docket's keys and channels. */
export type Keys = Readonly<Record<Name, string>> & {
  /** What all of them begin with: scripts are given this alone, and make the names themselves. */
  readonly prefix: string;
};

/** The keys of a docket. */
export function keysOf(docket: string): Keys {
  const prefix = `{${docket}}:`;
  const names = Object.entries(ENDINGS).map(([name, ending]) => [name, prefix + ending]);
  return { ...Object.fromEntries(names) as Record<Name, string>, prefix };
}

/** Lua that makes names of keys known to a script. */
export function named(...names: readonly Name[]): string {
  if (names.length === 0) return "";
  return `local ${names.join(", ")} = ${
    names.map((name) => `PREFIX .. '${ENDINGS[name]}'`).join(", ")
  }`;
}

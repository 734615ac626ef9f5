/**
 * How the Redis that is measured on keeps what it has.
 *
 * @module
 */

/** The ways that are measured. */
export const PERSISTENCES = ["none", "aof"] as const;

/** One of {@linkcode PERSISTENCES}. */
export type PersistenceName = typeof PERSISTENCES[number];

/** A way: in words, and as options of the server. */
export interface Persistence {
  readonly title: string;
  readonly args: readonly string[];
}

/** All of them. */
export const persistence: Readonly<Record<PersistenceName, Persistence>> = {
  none: { title: "Redis without persistence", args: [] },
  aof: {
    title: "Redis with AOF, everysec",
    args: ["--appendonly", "yes", "--appendfsync", "everysec"],
  },
};

/**
 * The command line of the benchmark.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { type PersistenceName, PERSISTENCES } from "./persistence.ts";
import type { Scenario } from "./scenario.ts";

/** What was asked for. */
export interface Options {
  readonly scenarios: readonly Scenario[];
  readonly rounds: number;
  readonly json: boolean;
  /** Whether ours is measured beside others. */
  readonly peers: boolean;
  /** How Redis keeps what it has: all is measured once with each. */
  readonly persistences: readonly PersistenceName[];
  /** Whether ours is only held against the floor. */
  readonly check: boolean;
}

/** What can be measured. */
export interface Choice {
  readonly all: readonly Scenario[];
  /** What the short form measures. */
  readonly core: readonly Scenario[];
}

/**
 * Reads the command line: `--full`, `--only <name>` (also several times), `--rounds <n>`, `--aof`, `--ours`, `--json`, or
 * `--check`.
 *
 * @throws {TypeError} For anything else, an unknown name, or rounds that are no number.
 */
export function readOptions(args: string[], { all, core }: Choice): Options {
  const { values: { full, only, rounds, aof, ours, json, check } } = parseArgs({
    args,
    options: {
      full: { type: "boolean", default: false },
      only: { type: "string", multiple: true, default: [] },
      rounds: { type: "string" },
      aof: { type: "boolean", default: false },
      ours: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      check: { type: "boolean", default: false },
    },
  });
  const short = !full && only.length === 0;
  return {
    scenarios: short ? core : chosen(all, only),
    rounds: toRounds(rounds ?? (short ? "1" : "3")),
    json,
    peers: !ours,
    persistences: aof ? ["aof"] : full ? PERSISTENCES : ["none"],
    check,
  };
}

function chosen(all: readonly Scenario[], only: readonly string[]): readonly Scenario[] {
  const known = all.map(({ name }) => name);
  const unknown = only.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new TypeError(`Cannot measure ${JSON.stringify(unknown)}: give ${known.join(", ")}`);
  }
  return only.length === 0 ? all : all.filter(({ name }) => only.includes(name));
}

function toRounds(text: string): number {
  if (/^[1-9]\d*$/.test(text)) return Number(text);
  throw new TypeError(`Cannot use ${JSON.stringify(text)} for --rounds: give a number from 1`);
}

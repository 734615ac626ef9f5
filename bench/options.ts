/**
 * The command line of the benchmark.
 *
 * @module
 */

import { parseArgs } from "node:util";
import type { Scenario } from "./scenario.ts";

/** What was asked for. */
export interface Options {
  readonly scenarios: readonly Scenario[];
  readonly rounds: number;
  readonly json: boolean;
  /** Whether ours is measured beside others. */
  readonly peers: boolean;
}

/** What can be measured. */
export interface Choice {
  readonly all: readonly Scenario[];
  /** Those that peers are measured by as well. */
  readonly compared: readonly Scenario[];
}

/**
 * Reads the command line: `--only <name>` (also several times), `--rounds <n>`, `--json`, `--peers`.
 *
 * @throws {TypeError} For anything else, an unknown name, or rounds that are no number.
 */
export function readOptions(args: string[], { all, compared }: Choice): Options {
  const { values: { only, rounds, json, peers } } = parseArgs({
    args,
    options: {
      only: { type: "string", multiple: true, default: [] },
      rounds: { type: "string", default: "3" },
      json: { type: "boolean", default: false },
      peers: { type: "boolean", default: false },
    },
  });
  const choice = peers ? compared : all;
  const known = choice.map(({ name }) => name);
  const unknown = only.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new TypeError(`Cannot measure ${JSON.stringify(unknown)}: give ${known.join(", ")}`);
  }
  if (!/^[1-9]\d*$/.test(rounds)) {
    throw new TypeError(`Cannot use ${JSON.stringify(rounds)} for --rounds: give a number from 1`);
  }
  const scenarios = only.length === 0 ? choice : choice.filter(({ name }) => only.includes(name));
  return { scenarios, rounds: Number(rounds), json, peers };
}

/**
 * The command line of `deno task scale`.
 *
 * @module
 */

import { parseArgs } from "node:util";
import type { Subject } from "./subject.ts";

/** What was asked for. */
export interface Options {
  readonly subjects: readonly Subject[];
  /** At most so many of each. */
  readonly most: number;
  /** How often; what takes long is measured in the first one only. */
  readonly rounds: number;
  readonly json: boolean;
  /** Whether the figures of the documentation are to be drawn of it. */
  readonly save: boolean;
  /** Whether that is to be added to what was kept before, as more rounds. */
  readonly more: boolean;
}

/**
 * Reads the command line: `--only <name>` (also several times), `--most <n>`, `--rounds <n>`, `--json`,
 * `--save`, `--more`.
 *
 * @throws {TypeError} For anything else, an unknown name, or no number where there should be one.
 */
export function readOptions(args: string[], all: readonly Subject[]): Options {
  const { values: { only, most, rounds, json, save, more } } = parseArgs({
    args,
    options: {
      only: { type: "string", multiple: true, default: [] },
      most: { type: "string", default: "1000000" },
      rounds: { type: "string", default: "2" },
      json: { type: "boolean", default: false },
      save: { type: "boolean", default: false },
      more: { type: "boolean", default: false },
    },
  });
  const known = all.map(({ name }) => name);
  const unknown = only.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new TypeError(`Cannot measure ${JSON.stringify(unknown)}: give ${known.join(", ")}`);
  }
  const subjects = only.length === 0 ? all : all.filter(({ name }) => only.includes(name));
  return {
    subjects,
    most: natural("--most", most),
    rounds: natural("--rounds", rounds),
    json,
    save: save || more,
    more,
  };
}

function natural(option: string, text: string): number {
  if (/^[1-9]\d*$/.test(text)) return Number(text);
  throw new TypeError(`Cannot use ${JSON.stringify(text)} for ${option}: give a number from 1`);
}

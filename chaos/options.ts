/**
 * The command line of chaos.
 *
 * @module
 */

import { parseArgs } from "node:util";

/** What was asked for. */
export interface Options {
  readonly seed: number;
  /** For how long, in minutes. */
  readonly minutes: number;
  /** Whether nothing breaks, and only memory is looked at. */
  readonly soak: boolean;
  /** Whether the journal and the files of Redis stay, whatever was found. */
  readonly keep: boolean;
}

/** Memory is looked at every five seconds, and what is seen first does not count; in minutes. */
const SHORTEST_SOAK = 1;

/**
 * Reads the command line: `--seed <n>`, by default another each time, `--minutes <n>`, `--soak`, `--keep`.
 *
 * @throws {TypeError} For anything else, or what is no number.
 */
export function readOptions(args: string[]): Options {
  const { values: { seed, minutes, soak, keep } } = parseArgs({
    args,
    options: {
      seed: { type: "string", default: `${Math.floor(Math.random() * 1_000_000)}` },
      minutes: { type: "string" },
      soak: { type: "boolean", default: false },
      keep: { type: "boolean", default: false },
    },
  });
  const options = {
    seed: toNumber("seed", seed, /^\d{1,9}$/),
    minutes: toNumber("minutes", minutes ?? (soak ? "10" : "2"), /^\d+(\.\d+)?$/),
    soak,
    keep,
  };
  if (soak && options.minutes < SHORTEST_SOAK) {
    throw new TypeError(`Cannot see what grows in ${minutes} minutes: give ${SHORTEST_SOAK}`);
  }
  return options;
}

function toNumber(name: string, text: string, form: RegExp): number {
  if (form.test(text) && (name === "seed" || Number(text) > 0)) return Number(text);
  throw new TypeError(`Cannot use ${JSON.stringify(text)} for --${name}: give a number`);
}

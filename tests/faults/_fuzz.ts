/**
 * Random input. A failure prints the smallest that was found, the seed and the path: `DOCKET_SEED=<seed>` or
 * `DOCKET_SEED=<seed>/<path>` plays it again, `DOCKET_RUNS=<n>` tries more.
 *
 * @module
 */

import { env } from "node:process";
import fc from "fast-check";

const [seed = "1", path] = env.DOCKET_SEED?.split("/") ?? [];

/** Tries so many inputs. */
export async function fuzz<T>(
  runs: number,
  input: fc.Arbitrary<T>,
  check: (input: T) => void | Promise<void>,
): Promise<void> {
  const property = fc.asyncProperty(input, async (value) => await check(value));
  const details = await fc.check(property, {
    seed: Number(seed),
    path,
    numRuns: Number(env.DOCKET_RUNS ?? runs),
    interruptAfterTimeLimit: 60_000, // also while it looks for a smaller one
  });
  if (!details.failed || details.counterexample === null) return;
  const { numRuns, counterexample, counterexamplePath, errorInstance } = details;
  const where = `run ${numRuns}; replay with DOCKET_SEED=${details.seed}/${counterexamplePath}`;
  throw new Error(`${where}\n${shorten(fc.stringify(counterexample[0]))}\n${errorInstance}`, {
    cause: errorInstance,
  });
}

/** What parsers, patterns, prototypes and scripts trip over. */
const TREACHEROUS: readonly string[] = [
  "",
  "\0",
  "|",
  "~",
  "%",
  "*",
  "?[a",
  "\\",
  "\n",
  "{x}",
  "}:state",
  ":",
  "@watch",
  "stream",
  "__proto__",
  "constructor",
  "toString",
  "é",
  "𝕊",
  "0-1",
  "-1",
];

/** Any text at all, and often one that is treacherous. */
export function anyText(maxLength = 40): fc.Arbitrary<string> {
  const piece = fc.oneof(
    fc.constantFrom(...TREACHEROUS),
    fc.string({ unit: "binary", maxLength }),
    fc.string({ unit: "grapheme", maxLength }),
  );
  return fc.array(piece, { maxLength: 4 }).map((pieces) => pieces.join(""));
}

function shorten(text: string): string {
  return text.length > 2_000 ? `${text.slice(0, 2_000)}…` : text;
}

/**
 * A pseudo-terminal for a process, and the exit code of that process.
 *
 * @module
 */

import { readFile } from "node:fs/promises";

/**
 * The command that runs a line of shell in a terminal. The line's exit code is written to a file: `script`
 * has the terminal before it has the code, and ends with 0 when it sees the one gone before the other is there.
 */
export function inTerminal(line: string, codeFile: string): string[] {
  // A shell that does nothing at Ctrl-C outlives what it runs.
  return ["script", "-qec", `trap : INT; ${line}; echo $? > ${quote(codeFile)}`, "/dev/null"];
}

/** What {@linkcode inTerminal} has written, or NaN where all of it was killed. */
export async function exitCodeIn(codeFile: string): Promise<number> {
  return Number(await readFile(codeFile, "utf8").catch(() => NaN));
}

/** A word as a shell reads it. */
export function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/**
 * Runs a module in a process of its own: nothing else uses its CPU time, its heap or its warmed-up code.
 *
 * @module
 */

import { once } from "node:events";
import { argv, stdout } from "node:process";

/** Whoever takes longer hangs. */
const PATIENCE = 180_000;

/** Starts the module, with flags for Deno, and gives what it {@linkcode answer}s. */
export function ask<Question, Answer>(
  module: string,
  question: Question,
  flags: readonly string[] = [],
): Promise<Answer> {
  return askProgram(Deno.execPath(), ["run", "--quiet", "-A", ...flags, module], question);
}

/** The same with any program that ends with an {@linkcode answer}. */
export async function askProgram<Question, Answer>(
  program: string,
  args: readonly string[],
  question: Question,
): Promise<Answer> {
  const child = new Deno.Command(program, {
    args: [...args, JSON.stringify(question)],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
    signal: AbortSignal.timeout(PATIENCE),
  });
  const { success, signal, stdout } = await child.output();
  if (success) return JSON.parse(new TextDecoder().decode(stdout));
  throw new Error(`Cannot measure: ${JSON.stringify(question)} ended by ${signal ?? "an error"}`);
}

/** Answers the question that this process was started with. */
export async function answer<Question, Answer>(
  solve: (question: Question) => Promise<Answer>,
): Promise<void> {
  const text = JSON.stringify(await solve(JSON.parse(argv[2])) ?? null);
  if (!stdout.write(text)) await once(stdout, "drain");
}

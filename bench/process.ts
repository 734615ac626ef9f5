/**
 * Runs something in a process of its own: nothing else uses its CPU time, its heap or its warmed-up code. It works in Deno
 * and in Node.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import process, { argv, execPath, stdin, stdout } from "node:process";
import { createInterface } from "node:readline";

/** Whoever takes longer hangs. */
const PATIENCE = 600_000;

/** What is run. */
export interface Program {
  readonly command: string;
  readonly args: readonly string[];
}

/** A module in this runtime. */
export function module(path: string, flags: readonly string[] = []): Program {
  const run = "deno" in process.versions ? ["run", "--quiet", "-A"] : [];
  return { command: execPath, args: [...run, ...flags, path] };
}

/** This program again. */
export const self: Program = module(argv[1]);

/** Starts the program, and gives what it {@linkcode answer}s in the end. */
export async function ask<Question, Answer>(
  program: Program,
  question: Question,
): Promise<Answer> {
  await using other = new Other(program, question);
  let last = "";
  for await (const line of other.lines()) last = line;
  return JSON.parse(last);
}

/** A process that is talked with, line by line. */
export class Other implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #question: string;

  /** Starts it. */
  constructor({ command, args }: Program, question: unknown) {
    this.#question = JSON.stringify(question);
    this.#child = spawn(command, [...args, this.#question], {
      stdio: ["pipe", "pipe", "inherit"],
      timeout: PATIENCE,
      killSignal: "SIGKILL",
    });
  }

  /** Tells it something. */
  tell(line: string): void {
    this.#child.stdin!.write(`${line}\n`);
  }

  /**
   * What it says until it ends.
   *
   * @throws {Error} When it fails.
   */
  async *lines(): AsyncGenerator<string, void> {
    const closed = once(this.#child, "close");
    yield* createInterface({ input: this.#child.stdout! });
    const [code, signal] = await closed;
    if (code === 0) return;
    throw new Error(`Cannot measure: ${this.#question} ended by ${signal ?? "an error"}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exit;
  }
}

/** Says something to whoever started this process. */
export function say(value: unknown): Promise<unknown> {
  return new Promise((resolve) => stdout.write(`${JSON.stringify(value ?? null)}\n`, resolve));
}

/** What it says to this process. */
export function heard(): AsyncIterable<string> {
  return createInterface({ input: stdin });
}

/** Answers the question that this process was started with, and ends it, whatever it has left open. */
export async function answer<Question, Answer>(
  solve: (question: Question) => Promise<Answer>,
): Promise<void> {
  await say(await solve(JSON.parse(argv[2])));
  process.exit();
}

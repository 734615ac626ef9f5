/**
 * Where commands write to and ask: a terminal, or pipes.
 *
 * @module
 */

import process from "node:process";
import { createInterface } from "node:readline/promises";
import { escapeControls, hideCredentials, table } from "./render.ts";
import { cut } from "./width.ts";

/** Results go to standard output, everything else to standard error. */
export class Terminal {
  /** Whether results are read by a person. */
  readonly interactive: boolean = process.stdout.isTTY === true;
  /** Whether results may be coloured: never in a pipe, nor with `NO_COLOR`. */
  readonly colors: boolean = this.interactive && !process.env.NO_COLOR;
  readonly #args: readonly string[];
  /** What was drawn last: so many lines, when there were so many columns. */
  #drawn = { lines: 0, columns: 0 };
  /** Whether notes are left out that would tear what is drawn. */
  #quiet = false;

  /** Keeps what was typed. */
  constructor(args: readonly string[]) {
    this.#args = args;
  }

  /** Whether an option was typed, where everybody sees it who may list processes. */
  typed(flag: string): boolean {
    return this.#args.some((arg) => arg === flag || arg.startsWith(`${flag}=`));
  }

  /** How many columns a line may have; without bounds in a pipe. */
  get columns(): number {
    return this.interactive ? process.stdout.columns || 80 : Infinity;
  }

  /** How many lines can be drawn over: below them stands the cursor. */
  get rows(): number {
    return Math.max(1, (process.stdout.rows || 24) - 1);
  }

  /** Writes a line of results. */
  print(line: string): void {
    this.write(escapeControls(line));
  }

  /** Writes a line as it is. */
  write(line: string): void {
    process.stdout.write(`${line}\n`);
  }

  /** Writes a table. */
  table(header: readonly string[], rows: readonly (readonly string[])[]): void {
    for (const line of table(header, rows, this.columns)) this.print(line);
  }

  /** Writes a result for programs: over several lines, or as one. */
  json(value: unknown, { lines = true } = {}): void {
    const text = JSON.stringify(value, undefined, lines ? 2 : undefined);
    this.write(text.split("\n").map(escapeControls).join("\n")); // the escapes are those of JSON, too
  }

  /** Writes lines over those that were drawn last. */
  redraw(lines: readonly string[]): void {
    const { columns } = this;
    const shown = lines.slice(0, this.rows).map((line) =>
      `${cut(escapeControls(line), columns)}\n`
    );
    process.stdout.write(`${this.#back(columns)}\x1b[J${shown.join("")}`);
    this.#drawn = { lines: shown.length, columns };
  }

  /** To where the last drawing began. In another width its lines may be broken: then it begins at the top. */
  #back(columns: number): string {
    if (this.#drawn.lines === 0) return "";
    return columns === this.#drawn.columns ? `\x1b[${this.#drawn.lines}F` : "\x1b[H";
  }

  /** Draws until it is over, and leaves out meanwhile what is noted on the same screen. */
  async live(draw: () => Promise<never>): Promise<never> {
    this.#quiet = process.stderr.isTTY === true;
    try {
      return await draw();
    } finally {
      this.#quiet = false;
    }
  }

  /** Says something that is not a result; what may have come from others is escaped, and what may be secret hidden. */
  note(text: string): void {
    if (this.#quiet) return;
    process.stderr.write(`${escapeControls(hideCredentials(text))}\n`);
  }

  /** Whether somebody is there to answer. */
  get canAsk(): boolean {
    return process.stdin.isTTY === true && process.stderr.isTTY === true;
  }

  /** Asks a question, and gives the answer: none is `""`, after Ctrl-D or Ctrl-C. */
  async ask(question: string): Promise<string> {
    const lines = createInterface({ input: process.stdin, output: process.stderr });
    const left = new Promise<string>((resolve) => lines.once("close", () => resolve("")));
    try {
      const answer = lines.question(question);
      answer.catch(() => {}); // some runtimes reject when it is left, others never settle
      return await Promise.race([answer, left]);
    } finally {
      lines.close();
    }
  }

  /** Resolves when everything is written: what ends the process at once would cut off what is in a pipe. */
  async flush(): Promise<void> {
    for (const stream of [process.stdout, process.stderr]) {
      await new Promise<void>((resolve) => stream.write("", () => resolve()));
    }
  }
}

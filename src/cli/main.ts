/**
 * The command line: reads the arguments, does what they say, and tells the exit code.
 *
 * @module
 */

import process from "node:process";
import { message } from "@optique/core/message";
import { run } from "@optique/run";
import { DocketError, messageOf } from "../base/errors.ts";
import { type Action, type Command, parserOf } from "./command.ts";
import { add, replace } from "./commands/add.ts";
import { cancel } from "./commands/cancel.ts";
import { clear } from "./commands/clear.ts";
import { dead } from "./commands/dead.ts";
import { doctor } from "./commands/doctor.ts";
import { failed } from "./commands/failed.ts";
import { snapshot } from "./commands/snapshot.ts";
import { restore, strike } from "./commands/strike.ts";
import { strikes } from "./commands/strikes.ts";
import { tasks } from "./commands/tasks.ts";
import { top } from "./commands/top.ts";
import { watch } from "./commands/watch.ts";
import { worker } from "./commands/worker.ts";
import { workers } from "./commands/workers.ts";
import { CommandError, UsageError } from "./errors.ts";
import { Terminal } from "./terminal.ts";
import { VERSION } from "./version.ts";

const COMMANDS: readonly Command[] = [
  worker,
  snapshot,
  top,
  watch,
  add,
  replace,
  cancel,
  clear,
  strike,
  restore,
  strikes,
  failed,
  dead,
  tasks,
  workers,
  doctor,
];

/**
 * Runs `docket` with these arguments, and gives the exit code once everything is written: 0 when it went well, 1 when it
 * did not, 2 for bad usage. `docket watch` has codes of its own.
 */
export async function main(args: readonly string[]): Promise<number> {
  process.stdout.on("error", ignoreClosed);
  process.stderr.on("error", ignore);
  const terminal = new Terminal(args);
  try {
    return await parse(args, terminal)(terminal);
  } catch (error) {
    return report(error, args, terminal);
  } finally {
    await terminal.flush();
    process.stdout.off("error", ignoreClosed);
    process.stderr.off("error", ignore);
  }
}

/** Thrown where the parser would end the process. */
class Ended extends Error {
  readonly code: number;

  constructor(code: number) {
    super(`It ended with ${code}`);
    this.code = code;
  }
}

function parse(args: readonly string[], terminal: Terminal): Action {
  expectCommand(args);
  const said: string[] = [];
  return run(parserOf(COMMANDS, args), {
    programName: "docket",
    args,
    help: { command: true, option: { names: ["--help", "-h"] } },
    commandList: "top-level",
    usageLine: [{ type: "ellipsis" }],
    version: { value: VERSION, command: true, option: true },
    completion: { command: true },
    brief: message`Distributed background tasks: workers, and what operators need.`,
    colors: terminal.colors,
    termWidth: "auto",
    aboveError: "none",
    errorExitCode: 2,
    stdout: (text) => terminal.write(text),
    stderr: (text) => void said.push(text),
    onExit: (code) => {
      const error = said.find((text) => text.startsWith("Error: ")); // what else it says is usage
      if (error === undefined) throw new Ended(code);
      const reason = error.replace("Error: ", "").replaceAll(/\s*\n\s*/g, " ").trim();
      const hint = /^Unexpected option or argument: "-\d/.test(reason)
        ? " Put -- before negative numbers."
        : "";
      throw new UsageError(reason + hint);
    },
  });
}

/** Says what is missing better than a parser can, to which nothing is as wrong as anything else. */
function expectCommand([name, more]: readonly string[]): void {
  if (name === undefined) throw new UsageError("Give a command, such as worker");
  const group = COMMANDS.find((one) => one.name === name);
  if (group === undefined || !("commands" in group) || more !== undefined) return;
  throw new UsageError(
    `Give a command: ${group.commands.map((one) => `${name} ${one.name}`).join(", ")}`,
  );
}

function report(error: unknown, args: readonly string[], terminal: Terminal): number {
  if (error instanceof Ended) return error.code;
  if (error instanceof UsageError) {
    terminal.note(`docket: ${error.message}`);
    terminal.note(`Try: docket ${helpFor(args)}`);
    return 2;
  }
  const expected = error instanceof DocketError || error instanceof CommandError;
  terminal.note(`docket: ${messageOf(error)}`);
  if (!expected && error instanceof Error) {
    error.stack?.split("\n").forEach((line) => terminal.note(line));
  }
  return 1;
}

/** The command whose help says what was wrong. */
function helpFor(args: readonly string[]): string {
  const command = COMMANDS.find(({ name }) => name === args[0]);
  const within = command && "commands" in command &&
    command.commands.some(({ name }) => name === args[1]);
  return [...command ? [command.name] : [], ...within ? [args[1]] : [], "--help"].join(" ");
}

/** Whoever reads the output may stop, as `head` does. What was asked for is done all the same. */
function ignoreClosed(error: NodeJS.ErrnoException): void {
  if (error.code !== "EPIPE" && error.code !== "ERR_STREAM_DESTROYED") throw error;
}

/** A note that cannot be written cannot be told of either, and is no accident of a task. */
function ignore(): void {}

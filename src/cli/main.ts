/**
 * The command line: reads the arguments, does what they say, and tells the exit code.
 *
 * @module
 */

import process from "node:process";
import { or } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { command, constant } from "@optique/core/primitives";
import { run } from "@optique/run";
import { VERSION } from "./version.ts";

/** Thrown instead of ending the process, by whoever knows how it ends. */
class Exit extends Error {
  readonly code: number;

  constructor(code: number) {
    super(`Exit ${code}`);
    this.code = code;
  }
}

/**
 * Runs `docket` with these arguments, and gives the exit code once everything is written: 0 when it went well, 1 when it
 * did not, 2 for bad usage.
 */
export async function main(args: readonly string[]): Promise<number> {
  try {
    run(or(command("worker", constant(0)), command("snapshot", constant(0))), {
      programName: "docket",
      args,
      help: "both",
      version: { value: VERSION, command: true, option: true },
      completion: { command: true },
      brief: message`Distributed background tasks.`,
      aboveError: "none",
      errorExitCode: 2,
      onExit: (code) => {
        throw new Exit(code);
      },
    });
    return 0;
  } catch (error) {
    if (error instanceof Exit) return error.code;
    throw error;
  } finally {
    await written(process.stdout);
    await written(process.stderr);
  }
}

function written(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => stream.write("", () => resolve()));
}

/**
 * What a command is: a name, what it takes, and what it does.
 *
 * @module
 */

import { or } from "@optique/core/constructs";
import { message, text } from "@optique/core/message";
import { map } from "@optique/core/modifiers";
import type { Parser } from "@optique/core/parser";
import { command } from "@optique/core/primitives";
import type { Terminal } from "./terminal.ts";

/** Does what was asked, and gives the exit code. */
export type Action = (terminal: Terminal) => Promise<number>;

/** A command, or a group of them such as `docket failed`. */
export type Command = Leaf | Group;

/** A command that does something. */
export interface Leaf {
  readonly name: string;
  readonly brief: string;
  readonly parser: ActionParser;
}

/** Commands under a common first word. */
export interface Group {
  readonly name: string;
  readonly brief: string;
  readonly commands: readonly Leaf[];
}

/** Reads what comes after the name of a command. */
export type ActionParser = Parser<"sync", Action, unknown>;

/** Stands for more options than a line can hold. */
const MANY = [{ type: "ellipsis" }] as const;

/** A command that takes what `parser` reads. */
export function leaf<Values, State>(
  { name, brief, parser, run }: {
    readonly name: string;
    readonly brief: string;
    readonly parser: Parser<"sync", Values, State>;
    readonly run: (values: Values, terminal: Terminal) => Promise<number>;
  },
): Leaf {
  return { name, brief, parser: map(parser, (values) => (terminal) => run(values, terminal)) };
}

/**
 * The parser of these commands. Of those that `args` names only that one is in it: of many, none could tell what was
 * misspelt behind its name.
 */
export function parserOf(commands: readonly Command[], args: readonly string[]): ActionParser {
  const named = commands.filter(({ name }) => name === args[0]);
  const parsers = (named.length > 0 ? named : commands).map((one) =>
    command(
      one.name,
      "parser" in one ? one.parser : parserOf(one.commands, named.length > 0 ? args.slice(1) : []),
      { brief: message`${text(one.brief)}`, ...one.name === "worker" && { usageLine: MANY } },
    )
  );
  return parsers.length === 1 ? parsers[0] : or(...parsers);
}

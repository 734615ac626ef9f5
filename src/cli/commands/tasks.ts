/**
 * `docket tasks`: puts the built-in tasks on the docket, to see whether it works.
 *
 * @module
 */

import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { optional, withDefault } from "@optique/core/modifiers";
import { argument, option } from "@optique/core/primitives";
import { float, string } from "@optique/core/valueparser";
import type { Command } from "../command.ts";
import { leaf } from "../command.ts";
import { parsersOf, PLACE } from "../options.ts";
import { duration } from "../values.ts";
import { schedule } from "./add.ts";

const common = {
  ...parsersOf(PLACE),
  delay: optional(
    option("--delay", duration(), { description: message`how long from now it is due` }),
  ),
};
const text = withDefault(argument(string({ metavar: "MESSAGE" })), "Howdy!");

/** The group. */
export const tasks: Command = {
  name: "tasks",
  brief: "Try a docket with tasks that every docket worker knows",
  commands: [
    leaf({
      name: "trace",
      brief: "Log a message",
      parser: object({ ...common, message: text }),
      run: ({ message, ...rest }, terminal) =>
        schedule({ ...rest, task: "trace", args: [message] }, terminal),
    }),
    leaf({
      name: "fail",
      brief: "Fail with a message",
      parser: object({ ...common, message: text }),
      run: ({ message, ...rest }, terminal) =>
        schedule({ ...rest, task: "fail", args: [message] }, terminal),
    }),
    leaf({
      name: "sleep",
      brief: "Sleep for some seconds",
      parser: object({
        ...common,
        seconds: withDefault(argument(float({ metavar: "SECONDS", min: 0 })), 1),
      }),
      run: ({ seconds, ...rest }, terminal) =>
        schedule({ ...rest, task: "sleep", args: [seconds] }, terminal),
    }),
  ],
};

/**
 * `docket add` and `docket replace`: put a task on the docket, by name.
 *
 * @module
 */

import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { multiple, optional } from "@optique/core/modifiers";
import { argument, option } from "@optique/core/primitives";
import { string } from "@optique/core/valueparser";
import type { Millis } from "../../base/clock.ts";
import type { Docket } from "../../docket/docket.ts";
import type { Execution } from "../../docket/execution.ts";
import { leaf } from "../command.ts";
import { connect } from "../connect.ts";
import { refusing, UsageError } from "../errors.ts";
import { parsersOf, PLACE, type Values } from "../options.ts";
import { relative } from "../render.ts";
import type { Terminal } from "../terminal.ts";
import { duration, instant, typedValue } from "../values.ts";

const when = optional(
  option("--when", instant(), { description: message`when it is due, such as 2026-01-31T09:00Z` }),
);
const delay = optional(
  option("--delay", duration(), { description: message`how long from now it is due` }),
);
const call = {
  ...parsersOf(PLACE),
  task: argument(string({ metavar: "TASK" }), { description: message`the name of the task` }),
  args: multiple(
    argument(typedValue("ARG"), {
      description:
        message`its arguments: JSON, words, or int:42, str:42, date:2026-01-31; negative numbers after --`,
    }),
  ),
  when,
  delay,
};

/** `docket add`. */
export const add = leaf({
  name: "add",
  brief: "Put a task on the docket",
  parser: object({
    ...call,
    key: optional(
      option("--key", string({ metavar: "KEY" }), {
        description: message`its key: while a task with it is live, nothing is added`,
      }),
    ),
  }),
  run: schedule,
});

/** `docket replace`. */
export const replace = leaf({
  name: "replace",
  brief: "Put a task in the place of what is live under a key",
  parser: object({
    ...call,
    key: option("--key", string({ metavar: "KEY" }), { description: message`which key` }),
  }),
  run: (call, terminal) => schedule({ ...call, replace: true }, terminal),
});

/** What is to be scheduled, and how. */
export interface Call extends Values<typeof PLACE> {
  readonly task: string;
  readonly args: readonly unknown[];
  readonly when?: Date;
  readonly delay?: Millis;
  readonly key?: string;
  readonly replace?: boolean;
}

/** Schedules a task and tells what became of it. */
export async function schedule(call: Call, terminal: Terminal): Promise<number> {
  if (call.key === "") throw new UsageError("Cannot use an empty key: is a variable not set?");
  await using docket = await connect(call, terminal);
  const { task, args, when, delay, key, replace } = call;
  const execution = await refusing(() =>
    replace
      ? docket.replace(task, { key: key!, when, delay })(...args)
      : docket.add(task, { when, delay, key })(...args)
  );
  terminal.print(outcome(execution, task));
  if (execution.disposition !== "struck") await warnUnknown(docket, task, terminal);
  return 0;
}

function outcome({ key, disposition, when }: Execution, task: string): string {
  const due = when && when.getTime() > Date.now() ? `, due ${relative(when, new Date())}` : "";
  const what = `${JSON.stringify(task)} under ${JSON.stringify(key)}`;
  switch (disposition) {
    case "exists":
      return `Nothing added: a task exists under ${JSON.stringify(key)}${due}`;
    case "struck":
      return `Nothing added: ${JSON.stringify(task)} is struck`;
    case "deferred":
      return `Deferred ${what} until the one that runs has ended${due}`;
    default:
      return `Scheduled ${what}${due}`;
  }
}

/** It waits for a worker that knows it, which is fine; or it is misspelt. */
async function warnUnknown(docket: Docket, task: string, terminal: Terminal): Promise<void> {
  const workers = await docket.workers();
  if (workers.length === 0 || workers.some(({ tasks }) => Object.hasOwn(tasks, task))) return;
  const known = new Set(workers.flatMap(({ tasks }) => Object.keys(tasks)));
  terminal.note(
    `Warning: no live worker knows ${JSON.stringify(task)}; they know ${[...known].join(", ")}`,
  );
}

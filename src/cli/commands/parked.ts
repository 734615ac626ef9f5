/**
 * What `docket failed` and `docket dead` have in common: lists of what ended badly, and what can be done about it.
 *
 * @module
 */

import { object } from "@optique/core/constructs";
import { message, text } from "@optique/core/message";
import { optional } from "@optique/core/modifiers";
import { argument, option } from "@optique/core/primitives";
import { string } from "@optique/core/valueparser";
import { ExecutionExpiredError, messageOf } from "../../base/errors.ts";
import type { Docket } from "../../docket/docket.ts";
import type { Execution } from "../../docket/execution.ts";
import { type Command, leaf } from "../command.ts";
import { connect } from "../connect.ts";
import { CommandError, UsageError } from "../errors.ts";
import { json, limit, parsersOf, PLACE, type Values } from "../options.ts";
import { count, relative } from "../render.ts";
import type { Terminal } from "../terminal.ts";

/** No list is longer. */
const ALL = 10_000;

/** A group of commands about one of the lists; `again` is the name of the one that runs things again. */
export function parked(which: "failed" | "dead", brief: string, again: string): Command {
  const list = (docket: Docket, limit: number) => docket[which]({ limit });
  const what = which === "failed" ? "failed" : "is dead";
  const some = {
    ...parsersOf(PLACE),
    key: optional(argument(string({ metavar: "KEY" }), { description: message`which one` })),
    all: option("--all", { description: message`${text(`everything that ${what}`)}` }),
  };
  return {
    name: which,
    brief,
    commands: [
      leaf({
        name: "ls",
        brief: `List what ${what}, the newest first`,
        parser: object({ ...parsersOf(PLACE), json, limit }),
        async run({ json, limit, ...place }, terminal) {
          await using docket = await connect(place, terminal);
          show(await list(docket, limit), { json, what, docket, terminal });
          return 0;
        },
      }),
      leaf({
        name: again,
        brief: "Run it again, under its key and with its arguments",
        parser: object(some),
        run: (chosen, terminal) => forEach(chosen, terminal, list, retry),
      }),
      leaf({
        name: "rm",
        brief: "Forget it",
        parser: object(some),
        run: (chosen, terminal) => forEach(chosen, terminal, list, remove),
      }),
    ],
  };
}

interface Shown {
  readonly json: boolean;
  readonly what: string;
  readonly docket: Docket;
  readonly terminal: Terminal;
}

function show(executions: readonly Execution[], { json, what, docket, terminal }: Shown): void {
  if (json) return terminal.json(executions.map(toJson));
  if (executions.length === 0) return terminal.print(`Nothing ${what} on ${docket.name}`);
  const now = new Date();
  const rows = executions.map((one) => [
    relative(one.completedAt, now),
    one.task || "?",
    one.key,
    `${one.attempt}`,
    one.worker ?? "",
    messageOf(one.error),
  ]);
  terminal.table(["ENDED", "TASK", "KEY", "ATTEMPT", "WORKER", "ERROR"], rows);
}

function toJson(one: Execution): unknown {
  return {
    state: one.state,
    task: one.task,
    key: one.key,
    attempt: one.attempt,
    worker: one.worker ?? null,
    startedAt: one.startedAt ?? null,
    completedAt: one.completedAt ?? null,
    error: {
      name: one.error instanceof Error ? one.error.name : null,
      message: messageOf(one.error),
    },
  };
}

interface Chosen extends Values<typeof PLACE> {
  readonly key: string | undefined;
  readonly all: boolean;
}

/** Does it to one, or to all, and tells how many it was done to. */
async function forEach(
  { key, all, ...place }: Chosen,
  terminal: Terminal,
  list: (docket: Docket, limit: number) => Promise<Execution[]>,
  act: (execution: Execution) => Promise<Result>,
): Promise<number> {
  if (all === (key !== undefined)) throw new UsageError("Give either a key or --all");
  await using docket = await connect(place, terminal);
  const found = (await list(docket, ALL)).filter((one) => all || one.key === key);
  if (key !== undefined && found.length === 0) {
    throw new CommandError(`${JSON.stringify(key)} is not on that list of ${docket.name}`);
  }
  let done = 0;
  for (const one of found) {
    const result = await act(one);
    if (result.done) done++;
    terminal.print(`${JSON.stringify(one.key)}: ${result.told}`);
  }
  if (all) terminal.print(count(done, "execution"));
  return all || done > 0 ? 0 : 1;
}

/** What was done about one, and what is to be said of it. */
interface Result {
  readonly done: boolean;
  readonly told: string;
}

async function retry(execution: Execution): Promise<Result> {
  try {
    const { disposition } = await execution.retry();
    return disposition === "exists"
      ? { done: false, told: "a task exists under its key; nothing done" }
      : { done: true, told: "runs again" };
  } catch (error) {
    if (!(error instanceof ExecutionExpiredError)) throw error;
    return { done: false, told: "was gone already" }; // somebody else was quicker
  }
}

async function remove(execution: Execution): Promise<Result> {
  const done = await execution.discard();
  return { done, told: done ? "forgotten" : "was gone already" };
}

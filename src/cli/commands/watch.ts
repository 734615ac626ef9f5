/**
 * `docket watch`: follows one execution to its end.
 *
 * @module
 */

import { object } from "@optique/core/constructs";
import { argument } from "@optique/core/primitives";
import { string } from "@optique/core/valueparser";
import { messageOf } from "../../base/errors.ts";
import type { ExecutionEvent, ProgressEvent, StateEvent } from "../../docket/events.ts";
import type { Execution } from "../../docket/execution.ts";
import { leaf } from "../command.ts";
import { connect } from "../connect.ts";
import { CommandError, refusing } from "../errors.ts";
import { json, parsersOf, PLACE } from "../options.ts";
import { bar, span } from "../render.ts";
import type { Terminal } from "../terminal.ts";

/** The exit code tells the outcome; 1 and 2 mean trouble of our own. */
const CODES: Readonly<Record<string, number>> = { completed: 0, failed: 3, cancelled: 4, dead: 5 };

/** The command. */
export const watch = leaf({
  name: "watch",
  brief: "Follow an execution; exits with 0 completed, 3 failed, 4 cancelled, 5 dead",
  parser: object({ ...parsersOf(PLACE), key: argument(string({ metavar: "KEY" })), json }),
  async run({ key, json, ...place }, terminal) {
    await using docket = await connect(place, terminal);
    const execution = await refusing(() => docket.execution(key));
    if (execution === undefined) {
      throw new CommandError(`Nothing is known of ${JSON.stringify(key)} on ${docket.name}`);
    }
    return await follow(execution, json ? new Lines(terminal) : viewOf(execution, terminal));
  },
});

interface View {
  show(event: ExecutionEvent): void;
  end(last: StateEvent, error: unknown): void;
}

async function follow(execution: Execution, view: View): Promise<number> {
  let last: StateEvent | undefined;
  for await (const event of execution.events()) {
    view.show(event);
    if (event.kind === "state") last = event;
  }
  if (last === undefined) return 1;
  view.end(last, await errorOf(execution, last));
  return CODES[last.state] ?? 1;
}

/** What it threw, where its record still tells. */
async function errorOf(execution: Execution, { state }: StateEvent): Promise<unknown> {
  if (state !== "failed" && state !== "dead") return undefined;
  try {
    return (await execution.refresh()).error;
  } catch {
    return undefined; // its record is gone: how it ended is known all the same
  }
}

function viewOf(execution: Execution, terminal: Terminal): View {
  return terminal.interactive ? new Live(execution, terminal) : new Log(execution, terminal);
}

/** For programs: one event in a line. */
class Lines implements View {
  readonly #terminal: Terminal;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  show(event: ExecutionEvent): void {
    this.#terminal.json(event, { lines: false });
  }

  end(): void {}
}

/** For a pipe: one event in a line, as text. */
class Log implements View {
  readonly #terminal: Terminal;

  constructor({ task, key }: Execution, terminal: Terminal) {
    this.#terminal = terminal;
    terminal.print(`${task || "?"} ${JSON.stringify(key)}`);
  }

  show(event: ExecutionEvent): void {
    const told = event.kind === "state" ? tellState(event) : tellProgress(event);
    this.#terminal.print(`${event.at.toISOString()} ${told}`);
  }

  end(_last: StateEvent, error: unknown): void {
    if (error !== undefined) this.#terminal.print(`It threw: ${messageOf(error)}`);
  }
}

/** For a person: some lines that change. */
class Live implements View {
  readonly #terminal: Terminal;
  readonly #execution: Execution;
  readonly #history: string[] = [];
  #progress?: ProgressEvent;
  #since?: Date;

  constructor(execution: Execution, terminal: Terminal) {
    this.#execution = execution;
    this.#terminal = terminal;
  }

  show(event: ExecutionEvent): void {
    if (event.kind === "progress") {
      this.#progress = event;
    } else {
      const after = this.#since ? ` after ${span(event.at.getTime() - this.#since.getTime())}` : "";
      this.#history.push(`  ${tellState(event)}${after}`);
      this.#since = event.at;
      if (event.state === "running") this.#progress = undefined; // it begins anew
    }
    this.#draw([]);
  }

  end(_last: StateEvent, error: unknown): void {
    if (error !== undefined) this.#draw([`  It threw: ${messageOf(error)}`]);
  }

  #draw(more: readonly string[]): void {
    const { task, key } = this.#execution;
    const progress = this.#progress ? [`  ${tellProgress(this.#progress)}`] : [];
    const title = `${task || "?"} ${JSON.stringify(key)}`;
    this.#terminal.redraw([title, ...this.#history, ...progress, ...more]);
  }
}

function tellState({ state, attempt, worker, reason }: StateEvent): string {
  const by = worker !== undefined ? ` on ${worker}` : "";
  const which = attempt > 1 ? ` at attempt ${attempt}` : "";
  const why = reason !== undefined && reason !== state ? ` (${reason})` : "";
  return `${state}${why}${which}${by}`;
}

function tellProgress({ current, total, message }: ProgressEvent): string {
  return `${bar(current, total, 20)} ${current}/${total}${message ? ` ${message}` : ""}`;
}

/**
 * `docket workers`: who is alive, and what each can run.
 *
 * @module
 */

import { object } from "@optique/core/constructs";
import { argument } from "@optique/core/primitives";
import { string } from "@optique/core/valueparser";
import type { WorkerInfo } from "../../docket/presence.ts";
import { type Command, leaf } from "../command.ts";
import { connect } from "../connect.ts";
import { json, parsersOf, PLACE } from "../options.ts";
import { relative } from "../render.ts";
import type { Terminal } from "../terminal.ts";

/** The group. */
export const workers: Command = {
  name: "workers",
  brief: "Show the workers that are alive",
  commands: [
    leaf({
      name: "ls",
      brief: "List them, and the tasks they know",
      parser: object({ ...parsersOf(PLACE), json }),
      async run({ json, ...place }, terminal) {
        await using docket = await connect(place, terminal);
        return show(await docket.workers(), json, `No worker is alive on ${docket.name}`, terminal);
      },
    }),
    leaf({
      name: "for-task",
      brief: "List those that know a task; exits with 1 when there is none",
      parser: object({ ...parsersOf(PLACE), task: argument(string({ metavar: "TASK" })), json }),
      async run({ json, task, ...place }, terminal) {
        await using docket = await connect(place, terminal);
        const found = await docket.taskWorkers(task);
        const none = `No live worker knows ${JSON.stringify(task)} on ${docket.name}`;
        show(found, json, none, terminal);
        return found.length > 0 ? 0 : 1;
      },
    }),
  ],
};

function show(workers: WorkerInfo[], json: boolean, none: string, terminal: Terminal): number {
  if (json) {
    terminal.json(workers);
  } else if (workers.length === 0) {
    terminal.print(none);
  } else {
    const now = new Date();
    const rows = workers.map(({ name, lastSeen, startedAt, concurrency, tasks }) => [
      name,
      relative(lastSeen, now),
      relative(startedAt, now),
      `${concurrency}`,
      Object.keys(tasks).join(" "),
    ]);
    terminal.table(["NAME", "LAST SEEN", "STARTED", "CONCURRENCY", "TASKS"], rows);
  }
  return 0;
}

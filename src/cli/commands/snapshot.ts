/**
 * `docket snapshot`: what runs, and what is to come.
 *
 * @module
 */

import { setTimeout as sleep } from "node:timers/promises";
import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { option } from "@optique/core/primitives";
import type { Execution } from "../../docket/execution.ts";
import type { Snapshot } from "../../docket/snapshot.ts";
import { leaf } from "../command.ts";
import { connect } from "../connect.ts";
import { UsageError } from "../errors.ts";
import { json, limit, parsersOf, PLACE } from "../options.ts";
import { relative, table } from "../render.ts";
import type { Terminal } from "../terminal.ts";

/** Between two looks, in milliseconds. */
const PAUSE = 1_000;

/** The command. */
export const snapshot = leaf({
  name: "snapshot",
  brief: "Show what runs and what is to come",
  parser: object({
    ...parsersOf(PLACE),
    json,
    limit,
    watch: option("--watch", { description: message`show it again every second, until Ctrl-C` }),
  }),
  async run({ json, limit, watch, ...place }, terminal) {
    if (watch && json) throw new UsageError("Cannot use --watch together with --json");
    if (watch && !terminal.interactive) {
      throw new UsageError("Cannot watch here: --watch draws on a terminal, and this is none");
    }
    await using docket = await connect(place, terminal);
    while (watch) {
      terminal.redraw(render(await docket.snapshot({ limit }), docket.name, terminal));
      await sleep(PAUSE);
    }
    const taken = await docket.snapshot({ limit });
    if (json) terminal.json(toJson(taken));
    else render(taken, docket.name, terminal).forEach((line) => terminal.print(line));
    return 0;
  },
});

const HEADER = ["STATE", "WHEN", "TASK", "KEY", "WORKER", "STARTED", "ATTEMPT"];

function render(taken: Snapshot, name: string, { columns }: Terminal): string[] {
  const { counts, takenAt } = taken;
  const told = Object.entries(counts).map(([state, n]) => `${n} ${state}`).join(", ");
  const listed = toCome(taken);
  if (listed.length === 0) return [`${name}: ${told}`];
  const rows = listed.map((one) => [
    one.state,
    one.when === undefined && one.state === "queued" ? "now" : relative(one.when, takenAt),
    one.task || "?",
    one.key,
    one.state === "running" ? one.worker ?? "" : "",
    one.state === "running" ? relative(one.startedAt, takenAt) : "",
    `${one.attempt}`,
  ]);
  const all = counts.running + counts.queued + counts.scheduled + counts.waiting;
  const rest = all > rows.length ? [`… and ${all - rows.length} more`] : [];
  return [`${name}: ${told}`, ...table(HEADER, rows, columns), ...rest];
}

/** What runs, what is due, and what is due later. */
function toCome({ running, queued, waiting, scheduled }: Snapshot): Execution[] {
  return [...running, ...queued, ...waiting, ...scheduled];
}

function toJson(taken: Snapshot): unknown {
  return {
    takenAt: taken.takenAt,
    counts: taken.counts,
    executions: [...toCome(taken), ...taken.dead].map((one) => ({
      state: one.state,
      task: one.task,
      key: one.key,
      when: one.when ?? null,
      worker: one.worker ?? null,
      startedAt: one.startedAt ?? null,
      attempt: one.attempt,
      progress: one.progress ?? null,
    })),
  };
}

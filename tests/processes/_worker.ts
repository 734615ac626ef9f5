/**
 * A worker process. It does with signals what the command line does: the first drains, the second ends it at once.
 *
 * @module
 */

import { configure } from "@logtape/logtape";
import { endWithParent } from "../../chaos/child.ts";
import { systemClock } from "../../src/base/clock.ts";
import { openStorage } from "../../src/storage/open.ts";
import { Docket, type DocketOptions, Worker, type WorkerOptions } from "../../mod.ts";
import { failing, type Failpoint } from "./_failpoints.ts";
import { Journal } from "./_journal.ts";
import { automaticTaskFor, type Tasks, tasksFor } from "./_tasks.ts";

/** What a worker process is told, as JSON, in its one argument. */
export interface WorkerSetup
  extends WorkerOptions, Pick<DocketOptions, "heartbeatInterval" | "missedHeartbeats"> {
  readonly url: string;
  readonly docket: string;
  readonly name: string;
  readonly failpoint?: Failpoint;
  /** Whether it leaves signals alone. */
  readonly deaf?: boolean;
  /** Whether it knows the automatic task. */
  readonly automatic?: boolean;
  /** A task that it does not know, as if it were from before there was one. */
  readonly without?: keyof Tasks;
}

async function main(
  {
    url,
    docket: name,
    heartbeatInterval,
    missedHeartbeats,
    failpoint,
    deaf,
    automatic,
    without,
    ...options
  }: WorkerSetup,
) {
  endWithParent();
  await configure({
    sinks: { stderr: (record) => console.error(record.level, record.message.join("")) },
    loggers: [
      { category: ["docket"], sinks: ["stderr"], lowestLevel: "warning" },
      { category: ["logtape", "meta"], sinks: [] },
    ],
  });
  const journal = new Journal(url, name, options.name);
  const open = () =>
    openStorage(url, {
      docket: name,
      clock: systemClock,
      recordTtl: 60_000,
      commandTimeout: 5_000,
      connectTimeout: 5_000,
    });
  // A thread opens what has a URL, so with one there is no failpoint, and the journal knows only what handlers do.
  const place = options.leaseThread
    ? { url }
    : { storage: failing(await open(), await open(), journal, failpoint) };
  const liveness = { heartbeatInterval, missedHeartbeats };
  const known = Object.values(tasksFor(journal)).filter(({ name }) => name !== without);
  const docket = await Docket.connect({ name, ...place, tasks: known, ...liveness });
  if (automatic) docket.register(automaticTaskFor(journal));
  const worker = new Worker(docket, options);

  const stop = new AbortController();
  const heed = () => {
    if (stop.signal.aborted) Deno.exit(130);
    stop.abort();
    void journal.note("draining");
  };
  if (!deaf) {
    for (const signal of ["SIGTERM", "SIGINT"] as const) Deno.addSignalListener(signal, heed);
  }

  const work = worker.runForever({ signal: stop.signal });
  await journal.note("up");
  await work;
  await docket.close();
  Deno.exit(0);
}

if (import.meta.main) await main(JSON.parse(Deno.args[0]));

/**
 * `docket worker`: runs a worker until it is told to stop.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { object } from "@optique/core/constructs";
import { redactUrl } from "../../base/redact.ts";
import { internalsOf } from "../../docket/internals.ts";
import { standardTasks } from "../../docket/standard_tasks.ts";
import type { Tasks } from "../../docket/registry.ts";
import { reopeningOf } from "../../worker/lease_keeper.ts";
import { toSettings } from "../../worker/options.ts";
import { Worker } from "../../worker/worker.ts";
import { Accidents } from "../accidents.ts";
import { leaf } from "../command.ts";
import { open } from "../connect.ts";
import { refusing } from "../errors.ts";
import { loadFunction, loadTasks } from "../load.ts";
import { configureLogging } from "../logging.ts";
import { expectRuns } from "../metrics.ts";
import type { Places } from "../sites.ts";
import { parsersOf, type Values, WORKER } from "../options.ts";
import type { Terminal } from "../terminal.ts";

const log = getLogger(["docket", "worker"]);

/** The command. */
export const worker = leaf({
  name: "worker",
  brief: "Run a worker",
  parser: object(parsersOf(WORKER)),
  run,
});

async function run(settings: Values<typeof WORKER>, terminal: Terminal): Promise<number> {
  const { docket: _name, url, tasks, fallback, loggingLevel, loggingFormat, ...others } = settings;
  const { metricsPort, metricsHost, healthPort, healthHost, ...rest } = others;
  const loaded: Tasks[] = [];
  for (const reference of tasks) loaded.push(await loadTasks(reference));
  const handler = fallback === undefined ? undefined : await loadFunction(fallback);
  const { untilFinished, ...options } = { ...rest, fallback: handler };
  await refusing(() => toSettings(options)); // here, because what a run throws is no bad usage
  configureLogging({ loggingLevel, loggingFormat }); // not before: a module may do so itself

  await using docket = await open(settings, terminal);
  await refusing(() => {
    for (const tasks of [standardTasks, ...loaded]) docket.register(tasks as Tasks);
  });
  if (options.leaseThread) await refusing(() => reopeningOf(internalsOf(docket)));
  let worker: Worker | undefined;
  const places = { metricsPort, metricsHost, healthPort, healthHost };
  await using _served = await serve(places, () => worker); // before anything is claimed
  log.info("Working on {docket} at {url}; tasks: {tasks}", {
    docket: docket.name,
    url: redactUrl(url),
    tasks: docket.tasks.join(", "),
  });
  const onStart = (started: Worker) => {
    worker = started;
    if (metricsPort !== undefined) expectRuns(docket, started);
  };
  using accidents = new Accidents(() => worker);
  await Worker.run(docket, { ...options, untilFinished, onStart });
  log.info("Stopped working on {docket}", { docket: docket.name });
  return accidents.fatal ? 1 : 0;
}

/** A server takes its time to load, also one that nobody asked for. */
async function serve(
  places: Places,
  worker: () => Worker | undefined,
): Promise<AsyncDisposable | undefined> {
  if (places.metricsPort === undefined && places.healthPort === undefined) return undefined;
  const { serveAll } = await import("../sites.ts");
  return await serveAll(places, worker);
}

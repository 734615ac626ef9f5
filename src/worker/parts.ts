/**
 * What a running worker consists of, put together.
 *
 * @module
 */

import { randomId } from "../base/ids.ts";
import type { Pool } from "../dependencies/pool.ts";
import type { Docket } from "../docket/docket.ts";
import { internalsOf } from "../docket/internals.ts";
import type { Bounds } from "./bounds.ts";
import { Doorkeeper } from "./doorkeeper.ts";
import { Fetcher } from "./fetcher.ts";
import { Gauges } from "./gauges.ts";
import { Heartbeat } from "./heartbeat.ts";
import { LeaseKeeper, reopeningOf } from "./lease_keeper.ts";
import { Lookout } from "./lookout.ts";
import { Observer } from "./observer.ts";
import type { Settings } from "./options.ts";
import { Reclaimer } from "./reclaimer.ts";
import { Renewer } from "./renewer.ts";
import { Reporter } from "./reporter.ts";
import { Running } from "./run.ts";
import { Runner } from "./runner.ts";
import { Scheduler } from "./scheduler.ts";
import { Seeder } from "./seeder.ts";
import { Settler } from "./settler.ts";
import { Sweeper } from "./sweeper.ts";
import type { Worker } from "./worker.ts";

/** The actors of one run of a worker, and what they share. */
export interface Parts {
  readonly consumer: string;
  readonly running: Running;
  readonly runner: Runner;
  readonly fetcher: Fetcher;
  readonly scheduler: Scheduler;
  readonly renewer: Renewer;
  readonly keeper?: LeaseKeeper;
  readonly lookout: Lookout;
  readonly reclaimer: Reclaimer;
  readonly sweeper: Sweeper;
  readonly heartbeat: Heartbeat;
  readonly seeder?: Seeder;
}

/** What they are made of. */
export interface Material {
  readonly docket: Docket;
  readonly worker: Worker;
  readonly settings: Settings;
  readonly pool: Pool;
  readonly bounds: Bounds;
  /** Ends every call. */
  readonly end: AbortSignal;
}

/** Puts the parts together; nothing of it runs yet, but the thread that keeps leases. */
export function assemble({ docket, worker, settings, pool, bounds, end }: Material): Parts {
  const internals = internalsOf(docket);
  const { storage, clock, book, registry, liveness } = internals;
  const { lease, leaseThread, stuckAfter, maxDeliveries, reconnectionDelay } = settings;
  const consumer = `${worker.name}~${randomId()}`; // the name is a label, this an identity (invariant 76)
  const running = new Running(settings.concurrency);
  const names = { docket: docket.name, worker: worker.name };
  const observer = new Observer({ clock, ...names });
  const lookout = new Lookout({ clock, lease, running, stuckAfter });
  const shared = { storage, clock, consumer, running, lease };
  const keeper = leaseThread &&
    new LeaseKeeper({ ...shared, ...leaseThread, reopening: reopeningOf(internals) });
  const settler = new Settler(() => fetcher.poke(), observer);
  const runner = new Runner({
    docket,
    worker,
    reporter: new Reporter({ storage, clock, end }),
    observer,
    running,
    settler,
    bounds,
    doorkeeper: new Doorkeeper({ storage, clock, reconnectionDelay }),
    lookout,
    unknownTaskTtl: settings.unknownTaskTtl,
    dependencies: settings.dependencies,
    replace: settings.replace,
    pool,
    fallback: settings.fallback,
    onError: settings.onError,
  });
  const fetcher: Fetcher = new Fetcher({
    ...shared,
    concurrency: settings.concurrency,
    maxDeliveries,
    minimumCheckInterval: settings.minimumCheckInterval,
    reconnectionDelay,
    book,
    observer,
    lookout,
    keeper,
    start: (claim, claimedAt) => void runner.run(claim, claimedAt),
    release: (claim, delay) => runner.release(claim, delay),
    end,
  }, settler);
  return {
    consumer,
    running,
    runner,
    fetcher,
    renewer: new Renewer({ ...shared, keeper }),
    keeper,
    lookout,
    reclaimer: new Reclaimer({ ...shared, maxDeliveries, observer, room: fetcher, end }),
    scheduler: new Scheduler({
      storage,
      clock,
      resolution: settings.schedulingResolution,
      reconnectionDelay,
    }),
    sweeper: new Sweeper({ storage, clock, lease, silence: liveness.silence }),
    heartbeat: new Heartbeat({
      storage,
      clock,
      consumer,
      concurrency: settings.concurrency,
      registry,
      liveness,
      fetcher,
      gauges: new Gauges({ storage, clock, ...names }),
      end,
    }),
    seeder: settings.scheduleAutomaticTasks ? new Seeder({ internals, bounds }) : undefined,
  };
}

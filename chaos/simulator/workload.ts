/**
 * The tasks of a simulation, and where their bodies tell of themselves.
 *
 * @module
 */

import {
  ConcurrencyLimit,
  Cooldown,
  Debounce,
  type DocketError,
  Perpetual,
  RateLimit,
  Retry,
  task,
  type TaskContext,
  Timeout,
} from "../../mod.ts";
import { type Millis, sleep } from "../../src/base/clock.ts";
import type { Chronicle } from "./chronicle.ts";
import type { Host } from "./host.ts";
import type { Server } from "./server.ts";

/** The names of the tasks, each with how often it is chosen. */
export const TASKS = {
  quick: 4,
  slow: 3,
  stubborn: 2,
  flaky: 3,
  limited: 4,
  single: 3,
  chain: 2,
  rated: 1,
  cooled: 1,
  debounced: 1,
  timed: 1,
} as const;

export type TaskName = keyof typeof TASKS;

/** How many may run at once behind the gates, by the names of their tasks. */
const LIMITS: { readonly [Name in TaskName]?: number } = { limited: 2, single: 1 };

/** The gates that bodies hold, as the storage is asked for them. */
export function limits(): {
  readonly kind: "concurrency";
  readonly id: string;
  readonly max: number;
}[] {
  return Object.entries(LIMITS).map(([id, max]) => ({ kind: "concurrency", id, max }));
}

/** Whether runs of a key follow each other by themselves. */
export function isChain(key: string): boolean {
  return key.startsWith("chain");
}

/** What a body is to do. */
export interface Script {
  /** How long it takes. */
  readonly takes: Millis;
  /** So many attempts fail. */
  readonly failures: number;
}

/** What a {@linkcode tasksOf} needs. */
export interface Stage {
  readonly chronicle: Chronicle;
  readonly server: Server;
  /** Names bodies. */
  readonly count: () => number;
  /** Hears of a body that was told that its lease is lost. */
  readonly lose: (run: string) => void;
}

/** The tasks as one process has them. */
export function tasksOf(host: Host, stage: Stage) {
  const limit = (name: TaskName) => ({ limit: new ConcurrencyLimit({ max: LIMITS[name]! }) });
  const body = (name: TaskName) => (context: TaskContext, script: Script) =>
    perform(host, stage, name, context, script);
  const retry = new Retry({ attempts: 3, delay: 30 });
  return [
    task("quick", body("quick")),
    task("slow", body("slow")),
    task("stubborn", body("stubborn")),
    task("flaky", { retry }, body("flaky")),
    task("limited", limit("limited"), body("limited")),
    task("single", { ...limit("single"), retry }, body("single")),
    task("chain", { perpetual: new Perpetual({ every: 150 }) }, body("chain")),
    task("rated", { rate: new RateLimit({ max: 2, per: 200 }) }, body("rated")),
    task("cooled", { cooldown: new Cooldown({ period: 200 }) }, body("cooled")),
    task("debounced", { debounce: new Debounce({ quiet: 100 }) }, body("debounced")),
    task("timed", { timeout: new Timeout(120) }, body("timed")),
  ];
}

/** Bodies of a process that was killed never come back from their sleep. */
async function perform(
  host: Host,
  { chronicle, server, count, lose }: Stage,
  name: TaskName,
  { key, attempt, execution, signal }: TaskContext,
  { takes, failures }: Script,
): Promise<string> {
  const run = `r${count()}`;
  const generation = server.generationOf(key, execution.fence ?? "");
  const max = LIMITS[name];
  const gate = max === undefined ? undefined : { id: name, max };
  chronicle.tell({ kind: "started", key, generation, run, attempt, worker: host.name, gate });
  const aborted = () => {
    const { code } = signal.reason as DocketError;
    chronicle.note(host.name, `${run} is aborted: ${code}`);
    if (code === "LEASE_LOST") lose(run);
    if (code !== "CANCELLED") chronicle.tell({ kind: "forsaken", run });
  };
  if (signal.aborted) aborted();
  else signal.addEventListener("abort", aborted, { once: true });
  const heeded = name === "stubborn" || name === "timed" ? undefined : signal;
  try {
    if (takes > 0) await sleep(host.clock, takes, heeded);
    heeded?.throwIfAborted();
    if (attempt <= failures) throw new Error(`attempt ${attempt} fails`);
    return run;
  } finally {
    chronicle.tell({ kind: "stopped", run });
    signal.removeEventListener("abort", aborted);
  }
}

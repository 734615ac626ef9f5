/**
 * What the processes of a run are told.
 *
 * @module
 */

import { systemClock } from "../src/base/clock.ts";
import { openStorage } from "../src/storage/open.ts";
import { Docket } from "../mod.ts";
import type { Journal } from "./journal.ts";
import { observed } from "./observed.ts";
import { tasksFor } from "./tasks.ts";

/** What a worker or producer is told, as JSON, in its one argument. */
export interface Setup {
  readonly url: string;
  readonly docket: string;
  readonly name: string;
  /** The path of the journal. */
  readonly journal: string;
  /** How long a claim counts that nobody renews, in milliseconds. */
  readonly lease: number;
  /** How many tasks a worker runs at once. */
  readonly concurrency: number;
  /** Of a producer: decides what it does. */
  readonly seed: number;
}

/** What so many workers have lost is dead: poison, and what had the bad luck to run beside it, or under faults, each time. */
export const MAX_DELIVERIES = 5;

/** How long a call is tried again: longer than Redis is ever away, so that few calls end without an answer. */
const PATIENCE = 5_000;

/** Nobody asks for a record after this; it is there as long as anybody may wait for it. */
const RECORD_TTL = 3_600_000;

/** A docket over a storage that tells the journal. */
export async function connect(
  { url, docket: name }: Pick<Setup, "url" | "docket">,
  journal: Journal,
): Promise<Docket> {
  const storage = await openStorage(url, {
    docket: name,
    clock: systemClock,
    recordTtl: RECORD_TTL,
    commandTimeout: PATIENCE,
    connectTimeout: PATIENCE,
    lazy: true, // Redis may be away just now
  });
  return await Docket.connect({
    name,
    storage: observed(storage, journal),
    tasks: tasksFor(journal),
    executionTtl: RECORD_TTL,
    heartbeatInterval: 250,
    missedHeartbeats: 8,
  });
}

/** Resolves when this process is asked to end. */
export function asked(): Promise<void> {
  return new Promise((resolve) => Deno.addSignalListener("SIGTERM", () => resolve()));
}

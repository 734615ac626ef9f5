/**
 * What workers say of themselves, so that everybody can see who is there and what each can run.
 *
 * @module
 */

import type { Millis } from "../base/clock.ts";
import { parseJson } from "../base/codec.ts";
import type { Presence, Storage } from "../storage/contract.ts";

/** A worker that lives, and can claim. */
export interface WorkerInfo {
  /** Its label; several may share one. */
  readonly name: string;
  /** Its identity: no other worker's, ever. */
  readonly id: string;
  /** When it said last that it can claim. */
  readonly lastSeen: Date;
  /** When it began to work. */
  readonly startedAt: Date;
  /** How many tasks it runs at once. */
  readonly concurrency: number;
  /** The tasks it knows, and the names of their parameters. */
  readonly tasks: Readonly<Record<string, readonly string[]>>;
}

/** What a worker says. */
export interface Introduction {
  readonly startedAt: Millis;
  readonly concurrency: number;
  /** Names of tasks and of their parameters. */
  readonly tasks: readonly (readonly [task: string, parameters: readonly string[]])[];
}

/** The stored form of what a worker says. */
export function encodeIntroduction({ startedAt, concurrency, tasks }: Introduction): string {
  return JSON.stringify([startedAt, concurrency, tasks]);
}

/** The workers that live and can claim, in the order in which they began to work. */
export async function listWorkers(storage: Storage): Promise<WorkerInfo[]> {
  const presences = await storage.workers();
  return presences.map(readPresence)
    .filter((info) => info !== undefined)
    .sort((a, b) => a.startedAt.getTime() - b.startedAt.getTime());
}

/** What is known of a worker; `undefined` when a later version said it in another form (invariant 5). */
function readPresence({ consumer, seenAt, text }: Presence): WorkerInfo | undefined {
  try {
    const said = parseJson(text);
    if (!isIntroduction(said)) return undefined;
    const [startedAt, concurrency, tasks] = said;
    return {
      name: workerOf(consumer),
      id: consumer,
      lastSeen: new Date(seenAt),
      startedAt: new Date(startedAt),
      concurrency,
      tasks: toRecord(tasks),
    };
  } catch {
    return undefined;
  }
}

type Said = readonly [
  startedAt: number,
  concurrency: number,
  tasks: readonly (readonly [string, readonly string[]])[],
];

function isIntroduction(said: unknown): said is Said {
  if (!Array.isArray(said)) return false;
  const [startedAt, concurrency, tasks] = said;
  return Number.isFinite(startedAt) && Number.isFinite(concurrency) && Array.isArray(tasks) &&
    tasks.every((task) =>
      Array.isArray(task) && typeof task[0] === "string" && Array.isArray(task[1]) &&
      task[1].every((parameter) => typeof parameter === "string")
    );
}

/** A consumer is the worker's name, a tilde, and a random id; the name is a label (invariant 76). */
export function workerOf(consumer: string): string {
  const tilde = consumer.lastIndexOf("~");
  return tilde < 0 ? consumer : consumer.slice(0, tilde);
}

/** Without a prototype: a task may have any name. */
function toRecord(tasks: Said[2]): Readonly<Record<string, readonly string[]>> {
  const record: Record<string, readonly string[]> = Object.create(null);
  for (const [task, parameters] of tasks) record[task] = parameters;
  return record;
}

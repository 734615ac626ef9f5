/**
 * What was found, for people and for programs.
 *
 * @module
 */

import type { Contender } from "./contender.ts";
import { ratios } from "./peers/mod.ts";
import { persistence, type PersistenceName } from "./persistence.ts";
import type { Results } from "./results.ts";
import type { Scenario } from "./scenario.ts";
import { measured, table } from "./table.ts";

const NOTE = `
Payload {customerId, name}, handler empty, default settings: every guarantee, records kept for 15 minutes.
Each worker has a process of its own; on Redis its tasks come from another one, in memory from the same.`;

const PEERS = `
BullMQ and bee-queue, in the same Node, keep nothing of what ended; the floor is XADD, XREADGROUP and XACK, pipelined.`;

/** A whole run. */
export interface Report {
  /** When it began. */
  readonly date: Date;
  /** The machine, and the versions of what is on it. */
  readonly facts: readonly string[];
  readonly scenarios: readonly Scenario[];
  readonly rounds: number;
  readonly parts: readonly Part[];
}

/** What was found with one way of persistence. */
export interface Part {
  readonly name: PersistenceName;
  readonly contenders: readonly Contender[];
  readonly results: Results;
}

/** As Markdown: a table for each part. */
export function toText({ date, facts, scenarios, rounds, parts }: Report): string {
  const day = date.toISOString().slice(0, 10);
  const [{ contenders }] = parts;
  return [
    `${[day, ...facts].join(", ")}; median (range) of rounds: ${rounds}`,
    ...parts.map((part) => `\n${persistence[part.name].title}:\n\n${tableOf(scenarios, part)}`),
    hasPeers(contenders) ? NOTE + PEERS : NOTE,
  ].join("\n");
}

/** As JSON: every sample. */
export function toData({ date, facts, rounds, parts }: Report): string {
  const told = parts.map(({ name, contenders, results }) => ({
    persistence: name,
    titles: Object.fromEntries(contenders.map(({ name, title }) => [name, title])),
    results: results.toObject(),
  }));
  return JSON.stringify({ date, facts, rounds, parts: told }, null, 2);
}

function tableOf(scenarios: readonly Scenario[], { contenders, results }: Part): string {
  const columns = contenders.map((contender) => measured(results, contender));
  return table(scenarios, hasPeers(contenders) ? [...columns, ...ratios(results)] : columns);
}

function hasPeers(contenders: readonly Contender[]): boolean {
  return contenders.some(({ name }) => name === "bullmq");
}

/**
 * Reads what the scripts store: rows of live tasks, replacements that wait, records of what ended.
 *
 * ```text
 * Q f generation(22) entry|attempt|deliveries|due                              waits in the stream
 * S f generation(22) |attempt|deliveries|due                                   waits in the due set
 * R f generation(22) token(22) entry|attempt|deliveries|due|started|consumer   runs
 * f: 0, 1 cancel wanted, 2 a replacement waits, 3 both
 * ```
 *
 * @module
 */

import type { CancelReason } from "../../base/errors.ts";
import { ProtocolError } from "../../base/errors.ts";
import { ID_LENGTH } from "../../base/ids.ts";
import { encodeEnding } from "../../base/message.ts";
import type { Claim, DeferredTask, EndedTask, LiveTask } from "../contract.ts";

const GENERATION = 2;
const TOKEN = 24;
const RUNNING_ENTRY = 46;

/** A task that this consumer runs now: the hot path, so nothing is parsed but what is asked for. */
export function readClaim(key: string, row: string, body: string): Claim {
  const attempt = row.indexOf("|", RUNNING_ENTRY) + 1;
  const deliveries = row.indexOf("|", attempt) + 1;
  const due = row.indexOf("|", deliveries) + 1;
  const started = row.indexOf("|", due) + 1;
  const consumer = row.indexOf("|", started) + 1;
  return {
    key,
    generation: row.slice(GENERATION, TOKEN),
    state: "running",
    attempt: +row.slice(attempt, deliveries - 1),
    deliveries: +row.slice(deliveries, due - 1),
    due: due === started - 1 ? undefined : +row.slice(due, started - 1),
    startedAt: +row.slice(started, consumer - 1),
    consumer: row.slice(consumer),
    token: row.slice(TOKEN, RUNNING_ENTRY),
    cancelled: isCancelled(row),
    body,
  };
}

/**
 * A live task.
 *
 * @throws {ProtocolError} When the row has no known form.
 */
export function readLive(key: string, row: string, body: string): LiveTask {
  const state = row[0];
  if (state === "R") return readClaim(key, row, body);
  if (state !== "Q" && state !== "S") throw unreadable("a row");
  const [, attempt, deliveries, due] = row.slice(TOKEN).split("|");
  return {
    key,
    generation: row.slice(GENERATION, TOKEN),
    state: state === "Q" ? "queued" : "scheduled",
    attempt: Number(attempt),
    deliveries: Number(deliveries),
    due: due ? Number(due) : undefined,
    cancelled: isCancelled(row),
    body,
  };
}

/** A replacement that waits: generation, when it is due, body. */
export function readDeferred(text: string): DeferredTask {
  const bar = text.indexOf("|", 22);
  if (bar < 0) throw unreadable("a replacement");
  const due = text.slice(22, bar);
  return {
    generation: text.slice(0, 22),
    due: due === "" ? undefined : { at: Number(due) },
    body: text.slice(bar + 1),
  };
}

const STATES: Readonly<Record<string, EndedTask["state"]>> = {
  C: "completed",
  F: "failed",
  X: "cancelled",
  D: "dead",
  d: "dead",
};

const REASONS: Readonly<Record<string, CancelReason>> = {
  c: "cancelled",
  r: "replaced",
  s: "struck",
  d: "dropped",
  x: "cleared",
};

/**
 * A record: status, generation, when it ended, text. A cancelled one has its reason before the text.
 *
 * @throws {ProtocolError} When it has no known form.
 */
export function readEnded(record: string): EndedTask {
  const bar = record.indexOf("|", 23);
  const state = STATES[record[0]];
  if (!state || bar < 0) throw unreadable("a record");
  const generation = record.slice(1, 23);
  const endedAt = Number(record.slice(23, bar));
  const rest = record.slice(bar + 1);
  if (record[0] === "d") return { generation, state, endedAt, text: endingOf(rest) };
  if (state !== "cancelled") return { generation, state, endedAt, text: rest };
  // "C" and an id: cancelled by the request of that id.
  if (rest[0] === "C") {
    return { generation, state, endedAt, text: rest.slice(1 + ID_LENGTH), reason: "cancelled" };
  }
  const reason = REASONS[rest[0]];
  if (!reason) throw unreadable("a record");
  return { generation, state, endedAt, text: rest.slice(1), reason };
}

/** What is to be said of a task that a script parked: its attempt and who had it last. */
function endingOf(text: string): string {
  const bar = text.indexOf("|");
  const worker = text.slice(bar + 1) || undefined;
  return encodeEnding({ attempt: Number(text.slice(0, bar)), worker, value: "" });
}

function isCancelled(row: string): boolean {
  return row[1] === "1" || row[1] === "3";
}

function unreadable(what: string): ProtocolError {
  return new ProtocolError(`Cannot read ${what}: it has no form that this version knows`);
}

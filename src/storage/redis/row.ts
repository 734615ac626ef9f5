/**
 * Reads what the scripts store: rows of live tasks, replacements that wait, records of what ended.
 *
 * ```text
 * Q f generation(22) entry|attempt|deliveries|due                              waits in the stream
 * Q f generation(22) entry|attempt|deliveries|due|max|gate                     so too, its place at a gate kept for it
 * S f generation(22) |attempt|deliveries|due                                   waits in the due set
 * B f generation(22) |attempt|deliveries|due                                   so too, in the background
 * W f generation(22) |attempt|deliveries|due|max|gate                          in line before a gate
 * R f generation(22) token(22) entry|attempt|deliveries|due|started|consumer   runs
 * f: a character, '0' and the sum of 1 cancel wanted, 2 a replacement waits, and of the present run 4 it has reported how far
 *    it is, 8 it has passed its gates
 * due: milliseconds or nothing; and where nobody knew the task, `~` and since when
 * ```
 *
 * What a letter means never changes. A row of another form has another letter, with flags and generation where they are in
 * all: who does not know the letter leaves the row to those who do.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Millis } from "../../base/clock.ts";
import type { CancelReason } from "../../base/errors.ts";
import { ProtocolError } from "../../base/errors.ts";
import { ID_LENGTH } from "../../base/ids.ts";
import { encodeEnding } from "../../base/message.ts";
import { joinEnding } from "./ending.ts";
import type { Claim, DeferredTask, EndedTask, LiveTask, Progress } from "../contract.ts";

const GENERATION = 2;
const TOKEN = 24;
const RUNNING_ENTRY = 46;
const REPORTED = 4;

/** A task that this consumer runs now: the hot path, so nothing is parsed but what is asked for. */
export function readClaim(key: string, row: string, body: string): Claim {
  const attempt = row.indexOf("|", RUNNING_ENTRY) + 1;
  const deliveries = row.indexOf("|", attempt) + 1;
  const due = row.indexOf("|", deliveries) + 1;
  const started = row.indexOf("|", due) + 1;
  const consumer = row.indexOf("|", started) + 1;
  const asked = row.slice(due, started - 1);
  const claim: Claim = {
    key,
    generation: row.slice(GENERATION, TOKEN),
    state: "running",
    attempt: +row.slice(attempt, deliveries - 1),
    deliveries: +row.slice(deliveries, due - 1),
    due: readDue(asked),
    queuedAt: +row.slice(RUNNING_ENTRY, row.indexOf("-", RUNNING_ENTRY)),
    startedAt: +row.slice(started, consumer - 1),
    consumer: row.slice(consumer),
    token: row.slice(TOKEN, RUNNING_ENTRY),
    cancelled: isCancelled(row),
    body,
  };
  return asked.includes("~") ? { ...claim, ...readHeld(asked) } : claim;
}

/**
 * A live task.
 *
 * @throws {ProtocolError} When the row has no known form.
 */
export function readLive(key: string, row: string, body: string): LiveTask {
  const state = row[0];
  if (state === "R") return readClaim(key, row, body);
  if (state !== "Q" && state !== "S" && state !== "B" && state !== "W") throw unreadable("a row");
  const [entry, attempt, deliveries, due = ""] = row.slice(TOKEN).split("|");
  return {
    key,
    generation: generationOf(row),
    state: state === "Q" ? "queued" : state === "W" ? "waiting" : "scheduled",
    attempt: Number(attempt),
    deliveries: Number(deliveries),
    due: readDue(due),
    cancelled: isCancelled(row),
    body,
    ...(state === "B" ? { background: true } : undefined),
    ...(state === "Q" ? { queuedAt: parseInt(entry) } : undefined),
    ...readHeld(due),
  };
}

/** Which generation a row is of. */
export function generationOf(row: string): string {
  return row.slice(GENERATION, TOKEN);
}

/** Whether a row says that its run has reported how far it is, and the report is that run's own (invariant 25). */
export function hasReported(row: string, report: string): boolean {
  return row[0] === "R" && (flagsOf(row) & REPORTED) > 0 &&
    row.slice(TOKEN, RUNNING_ENTRY) === report.slice(0, ID_LENGTH);
}

/**
 * How far a run is: `current,total|`, and where it has a message `current,total,|message`.
 *
 * @throws {ProtocolError} When it has no known form.
 */
export function readProgress(text: string): Progress {
  const bar = text.indexOf("|");
  if (bar < 0) throw unreadable("a report");
  const [current, total, said] = text.slice(0, bar).split(",");
  const numbers = { current: Number(current), total: Number(total) };
  return said === undefined ? numbers : { ...numbers, message: text.slice(bar + 1) };
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
  c: "completed",
  F: "failed",
  X: "cancelled",
  D: "dead",
  d: "dead",
  f: "failed",
};

const REASONS: Readonly<Record<string, CancelReason>> = {
  c: "cancelled",
  r: "replaced",
  s: "struck",
  d: "dropped",
  x: "cleared",
};

/**
 * A record: status, generation, when it ended, text. A cancelled one has its reason before the text, a failed one the
 * length of the text in bytes, and behind it what it takes to run the task again. `c` is a completed one that says for how
 * long it ran.
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
  switch (record[0]) {
    case "c":
      return { generation, state, endedAt, text: rest && joinEnding(rest, endedAt) };
    case "d":
      return { generation, state, endedAt, text: endingOf(rest) };
    case "f":
      return { generation, state, endedAt, ...divide(rest) };
    case "X": {
      // "C" and an id: cancelled by the request of that id.
      const by = rest[0] === "C" ? 1 + ID_LENGTH : 1;
      const reason = by > 1 ? "cancelled" : readReason(rest[0]);
      if (!reason) throw unreadable("a record");
      return { generation, state, endedAt, text: rest.slice(by), reason };
    }
  }
  return { generation, state, endedAt, text: rest };
}

/** What is parked: status, generation, when, why, length of the text in bytes, text, body. `undefined` when it is not that. */
export function readGrave(grave: string): EndedTask | undefined {
  const [, status, generation, when, rest] = GRAVE.exec(grave) ?? [];
  if (!status) return undefined;
  const { text, ...body } = divide(rest);
  const said = status === "d" ? endingOf(text) : text;
  return { generation, state: "dead", endedAt: Number(when), text: said, ...body };
}

const GRAVE = /^([Dd])(.{22})(\d+)\|[a-z]*\|(\d+\|.*)$/s;

/** Why something was cancelled, by its letter. */
export function readReason(letter: string): CancelReason | undefined {
  return REASONS[letter];
}

/** Length in bytes, text, body: the scripts count bytes. Without a body it cannot be run again. */
function divide(rest: string): { readonly text: string; readonly body?: string } {
  const bar = rest.indexOf("|");
  const length = Number(rest.slice(0, bar));
  const bytes = Buffer.from(rest.slice(bar + 1));
  const text = bytes.toString("utf8", 0, length);
  return bytes.length > length ? { text, body: bytes.toString("utf8", length) } : { text };
}

/** What is to be said of a task that a script parked: its attempt and who had it last. */
function endingOf(text: string): string {
  const bar = text.indexOf("|");
  const worker = text.slice(bar + 1) || undefined;
  return encodeEnding({ attempt: Number(text.slice(0, bar)), worker, value: "" });
}

/** The column without what follows the instant. */
function readDue(column: string): Millis | undefined {
  if (column === "") return undefined;
  const [due] = column.split("~", 1);
  return due === "" ? undefined : Number(due);
}

function readHeld(column: string): { readonly heldSince: Millis } | undefined {
  const tilde = column.indexOf("~");
  return tilde < 0 ? undefined : { heldSince: Number(column.slice(tilde + 1)) };
}

function isCancelled(row: string): boolean {
  return flagsOf(row) % 2 === 1;
}

function flagsOf(row: string): number {
  return row.charCodeAt(1) - 48;
}

function unreadable(what: string): ProtocolError {
  return new ProtocolError(`Cannot read ${what}: it has no form that this version knows`);
}

/**
 * What the docket stores for a task: its {@linkcode Message} while it lives, its {@linkcode Ending} afterwards. The
 * storage never looks inside.
 *
 * @module
 */

import type { Millis } from "./clock.ts";
import { type Codec, defaultCodec, parseJson } from "./codec.ts";
import { ProtocolError } from "./errors.ts";

/** A task to run: which, and with what. */
export interface Message {
  /** The registered name of the task. */
  readonly task: string;
  /** The arguments as they are stored: plain JSON, or text of the codec. Give them to {@linkcode decodeArgs}. */
  readonly args: readonly unknown[] | string;
  /** Per-task overrides of how long the record stays, in milliseconds. */
  readonly ttl?: Millis;
  /** The instant that the run stands for, whenever its attempts are due. */
  readonly planned?: Millis;
  /** Who scheduled it, as W3C Trace Context writes it. */
  readonly trace?: string;
}

/** The newest version of the stored form that is read here. It is the only one that a message need not name. */
const VERSION = 1;

/** The stored form: JSON with the arguments as plain JSON where that carries them. */
export function encodeMessage(
  task: string,
  args: string,
  codec: Codec,
  ttl: Millis | undefined,
): string {
  const plain = codec === defaultCodec && args.startsWith("[");
  const tail = ttl === undefined ? "}" : `,"ttl":${ttl}}`;
  return `{"task":${JSON.stringify(task)},"args":${plain ? args : JSON.stringify(args)}${tail}`;
}

/** A stored message with other notes behind its arguments. What is last in it is never one of those. */
export function annotateMessage(
  body: string,
  { planned, trace }: Pick<Message, "planned" | "trace">,
): string {
  return body.replace(NOTES, (_notes, plannedBefore = "", traceBefore = "") => {
    const when = planned === undefined ? plannedBefore : `,"planned":${planned}`;
    const by = trace === undefined ? traceBefore : `,"trace":${JSON.stringify(trace)}`;
    return `${when}${by}}`;
  });
}

const NOTES = /(,"planned":\d+)?(,"trace":"[^"]*")?\}$/;

/**
 * Which newer version this stored message has, for one that {@linkcode decodeMessage} refused; `undefined` when it is not of
 * a newer version. Whatever else is in it may be of any form.
 */
export function newerVersionOf(body: string): number | undefined {
  try {
    const { v } = parseJson(body) as { readonly v?: unknown };
    return isNewer(v) ? v : undefined;
  } catch {
    return undefined; // no JSON, or null: it is of no version
  }
}

function isNewer(version: unknown): version is number {
  return Number.isSafeInteger(version) && version as number > VERSION;
}

/**
 * Reads a stored message; the arguments stay encoded.
 *
 * @throws {ProtocolError} When it is not one, or one of a newer version.
 */
export function decodeMessage(body: string): Message {
  let message: Partial<Record<keyof Message | "v", unknown>> | null;
  try {
    message = parseJson(body) as typeof message;
  } catch (error) {
    throw new ProtocolError("Cannot read a stored message: it is not JSON", { cause: error });
  }
  if (message?.v !== undefined && message.v !== VERSION) {
    const known = isNewer(message.v)
      ? `and ${VERSION} is the newest that is known here`
      : "which is none";
    throw new ProtocolError(
      `Cannot read a stored message: it has version ${JSON.stringify(message.v)}, ${known}`,
    );
  }
  if (
    typeof message?.task === "string" &&
    (typeof message.args === "string" || Array.isArray(message.args))
  ) {
    // A time that is none would spoil the step that carries it, and with it what other tasks have to settle.
    if (!isTime(message.ttl)) delete message.ttl;
    if (!isTime(message.planned)) delete message.planned;
    if (message.trace !== undefined && typeof message.trace !== "string") delete message.trace;
    return message as Message;
  }
  throw new ProtocolError("Cannot read a stored message: it has no task or no arguments");
}

/** The name of a stored task; `undefined` when it cannot be read. The beginning of a message is enough. */
export function taskOf(body: string): string | undefined {
  try {
    const name = NAME.exec(body)?.[1];
    return name === undefined ? decodeMessage(body).task : JSON.parse(name);
  } catch {
    return undefined;
  }
}

/** As {@linkcode encodeMessage} begins. */
const NAME = /^\{"task":("(?:[^"\\]|\\.)*")/;

function isTime(value: unknown): boolean {
  return value === undefined || (Number.isSafeInteger(value) && value as number >= 0);
}

/**
 * The arguments of a message.
 *
 * @throws {SerializationError} When this runtime cannot read them.
 */
export function decodeArgs({ args }: Message, codec: Codec): readonly unknown[] {
  if (typeof args !== "string") return args; // plain JSON came with the message
  const decoded = codec.decode(args);
  if (Array.isArray(decoded)) return decoded;
  throw new ProtocolError("Cannot read stored arguments: they are not a list");
}

/** How a run ended. */
export interface Ending {
  /** Which attempt it was, from 1. */
  readonly attempt: number;
  /** When it started, on the storage's clock; `undefined` when it never did. */
  readonly startedAt?: Millis;
  /** The name of the worker that ran it. */
  readonly worker?: string;
  /** The name of the task. */
  readonly task?: string;
  /** What the handler returned, or the error's text; `""` is `undefined`. */
  readonly value: string;
}

/** The stored form of an ending: four columns, then the value. */
export function encodeEnding({ attempt, startedAt, worker, task, value }: Ending): string {
  return `${attempt}|${startedAt ?? ""}|${column(worker)}|${column(task)}|${value}`;
}

/** Reads a stored ending; columns that are not there are `undefined`. */
export function decodeEnding(text: string): Ending {
  const columns: string[] = [];
  let at = 0;
  while (columns.length < 4) {
    const bar = text.indexOf("|", at);
    if (bar < 0) break;
    columns.push(text.slice(at, bar));
    at = bar + 1;
  }
  const [attempt, startedAt, worker, task] = columns;
  return {
    attempt: Number(attempt || 0),
    startedAt: startedAt ? Number(startedAt) : undefined,
    worker: worker ? uncolumn(worker) : undefined,
    task: task ? uncolumn(task) : undefined,
    value: text.slice(at),
  };
}

/** Names may hold anything; bars and percent signs are what the columns cannot. */
function column(name = ""): string {
  return name.includes("|") || name.includes("%")
    ? name.replaceAll("%", "%25").replaceAll("|", "%7C")
    : name;
}

/** Text that {@linkcode column} did not write is shown as it stands (invariant 69). */
function uncolumn(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

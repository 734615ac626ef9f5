/**
 * Where logs go: to standard error, as lines for a person, for a file or for a program.
 *
 * @module
 */

import process from "node:process";
import {
  configureSync,
  getAnsiColorFormatter,
  getConfig,
  getJsonLinesFormatter,
  getTextFormatter,
  type LogRecord,
  type TextFormatter,
} from "@logtape/logtape";
import { describeFailure } from "../base/failure.ts";
import { redactText } from "../base/redact.ts";
import type { Values, WORKER } from "./options.ts";
import { escapeControls } from "./render.ts";
import type { Terminal } from "./terminal.ts";

type Settings = Values<typeof WORKER>;

/** Warnings only, as the notes of a command that is over soon. */
export function configureWarnings(terminal: Terminal): void {
  if (getConfig() !== null) return;
  const format = getTextFormatter({ value: show, format: ({ message }) => message });
  configureSync({
    sinks: { notes: (record) => terminal.note(`Warning: ${redactText(format(record)).trimEnd()}`) },
    loggers: [
      { category: [], sinks: ["notes"], lowestLevel: "warning" },
      { category: ["logtape", "meta"], sinks: [], lowestLevel: "fatal", parentSinks: "override" },
    ],
  });
}

/** From this level on, in this format. Tasks whose module has configured LogTape itself are left to that. */
export function configureLogging(
  { loggingLevel: lowestLevel, loggingFormat }: Pick<Settings, "loggingLevel" | "loggingFormat">,
): void {
  if (getConfig() !== null) return;
  const format = formatterOf(loggingFormat ?? (process.stderr.isTTY ? "pretty" : "plain"));
  const sinks = ["stderr"];
  configureSync({
    // What errors of other clients say of their URLs, stacks and causes included, is no more for a log (invariant 85).
    sinks: { stderr: (record) => void process.stderr.write(redactText(format(record))) },
    loggers: [
      { category: [], sinks, lowestLevel },
      { category: ["logtape", "meta"], sinks, lowestLevel: "warning", parentSinks: "override" },
    ],
  });
}

/** What others may have written drives no terminal, and forges no line. */
function show(value: unknown, inspect: (value: unknown) => string): string {
  return escapeControls(typeof value === "string" ? value : inspect(value));
}

function formatterOf(format: "pretty" | "plain" | "json"): TextFormatter {
  switch (format) {
    case "pretty":
      return withStack(
        process.env.NO_COLOR
          ? getTextFormatter({ timestamp: "time", timeZone: null, value: show })
          : getAnsiColorFormatter({ timestamp: "time", timeZone: null, value: show }),
      );
    case "plain":
      return withStack(
        getTextFormatter({ timestamp: "rfc3339", level: "FULL", value: show }),
      );
    case "json":
      return tolerant(getJsonLinesFormatter({ categorySeparator: "." }));
  }
}

/** Of what throws where it is looked at, a description stands in the line. */
function tolerant(format: TextFormatter): TextFormatter {
  return (record) => {
    try {
      return format(record);
    } catch {
      const error = describeFailure(record.properties.error);
      return format({ ...record, properties: { ...record.properties, error } });
    }
  };
}

/** A line, and below it, indented, where what it tells of was thrown. For programs the stack is a field. */
function withStack(format: TextFormatter): TextFormatter {
  return (record) => format(record) + stackOf(record).map((line) => `    ${line}\n`).join("");
}

/** More says nothing more, and a recursion without end has thousands. */
const MOST_LINES = 30;

const LONGEST_LINE = 500;

/** What called the task says nothing of it. */
const OWN = new URL("../", import.meta.url).href;

function stackOf({ properties: { error } }: LogRecord): string[] {
  const lines: string[] = [];
  const seen = new Set<unknown>(); // causes may go round in a circle
  try {
    for (let cause = error; cause instanceof Error && lines.length < MOST_LINES;) {
      if (seen.has(cause)) break;
      seen.add(cause);
      if (cause !== error) lines.push(`caused by ${cause.name}: ${cause.message}`);
      lines.push(...framesOf(cause));
      ({ cause } = cause);
    }
  } catch {
    // It throws where it is looked at: what was found before that is told.
  }
  return lines.slice(0, MOST_LINES).map((line) => escapeControls(line.slice(0, LONGEST_LINE)));
}

function framesOf({ stack }: Error): string[] {
  const frames = String(stack).split("\n").map((line) => line.trim())
    .filter((line) => line.startsWith("at "));
  const own = frames.findIndex((frame, i) => i > 0 && frame.includes(OWN));
  return own < 0 ? frames : frames.slice(0, own);
}

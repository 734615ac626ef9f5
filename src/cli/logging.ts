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
  type TextFormatter,
} from "@logtape/logtape";
import type { Values, WORKER } from "./options.ts";
import { escapeControls } from "./render.ts";
import type { Terminal } from "./terminal.ts";

type Settings = Values<typeof WORKER>;

/** Warnings only, as the notes of a command that is over soon. */
export function configureWarnings(terminal: Terminal): void {
  if (getConfig() !== null) return;
  const format = getTextFormatter({ value: show, format: ({ message }) => message });
  configureSync({
    sinks: { notes: (record) => terminal.note(`Warning: ${format(record).trimEnd()}`) },
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
    sinks: { stderr: (record) => void process.stderr.write(format(record)) },
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
      return process.env.NO_COLOR
        ? getTextFormatter({ timestamp: "time", timeZone: null, value: show })
        : getAnsiColorFormatter({ timestamp: "time", timeZone: null, value: show });
    case "plain":
      return getTextFormatter({ timestamp: "rfc3339", level: "FULL", value: show });
    case "json":
      return getJsonLinesFormatter({ categorySeparator: "." });
  }
}

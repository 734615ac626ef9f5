/**
 * What is logged while a test runs.
 *
 * @module
 */

import { after, before, beforeEach } from "node:test";
import { configure, type LogLevel, type LogRecord, reset } from "@logtape/logtape";

/** Captures for each test of the file, from a level on; the records are those since the present test began. */
export function captureLogs(lowestLevel: LogLevel = "warning"): readonly LogRecord[] {
  const logged: LogRecord[] = [];
  before(() =>
    configure({
      sinks: { memory: (record) => logged.push(record) },
      loggers: [
        { category: "docket", sinks: ["memory"], lowestLevel },
        { category: ["logtape", "meta"], sinks: [], lowestLevel: "error" },
      ],
    })
  );
  beforeEach(() => void logged.splice(0));
  after(() => reset());
  return logged;
}

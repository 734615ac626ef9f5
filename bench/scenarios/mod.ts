/**
 * Everything that all contenders are measured by, in the order of the table.
 *
 * @module
 */

import type { Scenario } from "../scenario.ts";
import { addsAwaited, addsInFlight, bulkAdd } from "./adds.ts";
import { backlogs } from "./backlog.ts";
import { drains } from "./drain.ts";
import { dueAtOnce } from "./due_at_once.ts";
import { footprint } from "./footprint.ts";
import { idle } from "./idle.ts";
import { lateness } from "./lateness.ts";
import { latency } from "./latency.ts";
import { payloads } from "./payload.ts";
import { results } from "./results.ts";
import { retries } from "./retries.ts";
import { sleeps } from "./sleep.ts";
import { workers } from "./workers.ts";

const [two, four] = workers;

/** Those that the short form measures. */
export const core: readonly Scenario[] = [
  addsAwaited,
  addsInFlight,
  ...drains,
  two,
  latency,
  dueAtOnce,
  footprint,
];

/** All of them. */
export const common: readonly Scenario[] = [
  ...core,
  bulkAdd,
  results,
  four,
  ...payloads,
  ...sleeps,
  retries,
  lateness,
  idle,
  ...backlogs,
];

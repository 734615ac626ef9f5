/**
 * What is to come on a docket, chains continued.
 *
 * @module
 */

import type { Millis } from "../base/clock.ts";
import { type InstantLike, toInstant } from "../base/duration.ts";
import { type OptionNames, refuseUnknownOptions, wholeNumber } from "../base/options.ts";
import type { Definition } from "./task.ts";
import type { Execution } from "./execution.ts";
import type { Snapshot } from "./snapshot.ts";

/** Options of {@linkcode Docket.preview}. */
export interface PreviewOptions {
  /**
   * How far to look.
   *
   * @default 24 hours from now, by the docket's clock
   */
  readonly until?: InstantLike;
  /**
   * How many runs to tell at most, the soonest first.
   *
   * @default 1,000
   */
  readonly limit?: number;
  /** Gives up waiting for the storage. */
  readonly signal?: AbortSignal;
}

/** A run that is to come. */
export interface ExpectedRun {
  /** When it is due; what is due already, or waits for its turn, is due now. */
  readonly when: Date;
  /** The name of the task. */
  readonly task: string;
  /** Its key. */
  readonly key: string;
  /** The execution, where it is on the docket; absent of those that will follow it in its chain. */
  readonly execution?: Execution;
}

/** Options once they are checked; without `until` it is a day. */
export interface PreviewSettings {
  readonly until?: Millis;
  readonly limit: number;
}

const OPTIONS: OptionNames<PreviewOptions> = { until: true, limit: true, signal: true };

const DAY: Millis = 86_400_000;

/**
 * Checks the options.
 *
 * @throws {TypeError} For an option that cannot be used.
 * @throws {RangeError} For one out of range.
 */
export function toPreviewSettings(options: PreviewOptions): PreviewSettings {
  refuseUnknownOptions("preview()", options, OPTIONS);
  return {
    until: options.until === undefined ? undefined : toInstant("until", options.until),
    limit: wholeNumber("limit", options.limit ?? 1_000),
  };
}

/** A chain, and when it comes next. */
interface Chain {
  readonly execution: Execution;
  readonly forecast: Definition["forecast"];
  at: Millis;
}

/** What runs is told by what follows it alone: it has begun. */
export function expectedRuns(
  snapshot: Snapshot,
  definitionOf: (task: string) => Definition | undefined,
  { until, limit }: PreviewSettings,
): ExpectedRun[] {
  const now = snapshot.takenAt.getTime();
  const end = until ?? now + DAY;
  const runs: ExpectedRun[] = [];
  const chains: Chain[] = [];
  const follow = (execution: Execution, from: Millis) => {
    const forecast = forecastOf(definitionOf(execution.task));
    const at = forecast(from);
    if (at !== undefined) chains.push({ execution, forecast, at: Math.max(now, at) });
  };
  const { scheduled, queued, waiting, running } = snapshot;
  for (const execution of [...queued, ...waiting, ...scheduled]) {
    const at = Math.max(now, execution.when?.getTime() ?? now);
    if (at > end) continue;
    runs.push({ when: new Date(at), task: execution.task, key: execution.key, execution });
    follow(execution, at);
  }
  for (const execution of running) follow(execution, execution.startedAt?.getTime() ?? now);
  // No more than are wanted are worked out: what is told already may all come first.
  for (let more = 0; more < limit; more++) {
    const next = soonest(chains);
    if (next === undefined || next.at > end) break;
    const { execution: { task, key }, at } = next;
    runs.push({ when: new Date(at), task, key });
    const following = next.forecast(at);
    next.at = following !== undefined && following > at ? following : Infinity;
  }
  return runs.sort((a, b) => a.when.getTime() - b.when.getTime()).slice(0, limit);
}

function soonest(chains: readonly Chain[]): Chain | undefined {
  let soonest: Chain | undefined;
  for (const chain of chains) if (soonest === undefined || chain.at < soonest.at) soonest = chain;
  return soonest;
}

/** A policy that cannot tell tells nothing: the others are told all the same. */
function forecastOf(definition: Definition | undefined): Definition["forecast"] {
  return (startedAt) => {
    try {
      return definition?.forecast(startedAt);
    } catch {
      return undefined;
    }
  };
}

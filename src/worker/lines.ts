/**
 * What stands in the log of a run: one line for each thing that happens to it, with no more of the arguments than the task
 * allows (invariant 85).
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import type { Millis } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Case } from "./clerk.ts";

const log = getLogger(["docket", "worker"]);

/** In milliseconds: how long a run has taken, and how late it began. */
export interface Times {
  readonly duration: Millis;
  readonly punctuality: Millis;
}

/** It begins. */
export function tellStart(what: Case, times: Times): void {
  const about = read(what, times);
  log.info(
    `${subject(about)} starts at attempt {attempt}, {punctuality} ms after it was due`,
    about,
  );
}

/** It is over, and did not throw. */
export function tellEnd(what: Case, times: Times, outcome: string): void {
  const about = read(what, times);
  log.info(`${subject(about)} {outcome} after {duration} ms`, { ...about, outcome });
}

/** It threw, and is tried again. */
export function tellRetry(what: Case, error: unknown): void {
  const about = read(what);
  log.warn(`${subject(about)} failed ${when(about)} and will be tried again: {reason}`, {
    ...about,
    reason: messageOf(error),
    error,
  });
}

/** It was told to stop, and goes on: nothing can end it but its process. */
export function tellDeaf(what: Case, reason: unknown): void {
  const about = read(what);
  log.warn(
    `${
      subject(about)
    } goes on although it was told to stop: its place is free, and what it does counts for nothing ({reason})`,
    { ...about, reason: messageOf(reason) },
  );
}

/** It failed for good. */
export function tellFailure(
  what: Case,
  shown: { readonly reason: string; readonly error?: unknown },
): void {
  const about = read(what);
  log.error(`${subject(about)} failed ${when(about)}: {reason}`, { ...about, ...shown });
}

/** What each of the lines tells besides what happened. */
interface About extends Partial<Times> {
  readonly task: string;
  readonly key: string;
  readonly attempt: number;
  readonly arguments?: Readonly<Record<string, unknown>>;
  readonly [name: string]: unknown;
}

function read(what: Case, times: Times | undefined = what.run.observation?.times): About {
  const { run: { claim: { key, attempt } }, message, definition, args } = what;
  const shown = args && definition?.loggable(args);
  return { task: message?.task ?? "unknown", key, attempt, ...times, arguments: shown };
}

function subject({ arguments: shown = {} }: About): string {
  return Object.keys(shown).length === 0 ? "{task} {key}" : "{task} {key} with {arguments}";
}

/** What did not begin took no time. */
function when({ duration }: About): string {
  return duration === undefined
    ? "at attempt {attempt}"
    : "at attempt {attempt} after {duration} ms";
}

/**
 * What `docket top` shows, as lines that fit.
 *
 * @module
 */

import type { Millis } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { Execution } from "../../docket/execution.ts";
import type { WorkerInfo } from "../../docket/presence.ts";
import type { Snapshot } from "../../docket/snapshot.ts";
import { bar, count, span } from "../render.ts";
import { cut, pad } from "../width.ts";
import { oneLine } from "./grid.ts";
import { type PerSecond, RATED } from "./rates.ts";
import { type Section, type Size, stack } from "./sections.ts";

/** What is known. */
export interface TopState {
  /** The name of the docket. */
  readonly name: string;
  /** Where it is, without secrets. */
  readonly url: string;
  /** What a look has found; before the first one nothing. */
  readonly found?: Found;
  /** How much happens, while it is heard. */
  readonly rates?: PerSecond;
  /** There is no answer. */
  readonly silence?: Silence;
}

/** What a look has found. */
export interface Found {
  /** What runs, the oldest first: not all of it, where that is too much. */
  readonly taken: Pick<Snapshot, "takenAt" | "counts"> & { readonly running: readonly Running[] };
  /** Who is alive. */
  readonly workers: readonly WorkerInfo[];
  /** The newest first, and no more than there are rows on a screen. */
  readonly failed: readonly Failed[];
}

/** For how long an answer has been waited for, and why there is none, as far as that is known. */
export interface Silence {
  readonly span: Millis;
  readonly reason?: string;
}

/** What is shown of a running task. */
export type Running = Pick<Execution, "task" | "key" | "startedAt" | "worker" | "progress">;

/** What is shown of a failed one. */
export type Failed = Pick<Execution, "task" | "key" | "completedAt" | "error">;

/** The lines: no more than there are rows, none wider than the columns, and nothing in them that drives a terminal. */
export function renderTop(state: TopState, { columns, rows }: Size): string[] {
  const { found, silence, rates } = state;
  const lines = [title(state, columns), ...silence ? [tellSilence(silence)] : []];
  if (found) {
    lines.push(...flow("per second", tellRates(rates), columns));
    lines.push(...flow("tasks", tellCounts(found), columns));
    const sections = [workersOf(found), runningOf(found), failedOf(found)];
    lines.push(...stack(sections, { columns, rows: rows - lines.length }));
  }
  return lines.slice(0, rows).map((line) => cut(line, columns));
}

function title({ name, url, found }: TopState, columns: number): string {
  const at = found ? `  ${found.taken.takenAt.toISOString().slice(11, 19)} UTC` : "";
  const room = columns - at.length;
  return pad(cut(`${oneLine(name)} at ${oneLine(url)}`, room), room) + at;
}

function tellSilence({ span, reason }: Silence): string {
  return oneLine(`No answer for ${seconds(span)}${reason === undefined ? "" : `: ${reason}`}`);
}

function tellRates(rates: PerSecond | undefined): string[] {
  return RATED.map((what) => `${what} ${rates ? tellRate(rates[what]) : "–"}`);
}

/** Small ones with a digit more. */
function tellRate(rate: number): string {
  return rate < 99.95 ? rate.toFixed(1) : number(Math.round(rate));
}

function tellCounts({ taken: { counts } }: Found): string[] {
  const { queued, scheduled, running, waiting, dead } = counts;
  return Object.entries({ queued, scheduled, running, waiting, dead })
    .map(([state, count]) => `${state} ${number(count)}`);
}

function number(count: number): string {
  return count.toLocaleString("en");
}

/** Where what is behind a label begins. */
const INDENT = 12;

/** What is short, one behind the other, on as many lines as it needs. */
function flow(label: string, items: readonly string[], columns: number): string[] {
  const lines = [label.padEnd(INDENT)];
  for (const item of items) {
    const last = lines[lines.length - 1];
    const isFirst = last.length <= INDENT;
    if (isFirst) lines[lines.length - 1] += item;
    else if (last.length + 2 + item.length <= columns) lines[lines.length - 1] += `  ${item}`;
    else lines.push(" ".repeat(INDENT) + item);
  }
  return lines;
}

function workersOf({ workers, taken }: Found): Section {
  const isAll = taken.running.length >= taken.counts.running;
  const runs = groupBy(taken.running, (one) => one.worker);
  // All that is known of who runs what is a name, and several workers may share it.
  const rows = [...groupBy(workers, (one) => one.name)].map(([name, some]) => {
    const running = runs.get(name)?.length ?? 0;
    const concurrency = some.reduce((sum, one) => sum + one.concurrency, 0);
    const lastSeen = Math.min(...some.map((one) => one.lastSeen.getTime()));
    const tasks = new Set(some.flatMap((one) => Object.keys(one.tasks)));
    return [
      some.length > 1 ? `${name} (${number(some.length)})` : name,
      `${number(running)}${isAll ? "" : "+"}/${number(concurrency)}`,
      ago(lastSeen, taken.takenAt),
      [...tasks].join(" "),
    ];
  });
  return {
    header: ["WORKER", "RUNNING", "SEEN", "CAN RUN"],
    rows,
    total: rows.length,
    summary: workers.length > 0 ? count(workers.length, "worker") : "No worker is alive",
  };
}

/** `Map.groupBy()`, which Node 20 lacks. */
function groupBy<T, Name>(all: readonly T[], nameOf: (one: T) => Name): Map<Name, T[]> {
  const groups = new Map<Name, T[]>();
  for (const one of all) {
    const group = groups.get(nameOf(one));
    if (group) group.push(one);
    else groups.set(nameOf(one), [one]);
  }
  return groups;
}

function runningOf({ taken: { running, counts, takenAt } }: Found): Section {
  return {
    header: ["RUNNING", "KEY", "FOR", "PROGRESS", "WORKER"],
    rows: running.map(({ task, key, startedAt, worker, progress }) => [
      task || "?",
      key,
      startedAt ? seconds(takenAt.getTime() - startedAt.getTime()) : "",
      progress ? tellProgress(progress) : "",
      worker ?? "",
    ]),
    total: counts.running,
    summary: counts.running > 0 ? `${number(counts.running)} running` : "Nothing runs",
  };
}

function tellProgress({ current, total, message }: NonNullable<Running["progress"]>): string {
  return `${bar(current, total, 10)}${message ? ` ${message}` : ""}`;
}

function failedOf({ failed, taken: { takenAt } }: Found): Section {
  return {
    header: ["FAILED", "KEY", "ENDED", "REASON"],
    rows: failed.map(({ task, key, completedAt, error }) => [
      task || "?",
      key,
      completedAt ? ago(completedAt.getTime(), takenAt) : "",
      messageOf(error),
    ]),
    total: undefined,
    summary: failed.length > 0 ? "Some have failed" : "Nothing has failed",
  };
}

/** Of what was found a moment after the snapshot, too, it is not told that it is to come. */
function ago(at: Millis, now: Date): string {
  const away = now.getTime() - at;
  return away < 1_000 ? "now" : `${seconds(away)} ago`;
}

/** In whole seconds: what is drawn every second need not flicker. */
function seconds(millis: Millis): string {
  const whole = Math.floor(Math.max(0, millis) / 1_000);
  return whole === 0 ? "0s" : span(whole * 1_000);
}

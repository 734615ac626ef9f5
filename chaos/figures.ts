/**
 * The figures of a run, as a Markdown table.
 *
 * @module
 */

import { format, markdown } from "../bench/table.ts";
import type { Happening } from "./journal.ts";
import { type Outcome, poisoned } from "./outcome.ts";

/** What happened, in numbers. */
export function toTable(outcome: Outcome): string {
  const { happenings, verdict: { figures }, allowed, written } = outcome;
  const { accepted, runs, duplicates, ended } = figures;
  const killed = (role: string) =>
    select(happenings, "killed").filter(({ victim }) => victim?.startsWith(role)).length;
  const heard = select(happenings, "resolved").length;
  const unknown = select(happenings, "answered")
    .filter(({ verdict }) => verdict === "unknown").length;
  const rows: [string, string | number][] = [
    ["accepted", accepted],
    ["adds without an answer", unknown],
    ["completed", ended.completed],
    ["failed", ended.failed],
    ["cancelled", ended.cancelled],
    ["  of these replaced", written.ends.filter(({ reason }) => reason === "replaced").length],
    ["dead", ended.dead],
    ["  of these poison", poisonsIn(outcome)],
    ["runs", runs],
    ["runs that began again", `${duplicates} of ${allowed} allowed`],
    ["leases lost", select(happenings, "aborted").filter(isLost).length],
    ["settlements fenced", happenings.filter(({ committed }) => committed === false).length],
    ["results awaited", heard],
    ["workers killed", killed("worker")],
    ["workers killed by poison", poisoned(happenings).length],
    ["producers killed", killed("producer")],
    ["processes stopped", select(happenings, "stopped").length],
    ["times that a worker was held up", select(happenings, "stalled").length],
    ["Redis killed", select(happenings, "redis killed").length],
    ["connections cut", select(happenings, "cut").length],
    ["from Redis's return to its first answer", seconds(afterRedis(happenings))],
    ["from a worker's death to its tasks' next run", seconds(afterDeaths(happenings))],
    ["from calm to nothing left", seconds(untilFinished(happenings))],
  ];
  return markdown([["", ""], ...rows.map(([name, value]) => [name, `${value}`])]);
}

function poisonsIn({ happenings, written }: Outcome): number {
  const keys = new Set(happenings.filter(({ task }) => task === "poison").map(({ key }) => key));
  return written.ends.filter(({ key, state }) => state === "dead" && keys.has(key)).length;
}

function select(happenings: readonly Happening[], what: Happening["what"]): Happening[] {
  return happenings.filter((happening) => happening.what === what);
}

function isLost({ outcome }: Happening): boolean {
  return outcome === "LEASE_LOST";
}

/** The median and the longest of some spans. */
function seconds(spans: readonly number[]): string {
  if (spans.length === 0) return "–";
  const sorted = spans.toSorted((a, b) => a - b);
  const [median, longest] = [sorted[Math.floor(sorted.length / 2)], sorted[sorted.length - 1]];
  if (spans.length === 1) return `${format(longest / 1_000, 2)} s`;
  return `${format(median / 1_000, 2)} s, at most ${format(longest / 1_000, 2)} s`;
}

/** Until anybody's claim, settlement or add came through. */
function afterRedis(happenings: readonly Happening[]): number[] {
  const spans: number[] = [];
  let backAt: number | undefined;
  for (const { what, at } of happenings) {
    if (what === "redis back") backAt = at;
    const isAnswer = what === "claimed" || what === "settled" || what === "answered";
    if (!isAnswer || backAt === undefined) continue;
    spans.push(at - backAt);
    backAt = undefined;
  }
  return spans;
}

/** Of each run that a death cut short: until its task began again. Poison waits longer, so that others are not hit. */
function afterDeaths(happenings: readonly Happening[]): number[] {
  const spans: number[] = [];
  const underWay = new Map<number, Map<string, string>>();
  const orphans = new Map<string, number>();
  for (const { what, at, pid, key = "", task, token, victimPid = 0 } of happenings) {
    if (task === "poison") continue;
    if (what === "started") {
      const orphanedAt = orphans.get(key);
      if (orphanedAt !== undefined) spans.push(at - orphanedAt);
      orphans.delete(key);
      const runs = underWay.get(pid) ?? new Map<string, string>();
      underWay.set(pid, runs.set(`${token} ${key}`, key));
    } else if (what === "left") underWay.get(pid)?.delete(`${token} ${key}`);
    else if (what === "gone") {
      for (const orphan of underWay.get(victimPid)?.values() ?? []) orphans.set(orphan, at);
      underWay.delete(victimPid);
    } else if (what === "answered") orphans.delete(key); // what begins next may be another generation
  }
  return spans;
}

function untilFinished(happenings: readonly Happening[]): number[] {
  const [calm] = select(happenings, "calm");
  const [finished] = select(happenings, "finished");
  return calm && finished ? [finished.at - calm.at] : [];
}

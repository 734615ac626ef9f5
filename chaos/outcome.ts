/**
 * Whether a run went well: what the history says, and what it cannot say.
 *
 * @module
 */

import type { Written } from "./aof.ts";
import { check, describe, type Verdict } from "./history.ts";
import type { Happening } from "./journal.ts";
import { MAX_DELIVERIES } from "./setup.ts";
import { processOf, type Sources, toHistory } from "./story.ts";

/** What a run leaves behind. */
export interface Remains extends Sources {
  /** How many tasks a worker runs at once. */
  readonly concurrency: number;
  /** How many workers there are. */
  readonly workers: number;
  /** Whatever else was found to be wrong, in words. */
  readonly accidents: readonly string[];
}

/** What became of a run. */
export interface Outcome extends Remains {
  readonly verdict: Verdict;
  /** Everything that is wrong, in words: nothing, it is hoped. */
  readonly findings: readonly string[];
  /** How many runs of an attempt may have begun before. */
  readonly allowed: number;
  /** Where the journal and the files of Redis are, when something is wrong or they are to stay. */
  readonly evidence?: string;
}

/** Judges a run. */
export function judge(remains: Remains): Outcome {
  const { happenings, written, accidents } = remains;
  const allowed = allowedDuplicates(remains);
  const verdict = check(toHistory(remains), { duplicates: allowed });
  const findings = [
    ...accidents,
    ...verdict.findings.map(describe),
    ...staleSettlements(happenings, written),
    ...unwritten(happenings, written),
    ...wrongResults(happenings, written),
    ...wrongDeaths(happenings, written),
  ];
  return { ...remains, verdict, findings, allowed };
}

/** Processes that a task of theirs has killed. */
export function poisoned(happenings: readonly Happening[]): Happening[] {
  const blamed = new Set<number | undefined>();
  for (const { what, victimPid } of happenings) if (what === "killed") blamed.add(victimPid);
  return happenings.filter(({ what, victimPid, outcome }) =>
    what === "gone" && outcome === "SIGKILL" && !blamed.has(victimPid)
  );
}

/**
 * Each fault may cost a worker all that it runs, and one of Redis all workers. A worker that was held up, by
 * whatever, counts as stopped.
 */
function allowedDuplicates({ happenings, concurrency, workers }: Remains): number {
  const count = (what: Happening["what"]) =>
    happenings.filter((happening) => happening.what === what).length;
  const one = count("killed") + count("stopped") + count("stalled") + poisoned(happenings).length;
  return (one + count("redis killed") * workers) * concurrency;
}

/**
 * Settlements that counted although another worker was known to have the task before they were sent: a token that was
 * superseded never comes back (invariant 19). Which token came first Redis knows: answers may be late.
 */
function staleSettlements(happenings: readonly Happening[], { claims }: Written): string[] {
  const newest = new Map<string, number>();
  const stale = new Set<string>();
  const generations = new Map<string, string>();
  const wrong: string[] = [];
  const rank = (generation: string, token = "") => [...claims.get(generation) ?? []].indexOf(token);
  for (const happening of happenings) {
    const { what, key = "", token, committed } = happening;
    const of = `${key} ${token}`;
    const generation = happening.generation ?? generations.get(of) ?? "";
    if (what === "claimed") {
      generations.set(of, generation);
      newest.set(generation, Math.max(newest.get(generation) ?? -1, rank(generation, token)));
    } else if (what === "settling" && rank(generation, token) < (newest.get(generation) ?? -1)) {
      stale.add(of);
    } else if (what === "settled" && committed && stale.has(of)) {
      wrong.push(`stale commit: ${key}: ${processOf(happening)} settled it, and had lost it`);
    }
  }
  return wrong;
}

/** Settlements that counted, as a worker was told, and that Redis does not have. */
function unwritten(happenings: readonly Happening[], { ends }: Written): string[] {
  const keys = new Set(ends.map(({ key }) => key));
  return happenings
    .filter(({ what, committed, outcome, key = "" }) =>
      what === "settled" && committed === true && outcome !== undefined && !keys.has(key)
    )
    .map(({ key, outcome }) => `not written: ${key}: it ${outcome}, and Redis knows nothing of it`);
}

/** How those who wait hear of an end. */
const HEARD: Readonly<Record<string, string>> = {
  completed: "completed",
  EXECUTION_FAILED: "failed",
  EXECUTION_CANCELLED: "cancelled",
};

/** Results that did not come, or are another's. Whoever was killed does not wait any more. */
function wrongResults(happenings: readonly Happening[], { ends }: Written): string[] {
  const statesOf = new Map<string, Set<string>>();
  const countOf = new Map<string, number>();
  for (const { key, state } of ends) {
    const states = statesOf.get(key) ?? new Set();
    statesOf.set(key, states.add(state));
    countOf.set(key, (countOf.get(key) ?? 0) + 1);
  }
  const killed = new Set(
    happenings.filter(({ what }) => what === "killed")
      .map(({ victim = "", victimPid = 0 }) => processOf({ by: victim, pid: victimPid })),
  );
  const waiting = new Map<string, number>();
  const wrong: string[] = [];
  for (const happening of happenings) {
    const { what, key = "", outcome = "" } = happening;
    const who = `${key} ${processOf(happening)}`;
    if (what === "awaited") waiting.set(who, (waiting.get(who) ?? 0) + 1);
    if (what !== "resolved") continue;
    waiting.set(who, (waiting.get(who) ?? 0) - 1);
    // A later generation of the key has overwritten the record.
    if (outcome === "EXECUTION_EXPIRED" && (countOf.get(key) ?? 0) > 1) continue;
    const states = statesOf.get(key) ?? new Set();
    const heard = HEARD[outcome] ?? "";
    if (!states.has(heard) && !(heard === "failed" && states.has("dead"))) {
      wrong.push(`wrong result: ${key}: ${outcome}, and it ended ${[...states].join(", ")}`);
    }
  }
  for (const [who, count] of waiting) {
    const [key, by] = who.split(" ");
    if (count > 0 && !killed.has(by)) wrong.push(`no result: ${key}: ${by} still waits for it`);
  }
  return wrong;
}

/** Poison that did not die; and what is dead, and was not lost by as many workers as it takes. */
function wrongDeaths(happenings: readonly Happening[], { ends, claims }: Written): string[] {
  const poison = new Set<string>();
  const settled = new Set<string>();
  for (const { what, task, key = "", token, committed } of happenings) {
    if (what === "started" && task === "poison") poison.add(key);
    if (what === "settled" && committed) settled.add(`${key} ${token}`);
  }
  const wrong: string[] = [];
  for (const { key, generation, state } of ends) {
    if (state !== "dead") {
      if (poison.has(key)) wrong.push(`poison lives: ${key}: it ${state}`);
      continue;
    }
    const lost = [...claims.get(generation) ?? []].filter((token) =>
      !settled.has(`${key} ${token}`)
    );
    if (lost.length >= MAX_DELIVERIES) continue;
    wrong.push(`dead too soon: ${key}: ${lost.length} workers have lost it`);
  }
  return wrong;
}

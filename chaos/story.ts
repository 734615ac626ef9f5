/**
 * Puts together what the processes told and what Redis wrote down, as a history that can be checked.
 *
 * @module
 */

import type { Written } from "./aof.ts";
import type { EndState, HistoryEvent } from "./history.ts";
import type { Happening } from "./journal.ts";
import { LIMIT } from "./tasks.ts";

/**
 * So many leases after a fault is over, whoever it hit has found out what is lost: one to lose it, one to hear of it, and one
 * more on a machine that is busy.
 */
const AFTERMATH = 3;

/** What the history of a run is told from. */
export interface Sources {
  readonly happenings: readonly Happening[];
  readonly written: Written;
  /** How long a claim counts that nobody renews, in milliseconds. */
  readonly lease: number;
}

/** One run's history, in the order of the journal; what Redis alone knows comes at its end. */
export function toHistory({ happenings, written, lease }: Sources): HistoryEvent[] {
  const story = new Story();
  const drifts = driftsOf(happenings, lease);
  for (const happening of happenings) {
    while (drifts.length > 0 && drifts[0].at <= happening.at) {
      story.events.push(drifts.shift()!.event);
    }
    story.tell(happening);
  }
  story.events.push(...drifts.map(({ event }) => event));
  story.tellWhatIsWritten(written);
  return story.events;
}

/** A process, as the history names it: the name alone is its successor's, too. */
export function processOf({ by, pid }: { readonly by: string; readonly pid: number }): string {
  return `${by}#${pid}`;
}

interface Drift {
  readonly at: number;
  readonly event: Extract<HistoryEvent, { readonly kind: "adrift" | "steady" }>;
}

/** When whose leases may have been lost. Drifts that overlap become one. */
function driftsOf(happenings: readonly Happening[], lease: number): Drift[] {
  const spans = new Map<string | undefined, [from: number, to: number][]>();
  const add = (worker: string | undefined, from: number, to: number): void => {
    const known = spans.get(worker) ?? [];
    spans.set(worker, known);
    known.push([from, to + AFTERMATH * lease]);
  };
  const begunAt = new Map<string | undefined, number>();
  const finish = (worker: string | undefined, at: number): void => {
    const from = begunAt.get(worker);
    if (from !== undefined) add(worker, from, at);
    begunAt.delete(worker);
  };
  for (const happening of happenings) {
    const { what, at, ms = 0 } = happening;
    if (what === "redis killed") begunAt.set(undefined, at);
    else if (what === "redis back") finish(undefined, at);
    else if (what === "stopped") begunAt.set(victimOf(happening), at);
    else if (what === "continued" || what === "gone") finish(victimOf(happening), at);
    else if (what === "stalled") add(processOf(happening), at - ms - lease, at);
    // It may have been held up just before, and can tell no more.
    if (what === "gone") add(victimOf(happening), at - AFTERMATH * lease, at);
  }
  for (const worker of begunAt.keys()) finish(worker, Infinity);
  const drifts: Drift[] = [];
  for (const [worker, known] of spans) {
    known.sort(([a], [b]) => a - b);
    for (let i = 0; i < known.length;) {
      const [from] = known[i];
      let [, to] = known[i];
      for (i++; i < known.length && known[i][0] <= to; i++) to = Math.max(to, known[i][1]);
      drifts.push({ at: from, event: { kind: "adrift", worker } });
      drifts.push({ at: to, event: { kind: "steady", worker } });
    }
  }
  return drifts.sort((a, b) => a.at - b.at);
}

/** Translates, line by line. */
class Story {
  readonly events: HistoryEvent[] = [];
  /** Generation → key. */
  readonly #asked = new Map<string, string>();
  /** Key and token → generation. */
  readonly #claims = new Map<string, string>();
  /** Generations of whose end a worker has told. */
  readonly #told = new Set<string>();

  tell(happening: Happening): void {
    const { what, key = "", generation = "", token = "", at } = happening;
    const worker = processOf(happening);
    const run = `${token} ${key}`;
    switch (what) {
      case "asked":
        this.#asked.set(generation, key);
        return;
      case "answered":
        if (happening.verdict === "scheduled" || happening.verdict === "deferred") {
          this.events.push({ kind: "accepted", at, key, generation });
        }
        return;
      case "claimed":
        this.#claims.set(run, generation);
        return;
      case "started":
        this.#started(happening, run, worker);
        return;
      case "left":
        this.events.push({ kind: "stopped", at, run });
        return;
      case "aborted":
        if (happening.outcome === "LEASE_LOST") this.events.push({ kind: "forsaken", at, run });
        return;
      case "settling":
        if (happening.next) this.#asked.set(happening.next, key);
        return;
      case "settled":
        if (happening.committed) this.#settled(happening, run);
        return;
      case "killed":
        this.events.push({ kind: "adrift", at, worker: victimOf(happening) });
        return;
      case "gone":
        this.events.push({ kind: "died", at, worker: victimOf(happening) });
        return;
    }
  }

  /** What Redis accepted without anybody hearing of it, and how everything ended. */
  tellWhatIsWritten({ live, ends }: Written): void {
    for (const [generation, key] of this.#asked) {
      // Once it is written it is a promise, whoever heard the answer.
      if (live.has(generation)) this.events.push({ kind: "accepted", key, generation });
    }
    for (const end of ends) {
      // Of what a worker has told Redis must say the same, and once.
      const kind = this.#told.delete(end.generation) ? "witnessed" : "ended";
      this.events.push({ kind, ...end });
    }
  }

  #started(happening: Happening, run: string, worker: string): void {
    const { at, key = "", attempt = 1, gate, task } = happening;
    const generation = this.#claims.get(run) ?? "?";
    if (task === "poison") this.events.push({ kind: "adrift", at, worker }); // these are its last words
    this.events.push({
      kind: "started",
      at,
      key,
      generation,
      run,
      attempt,
      worker,
      gate: gate === undefined ? undefined : { id: gate, max: LIMIT },
    });
  }

  #settled({ key = "", outcome, at }: Happening, run: string): void {
    const generation = this.#claims.get(run);
    if (outcome === undefined || generation === undefined) return;
    this.#told.add(generation);
    this.events.push({ kind: "ended", at, key, generation, state: outcome as EndState });
  }
}

function victimOf({ victim = "", victimPid = 0 }: Happening): string {
  return processOf({ by: victim, pid: victimPid });
}

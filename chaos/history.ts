/**
 * What happened to the tasks of a docket, as those tell who were there, and whether all of it was allowed.
 *
 * A history is a list of events, in the order in which they happened. Some are told by callers and by the bodies of tasks,
 * which is possible everywhere; some only where somebody looks into the storage, as the simulator does. The more is told,
 * the more is checked: a rule says nothing where it knows nothing.
 *
 * @module
 */

import type { Millis } from "../src/base/clock.ts";
import { Judge } from "./judge.ts";

/** How a generation ends. */
export type EndState = "completed" | "failed" | "cancelled" | "dead";

/** One generation of a key. */
export interface Of {
  readonly key: string;
  readonly generation: string;
}

/** One thing that happened. `at` is for people, but for claims and renewals: those are measured against their lease. */
export type HistoryEvent = { readonly at?: Millis } & (Told | Looked);

/** What callers, bodies and whoever injects faults can tell. */
export type Told =
  /**
   * A schedule was accepted; told at any time, also after it has run. Not `certain`: whoever asked got no answer. A `chain`
   * goes on under its key with generations that nobody else tells of.
   */
  | Of & { readonly kind: "accepted"; readonly certain?: false; readonly chain?: true }
  /** A body begins. `run` is its own name in the history. It holds a place at a gate, if it has one, until it stops. */
  | Of & {
    readonly kind: "started";
    readonly run: string;
    readonly attempt: number;
    readonly worker: string;
    readonly gate?: { readonly id: string; readonly max: number };
  }
  /** A body is over: it returned, or threw. */
  | { readonly kind: "stopped"; readonly run: string }
  /** A body was told that its claim is lost, or given back: it may go on, and another may begin. */
  | { readonly kind: "forsaken"; readonly run: string }
  /** Somebody learnt how a generation ended: from its record, or by waiting. Any number of times, and always the same. */
  | Of & { readonly kind: "witnessed"; readonly state: EndState; readonly reason?: string }
  /** A process was killed, and its bodies are over. */
  | { readonly kind: "died"; readonly worker: string }
  /**
   * From now on a worker, or each of them, may lose the leases of what it runs, or begins: it was stopped, cut off, or gave
   * up what does not end.
   */
  | { readonly kind: "adrift"; readonly worker?: string }
  /** From now on that is over for what begins: told of whoever was adrift, once it has had time to find out. */
  | { readonly kind: "steady"; readonly worker?: string }
  /** When all is over: what the storage keeps under a key. A chain may still be live. */
  | {
    readonly kind: "found";
    readonly key: string;
    readonly live?: string;
    readonly deferred?: string;
    readonly ended?: Ending;
    readonly dead?: Ending;
  };

/** What the storage did. */
export type Looked =
  /** It gave a task to a worker, under a token. `takeover`: from another, whose claim was not renewed for that long. */
  | Of & {
    readonly kind: "claimed";
    readonly token: string;
    readonly worker: string;
    readonly takeover?: Millis;
    readonly since?: Millis;
  }
  /** It kept a claim. `since`: where that took its time, when it was asked to. */
  | {
    readonly kind: "renewed";
    readonly key: string;
    readonly token: string;
    readonly since?: Millis;
  }
  /** A claim is over without a settlement: its run waits before a gate, say. */
  | { readonly kind: "left"; readonly key: string; readonly token: string }
  /** A settlement counted. */
  | { readonly kind: "committed"; readonly key: string; readonly token: string }
  /** It was asked to cancel what runs: nobody gets that to run any more. */
  | Of & { readonly kind: "cancelling" }
  /** It ended a generation: told once for each, at that moment. */
  | Of & { readonly kind: "ended"; readonly state: EndState; readonly reason?: string };

/** How a generation ended, in a record. */
export interface Ending {
  readonly generation: string;
  readonly state: EndState;
  readonly reason?: string;
}

/** A rule that a history breaks. */
export interface Finding {
  readonly rule: Rule;
  readonly key: string;
  readonly generation?: string;
  /** What is wrong, in a sentence. */
  readonly text: string;
}

/** The rules, each with the invariants or faults' invariants that it stands for. */
export type Rule =
  /** Accepted, and never ended (I1). */
  | "lost"
  /** Live, or waiting to take another's place, when all is over (I7). */
  | "stuck"
  /** Ended in two ways, or two times (I1). */
  | "ended twice"
  /** It ran or ended, and nobody asked for it. */
  | "unaccepted"
  /** Completed, and no body of it ever began. */
  | "not run"
  /** A body began after the end, by a worker that kept its claim (invariants 1, 28). */
  | "ran after its end"
  /** Two bodies of one key ran at once, and no lease was lost (invariant 14). */
  | "overlap"
  /** More bodies than a gate has places ran at once (invariant 59). */
  | "over the limit"
  /** An attempt began twice, and nothing had happened to the worker that began it first. */
  | "run twice"
  /** More attempts began twice than the faults allow. */
  | "too many duplicates"
  /** Claimed over a claim whose lease had not run out (invariants 20, 30). */
  | "claimed over a claim"
  /** Claimed after somebody had it cancelled (invariant 28). */
  | "claimed although cancelled"
  /** Taken over more often in a row than it may be handed out (invariant 40). */
  | "handed out too often"
  /** Taken over while a body of it ran, of a worker in good order that had not told it so (invariant 32). */
  | "not told"
  /** A settlement counted that was not that of the present claim, or counted twice (invariants 19, 20). */
  | "stale commit";

/** What a history may have. */
export interface CheckOptions {
  /** How many attempts may have begun again: kills times concurrency, say. Any number by default. */
  readonly duplicates?: number;
  /** How often an attempt may be handed out. Any number by default. */
  readonly maxDeliveries?: number;
  /**
   * What is known of ends. `"last"`: of each key only the end of the last generation is told with certainty, as records
   * show it; an earlier one counts as ended when a later one was accepted.
   *
   * @default "all"
   */
  readonly ends?: "all" | "last";
}

/** How much happened. */
export interface Figures {
  readonly accepted: number;
  /** Those of them that are not certain. */
  readonly maybe: number;
  readonly runs: number;
  /** Runs of an attempt that had begun before. */
  readonly duplicates: number;
  /** Generations by how they ended. */
  readonly ended: Readonly<Record<EndState, number>>;
}

/** What became of a history. */
export interface Verdict {
  readonly findings: readonly Finding[];
  readonly figures: Figures;
}

/** Checks a history against all rules. */
export function check(history: readonly HistoryEvent[], options: CheckOptions = {}): Verdict {
  const judge = new Judge(options);
  for (const event of history) judge.hear(event);
  return judge.verdict();
}

/** A finding on one line. */
export function describe({ rule, key, generation, text }: Finding): string {
  const of = generation === undefined ? key : `${key} (${generation})`;
  return `${rule}: ${of}: ${text}`;
}

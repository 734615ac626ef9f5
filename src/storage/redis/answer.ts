/**
 * Makes sense of what the scripts answer.
 *
 * @module
 */

import { ProtocolError } from "../../base/errors.ts";
import { ID_LENGTH } from "../../base/ids.ts";
import type {
  Claim,
  Found,
  LiveTask,
  ParkedTask,
  Passage,
  Renewal,
  Requeued,
  Verdict,
} from "../contract.ts";
import {
  hasReported,
  readClaim,
  readDeferred,
  readEnded,
  readGrave,
  readLive,
  readProgress,
} from "./row.ts";
import type { Cancelled } from "./scripts/cancel.ts";
import type { Stored } from "./scripts/load.ts";
import type { Requeuing } from "./scripts/requeue.ts";
import type { Answer } from "./scripts/schedule.ts";

/** Deals the answers of a script call out to those whose items it carried. */
export function share<T>(
  groups: readonly (readonly unknown[])[],
  answers: readonly T[],
): readonly T[][] {
  let from = 0;
  return groups.map(({ length }) => answers.slice(from, from += length));
}

/** What becomes of nearly every call. */
export const SCHEDULED = { kind: "scheduled" } as const satisfies Verdict;

/** What becomes of a call whose caller has to look at the strikes again. */
export const OUTDATED = { kind: "outdated" } as const satisfies Verdict;

/** What became of a call. */
export function readVerdict(key: string, answer: Answer): Verdict {
  if (answer === "ok") return SCHEDULED;
  if (answer === "deferred") return { kind: "deferred" };
  if (Array.isArray(answer)) {
    return { kind: "exists", live: readLive(key, answer[0], answer[1]) };
  }
  throw new ProtocolError(`Cannot read the verdict ${JSON.stringify(answer)}`);
}

/** What became of a task that was to run again. */
export function readRequeued(key: string, answer: Requeuing): Requeued {
  if (answer === "ok") return SCHEDULED;
  if (answer === "gone") return { kind: "gone" };
  return { kind: "exists", live: readLive(key, answer[0], answer[1]) };
}

/**
 * What became of tasks that were to be cancelled.
 *
 * @throws {ProtocolError} When one has a row of a newer version; the others are cancelled.
 */
export function readCancelled(
  answers: readonly Cancelled[],
): readonly Exclude<Cancelled, "newer">[] {
  return answers.map((answer) => {
    if (answer !== "newer") return answer;
    throw new ProtocolError(
      "Cannot cancel a task: its row has a form that only newer versions know",
    );
  });
}

/** Everything known under a key. */
export function readFound(key: string, stored: Stored): Found {
  const { row, deferred, record, grave } = stored;
  return {
    live: row === null ? undefined : readReported(key, row, stored),
    deferred: row === null || deferred === null ? undefined : readDeferred(deferred),
    ended: record === null ? undefined : readEnded(record),
    dead: grave === null ? undefined : readGrave(grave),
  };
}

/** A live task with what its present run has reported, and no other (invariant 25). */
export function readReported(key: string, row: string, { body, report }: Stored): LiveTask {
  const live = readLive(key, row, body ?? "");
  if (report === null || !hasReported(row, report)) return live;
  return { ...live, progress: readProgress(report.slice(ID_LENGTH)) };
}

/** For each commit whether it counted, in the order asked; `order` tells where each of them went. */
export function readCommitted(
  verdicts: string,
  order: readonly number[],
): readonly boolean[] | undefined {
  if (verdicts === "") return undefined;
  const committed: boolean[] = [];
  for (let n = 0; n < order.length; n++) committed[order[n]] = verdicts[n] === "o";
  return committed;
}

/** Claims, from key, row and body of each. */
export function readClaims(flat: readonly string[]): readonly Claim[] {
  const claims: Claim[] = [];
  for (let i = 0; i < flat.length; i += 3) {
    claims.push(readClaim(flat[i], flat[i + 1], flat[i + 2]));
  }
  return claims;
}

/** Those that were parked where they were to be claimed; nothing where none was. */
export function readParked(
  flat: readonly string[],
): { readonly parked: readonly ParkedTask[] } | undefined {
  if (flat.length === 0) return undefined;
  const parked: ParkedTask[] = [];
  for (let i = 0; i < flat.length; i += 3) {
    const [key, why, body] = flat.slice(i, i + 3);
    parked.push({ key, body, reason: why === "deliveries" ? why : "illegible" });
  }
  return { parked };
}

/** What became of a lease. */
export function readRenewal(letter: string): Renewal {
  switch (letter) {
    case "o":
      return "kept";
    case "c":
      return "cancel";
    case "l":
      return "lost";
  }
  throw new ProtocolError(`Cannot read the renewal ${JSON.stringify(letter)}`);
}

const PASSAGES: Readonly<Record<string, Passage>> = {
  p: "passed",
  w: "parked",
  x: "dropped",
  f: "fenced",
};

/** What became of an entry, by its letter. */
export function readPassage(letter: string): Passage {
  return PASSAGES[letter] ?? "fenced";
}

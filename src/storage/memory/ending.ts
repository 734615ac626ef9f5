/**
 * What a settlement makes of a run: decided here, done in `work.ts` and `site.ts`.
 *
 * @module
 */

import type { Millis } from "../../base/clock.ts";
import type { CancelReason } from "../../base/errors.ts";
import { encodeEnding } from "../../base/message.ts";
import { DEAD_RECORD_TTL, type Due, type EndedTask, type Settlement } from "../contract.ts";
import type { Task } from "./task.ts";

/** How a run ends. */
export type Ending = Pick<EndedTask, "state" | "text" | "reason"> & {
  readonly ttl: Millis;
  /** Its chain ends with it, on purpose. */
  readonly stops?: boolean;
};

/** What takes the place of a run that ended. */
export interface Successor {
  readonly generation: string;
  readonly due: Due;
  readonly body: string;
}

/**
 * How the run of a task ends; `undefined` when the task goes on. A wanted cancel wins over whatever would go on, and so
 * does a replacement (invariants 14, 28).
 */
export function endingOf(
  { cancelled, deferred, attempt }: Task,
  settlement: Settlement,
  recordTtl: Millis,
): Ending | undefined {
  switch (settlement.kind) {
    case "completed":
    case "failed": {
      const { kind, text, ttl, stops } = settlement;
      return { state: kind, text, ttl, stops };
    }
    case "cancelled": {
      const { text, reason, ttl } = settlement;
      return { state: "cancelled", text, reason, ttl };
    }
    case "dead":
      return { state: "dead", text: settlement.text, ttl: DEAD_RECORD_TTL };
    case "succeeded": {
      const { state, text, reason, ttl } = settlement; // as it ended, also where its chain ends with it (invariant 53)
      return { state, text, reason, ttl };
    }
    case "retried":
    case "released": {
      if (!cancelled && !deferred) return undefined;
      const reason = cancelled ? "cancelled" : "replaced";
      return cancelledAt(attempt, reason, settlement.ttl ?? recordTtl);
    }
  }
}

/** The end of what nobody's worker ended: it tells its attempt when that is not the first. */
export function cancelledAt(attempt: number, reason: CancelReason, ttl: Millis): Ending {
  const text = attempt > 1 ? encodeEnding({ attempt, value: "" }) : "";
  return { state: "cancelled", text, reason, ttl };
}

/** The next of a chain. */
export function successorOf(settlement: Settlement): Successor | undefined {
  return settlement.kind === "succeeded" ? settlement : undefined;
}

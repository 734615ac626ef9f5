/**
 * Asks a task's policies about a failure, and does not trust what they say.
 *
 * @module
 */

import { toInstant, toMillis } from "../base/duration.ts";
import type { AnyDependency, Decision, Failure, Succession } from "../dependencies/dependency.ts";
import type { Due } from "../storage/contract.ts";

/**
 * The first decision of those that are asked.
 *
 * @throws What a policy throws, and for a decision that cannot be carried out.
 */
export function decisionOf(deciders: readonly AnyDependency[], failure: Failure): Decision {
  for (const dependency of deciders) {
    const decision = dependency.decide?.(failure);
    if (decision) return validated(decision);
  }
  return { kind: "fail" };
}

/**
 * What comes after a run, if it can be carried out.
 *
 * @throws {TypeError} or {RangeError} When it cannot.
 */
export function validatedSuccession(succession: Succession): Succession {
  if (succession.kind === "stop") return succession;
  const { kind, due, args, planned } = succession;
  if (kind !== "next") throw new TypeError(`Cannot carry out a succession: it is ${String(kind)}`);
  if (args !== undefined && !Array.isArray(args)) {
    throw new TypeError("Cannot carry out a succession: its arguments are no list");
  }
  return { kind, due: validatedDue(due), args, planned };
}

/** A time that is none would spoil the step that carries it, and with it what other tasks have to settle. */
function validatedDue(due: Due): Due {
  if (due === undefined) return undefined;
  return "at" in due
    ? { at: toInstant("at", due.at) }
    : { after: Math.ceil(toMillis("after", due.after)) };
}

function validated(decision: Decision): Decision {
  if (decision.kind === "fail") return decision;
  const { kind, due } = decision;
  if (kind !== "retry") throw new TypeError(`Cannot carry out a decision of kind ${String(kind)}`);
  return { kind, due: validatedDue(due) };
}

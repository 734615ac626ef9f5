/**
 * One run as those see it who watch from outside.
 *
 * @module
 */

import type { Clock, Millis } from "../base/clock.ts";
import type { Message } from "../base/message.ts";
import { meters } from "../instrumentation/meters.ts";
import { endRun, type Span, within } from "../instrumentation/spans.ts";
import type { Tally } from "../instrumentation/tally.ts";
import type { Claim, Settlement } from "../storage/contract.ts";
import type { Case } from "./clerk.ts";
import { tellEnd, tellStart, type Times } from "./lines.ts";

/** A run whose task is known. */
export type Observed = Case & { readonly message: Message };

/** Watches one run, from its beginning to its end. */
export class Observation {
  readonly #what: Observed;
  readonly #clock: Clock;
  readonly #startedAt: Millis;
  readonly #tally?: Tally;
  readonly #span?: Span;
  readonly #told: boolean;
  #thrown?: { readonly error: unknown };

  /** Watches with what there is: numbers, a span, lines in the log. */
  constructor(what: Observed, clock: Clock, tally?: Tally, span?: Span, told = false) {
    this.#what = what;
    this.#clock = clock;
    this.#startedAt = clock.monotonic();
    this.#tally = tally;
    this.#span = span;
    this.#told = told;
    if (tally) begin(tally, what.run.claim);
    if (told) tellStart(what, this.times);
  }

  /** In milliseconds: how long it has run, and how late it began. */
  get times(): Times {
    const duration = Math.round(this.#clock.monotonic() - this.#startedAt);
    return { duration, punctuality: punctualityOf(this.#what.run.claim) };
  }

  /** Runs something so that spans which it starts are children of this one. */
  within<Result>(act: () => Result): Result {
    return this.#span ? within(this.#span, act) : act();
  }

  /** It threw. */
  threw(error: unknown): void {
    this.#thrown = { error };
  }

  /** It is over. */
  end(settlement: Settlement): void {
    const outcome = settlement.kind === "succeeded" ? settlement.state : settlement.kind;
    if (this.#tally) {
      const duration = (this.#clock.monotonic() - this.#startedAt) / 1_000;
      meters.record("docket_task_duration", duration, this.#tally);
      if (this.#thrown) meters.add("docket_tasks_failed", this.#tally);
      end(this.#tally, settlement.kind, outcome);
    }
    // Thrown is nothing where it was cancelled, or given back (invariant 82).
    if (this.#span) endRun(this.#span, outcome, this.#thrown);
    if (this.#told && !this.#thrown) tellEnd(this.#what, this.times, outcome);
  }
}

/** How long after it was due it was claimed, by the storage's clock. Due now is when it was queued. */
export function punctualityOf({ startedAt, due, queuedAt }: Claim): Millis {
  return Math.max(0, startedAt - (due ?? queuedAt ?? startedAt));
}

function begin(tally: Tally, claim: Claim): void {
  meters.run(1, tally);
  meters.add("docket_tasks_started", tally);
  if (claim.deliveries > 1) meters.add("docket_tasks_redelivered", tally);
  meters.record("docket_task_punctuality", punctualityOf(claim) / 1_000, tally);
}

function end(tally: Tally, kind: Settlement["kind"], outcome: string): void {
  meters.run(-1, tally);
  if (kind === "retried") meters.add("docket_tasks_retried", tally);
  if (kind === "dead") meters.add("docket_tasks_dead", tally);
  if (kind === "succeeded") meters.add("docket_tasks_perpetuated", tally);
  if (kind === "retried" || kind === "released") return; // it is not over
  meters.add("docket_tasks_completed", tally);
  if (outcome === "completed") meters.add("docket_tasks_succeeded", tally);
}

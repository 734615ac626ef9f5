/**
 * Tells those who watch from outside what runs do: spans, metrics, lines in the log. Nobody watching costs nothing.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import type { Clock, Millis } from "../base/clock.ts";
import { decodeMessage, type Message } from "../base/message.ts";
import type { Counter } from "../instrumentation/instruments.ts";
import { meters } from "../instrumentation/meters.ts";
import { fail, isTracing, type Span, startRun, within } from "../instrumentation/spans.ts";
import type { Tally } from "../instrumentation/tally.ts";
import type { Claim, ParkedTask, Settlement } from "../storage/contract.ts";

const log = getLogger(["docket", "worker"]);

/** What an {@linkcode Observer} needs. */
export interface ObserverOptions {
  readonly clock: Clock;
  /** The name of the docket. */
  readonly docket: string;
  /** The name of the worker. */
  readonly worker: string;
}

/** Which run, and what of its arguments may be logged (invariant 85). */
export interface Observed {
  readonly claim: Claim;
  readonly message: Message;
  readonly loggable: () => Readonly<Record<string, unknown>> | undefined;
}

/** Watches one worker's runs. */
export class Observer {
  readonly #options: ObserverOptions;
  #on = false;
  #traced = false;
  #metered = false;
  #told = false;

  constructor(options: ObserverOptions) {
    this.#options = options;
  }

  /** Whether anybody watches: looked for once for all that was claimed together. */
  get on(): boolean {
    return this.#on;
  }

  /** Looks who watches. */
  look(): void {
    this.#traced = isTracing();
    this.#metered = meters.look();
    const logged = log.isEnabledFor("error");
    this.#told = logged && log.isEnabledFor("info");
    this.#on = this.#traced || this.#metered || logged;
  }

  /** A run has passed its gates and begins. */
  begin(observed: Observed): Observation {
    const { docket, worker } = this.#options;
    const { claim, message } = observed;
    const { task } = message;
    const tally = this.#metered ? meters.tallies.of({ docket, worker, task }) : undefined;
    const span = this.#traced ? this.#start(observed) : undefined;
    const observation = new Observation(observed, this.#options, { tally, span, told: this.#told });
    if (tally) observation.count("docket_tasks_started");
    if (tally && claim.deliveries > 1) observation.count("docket_tasks_redelivered");
    return observation;
  }

  /** Counts what befell a task without its being run. */
  count(counter: Counter, task?: string): void {
    if (!this.#metered) return;
    const { docket, worker } = this.#options;
    meters.count(counter, { docket, worker, task });
  }

  /** Tells of tasks that were parked where they were to be claimed. */
  parked(tasks: readonly ParkedTask[]): void {
    this.look();
    for (const { key, body, reason } of tasks) {
      const task = taskOf(body);
      this.count("docket_tasks_dead", task);
      log.error("Parked {key}: {reason}", { key, task, reason: REASONS[reason] });
    }
  }

  #start({ claim, message }: Observed): Span {
    const { docket, worker } = this.#options;
    return startRun(docket, message.task, message.trace, {
      "messaging.message.id": claim.key,
      "docket.task": message.task,
      "docket.key": claim.key,
      "docket.worker": worker,
      "docket.attempt": claim.attempt,
      "docket.redelivered": claim.deliveries > 1,
      "docket.punctuality": punctualityOf(claim) / 1_000,
    });
  }
}

/** Watches one run, from its beginning to its end. */
export class Observation {
  readonly #observed: Observed;
  readonly #clock: Clock;
  readonly #startedAt: Millis;
  readonly #tally?: Tally;
  readonly #span?: Span;
  readonly #told: boolean;
  #thrown?: { readonly error: unknown };

  constructor(
    observed: Observed,
    { clock }: ObserverOptions,
    { tally, span, told }: {
      readonly tally?: Tally;
      readonly span?: Span;
      readonly told: boolean;
    },
  ) {
    this.#observed = observed;
    this.#clock = clock;
    this.#startedAt = clock.monotonic();
    this.#tally = tally;
    this.#span = span;
    this.#told = told;
    if (tally) {
      meters.record("docket_task_punctuality", punctualityOf(observed.claim) / 1_000, tally);
      meters.run(1, tally);
    }
    if (told) {
      this.#tell("{task} {key} starts at attempt {attempt}, {punctuality} ms after it was due");
    }
  }

  /** In milliseconds: how long it has run, and how late it began. */
  get times(): { readonly duration: Millis; readonly punctuality: Millis } {
    const duration = Math.round(this.#clock.monotonic() - this.#startedAt);
    return { duration, punctuality: punctualityOf(this.#observed.claim) };
  }

  /** Runs something so that spans which it starts are children of this one. */
  within<Result>(act: () => Result): Result {
    return this.#span ? within(this.#span, act) : act();
  }

  /** It threw. */
  threw(error: unknown): void {
    this.#thrown = { error };
  }

  /** Counts what became of it. */
  count(counter: Counter): void {
    if (this.#tally) meters.add(counter, this.#tally);
  }

  /** It is over. */
  end(settlement: Settlement): void {
    const outcome = outcomeOf(settlement);
    if (this.#tally) this.#add(this.#tally, settlement, outcome);
    if (this.#span) {
      this.#span.setAttribute("docket.outcome", outcome);
      if (this.#thrown) fail(this.#span, this.#thrown.error); // not what was cancelled, or given back (invariant 82)
      this.#span.end();
    }
    if (this.#told && !this.#thrown) {
      this.#tell("{task} {key} {outcome} after {duration} ms", { outcome });
    }
  }

  #add(tally: Tally, { kind }: Settlement, outcome: string): void {
    meters.run(-1, tally);
    meters.record(
      "docket_task_duration",
      (this.#clock.monotonic() - this.#startedAt) / 1_000,
      tally,
    );
    if (this.#thrown) meters.add("docket_tasks_failed", tally);
    if (kind === "retried") meters.add("docket_tasks_retried", tally);
    if (kind === "dead") meters.add("docket_tasks_dead", tally);
    if (kind === "succeeded") meters.add("docket_tasks_perpetuated", tally);
    if (kind === "retried" || kind === "released") return; // it is not over
    meters.add("docket_tasks_completed", tally);
    if (outcome === "completed") meters.add("docket_tasks_succeeded", tally);
  }

  #tell(message: string, more: Readonly<Record<string, unknown>> = {}): void {
    const { claim: { key, attempt }, message: { task }, loggable } = this.#observed;
    log.info(message, { task, key, attempt, ...this.times, ...more, arguments: loggable() });
  }
}

/** How long after it was due it was claimed, by the storage's clock. Due now is when it was queued. */
function punctualityOf({ startedAt, due, queuedAt }: Claim): Millis {
  return Math.max(0, startedAt - (due ?? queuedAt ?? startedAt));
}

function outcomeOf(settlement: Settlement): string {
  return settlement.kind === "succeeded" ? settlement.state : settlement.kind;
}

const REASONS: Readonly<Record<ParkedTask["reason"], string>> = {
  deliveries: "it was given to workers as often as allowed, and none of them came to its end",
  illegible: "what is stored of it cannot be read",
};

/** The name of a stored task, if it can be read. */
function taskOf(body: string): string | undefined {
  try {
    return decodeMessage(body).task;
  } catch {
    return undefined;
  }
}

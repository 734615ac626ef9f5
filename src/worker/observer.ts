/**
 * Tells those who watch from outside what runs do: spans, metrics, lines in the log. Nobody watching costs nothing.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import type { Clock } from "../base/clock.ts";
import { taskOf } from "../base/message.ts";
import type { Counter } from "../instrumentation/instruments.ts";
import { meters } from "../instrumentation/meters.ts";
import { type RunSpan, type Tracer, tracing } from "../instrumentation/spans.ts";
import { MOST_TASKS, type Tally } from "../instrumentation/tally.ts";
import type { ParkedTask } from "../storage/contract.ts";
import { Observation, type Observed, punctualityOf } from "./observation.ts";

const log = getLogger(["docket", "worker"]);

/** What an {@linkcode Observer} needs. */
export interface ObserverOptions {
  readonly clock: Clock;
  /** The name of the docket. */
  readonly docket: string;
  /** The name of the worker. */
  readonly worker: string;
}

/** Watches one worker's runs. */
export class Observer {
  readonly #options: ObserverOptions;
  readonly #tallies = new Map<string, Tally>();
  #on = false;
  #tracer?: Tracer;
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
    this.#tracer = tracing();
    this.#metered = meters.look();
    const logged = log.isEnabledFor("error");
    this.#told = logged && log.isEnabledFor("info");
    this.#on = this.#tracer !== undefined || this.#metered || logged;
  }

  /** A run has passed its gates and begins. */
  begin(what: Observed): Observation {
    const tally = this.#metered ? this.#tallyOf(what.message.task) : undefined;
    const span = this.#tracer && this.#start(this.#tracer, what);
    return new Observation(what, this.#options.clock, tally, span, this.#told);
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

  /** Looked up by one name instead of three. */
  #tallyOf(task: string): Tally {
    let tally = this.#tallies.get(task);
    if (tally) return tally;
    const { docket, worker } = this.#options;
    tally = meters.tallies.of({ docket, worker, task });
    if (this.#tallies.size >= MOST_TASKS) this.#tallies.clear();
    this.#tallies.set(task, tally);
    return tally;
  }

  #start(tracer: Tracer, { run: { claim }, message }: Observed): RunSpan | undefined {
    const { docket, worker } = this.#options;
    return tracer.startRun(docket, message.task, message.trace, {
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

const REASONS: Readonly<Record<ParkedTask["reason"], string>> = {
  deliveries: "it was given to workers as often as allowed, and none of them came to its end",
  illegible: "what is stored of it cannot be read",
};

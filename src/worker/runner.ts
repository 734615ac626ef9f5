/**
 * Runs one execution: look up, open, call, close, decide. What it decides is data; the settler carries it out.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { type Clock, type Millis, sleep } from "../base/clock.ts";
import { toInstant, toMillis } from "../base/duration.ts";
import { CancelledError, LeaseLostError, messageOf, ShutdownError } from "../base/errors.ts";
import { encodeFailure } from "../base/failure.ts";
import { decodeArgs, decodeMessage, encodeEnding, type Message } from "../base/message.ts";
import type { Decision, Dependencies, Failure } from "../dependencies/dependency.ts";
import { Resources } from "../dependencies/resolve.ts";
import type { Docket } from "../docket/docket.ts";
import { type Internals, internalsOf } from "../docket/internals.ts";
import type { Definition } from "../docket/task.ts";
import type { Claim, Settlement } from "../storage/contract.ts";
import { RunContext } from "./context.ts";
import { Run, type Running } from "./run.ts";
import type { Settler } from "./settler.ts";
import type { Worker } from "./worker.ts";

/** How long an abandoned handler may still clean up before its slot is free again. */
const CLEAN_UP: Millis = 1_000;

/** An unknown task is tried again after this, then after twice as long, and so on (invariant 38). */
const UNKNOWN_DELAY: Millis = 1_000;
const MAX_UNKNOWN_DELAY: Millis = 60_000;

const log = getLogger(["docket", "worker"]);

/** How the handler ended. */
type Outcome =
  | { readonly kind: "returned"; readonly value: unknown }
  | { readonly kind: "threw"; readonly error: unknown };

/** Runs claims. */
export class Runner {
  readonly #docket: Docket;
  readonly #worker: Worker;
  readonly #internals: Internals;
  readonly #clock: Clock;
  readonly #running: Running;
  readonly #settler: Settler;
  readonly #unknown = new Map<string, { readonly delay: Millis; readonly until: Millis }>();

  constructor(docket: Docket, worker: Worker, running: Running, settler: Settler) {
    this.#docket = docket;
    this.#worker = worker;
    this.#internals = internalsOf(docket);
    this.#clock = this.#internals.clock;
    this.#running = running;
    this.#settler = settler;
  }

  /** Runs a claim, made at `claimedAt` or later, to its settlement; never throws. */
  async run(claim: Claim, claimedAt: Millis): Promise<void> {
    const run = new Run(claim, claimedAt);
    this.#running.add(run);
    let settlement: Settlement;
    try {
      settlement = await this.#perform(run);
    } catch (error) {
      // The net below everything, a policy of the user's that throws included (invariant 36).
      settlement = this.#failed(run, undefined, error);
    }
    if (run.over) return; // settled meanwhile: what it says now changes nothing
    run.over = true;
    this.#running.delete(run);
    this.#settler.settle(run, settlement);
  }

  /** Gives back a claim that will not be started here, nothing charged. */
  release(claim: Claim, delay?: Millis): void {
    const due = delay === undefined ? undefined : { after: delay };
    this.#settler.settle(new Run(claim, 0), { kind: "released", due });
  }

  /** Asks whatever runs to stop. */
  shutDown(): void {
    for (const run of this.#running) {
      run.abort(new ShutdownError("The worker is stopping and its grace period is over"));
    }
  }

  /** Gives back whatever still runs, nothing charged (invariant 75). */
  abandonAll(): void {
    for (const run of [...this.#running]) {
      run.over = true;
      this.#running.delete(run);
      this.#settler.settle(run, { kind: "released", due: undefined });
    }
  }

  async #perform(run: Run): Promise<Settlement> {
    let message: Message;
    try {
      message = decodeMessage(run.claim.body);
    } catch (error) {
      log.error("Parked {key}: {reason}", { key: run.claim.key, reason: messageOf(error) });
      return { kind: "dead", text: this.#ending(run, undefined, encodeFailure(error)) };
    }
    const definition = this.#internals.registry.get(message.task);
    if (!definition) return this.#hold(message.task);
    if (this.#unknown.size > 0) this.#unknown.delete(message.task);
    let outcome: Outcome;
    try {
      const args = decodeArgs(message, this.#internals.codec);
      outcome = definition.bare
        ? await this.#callBare(run, definition, args)
        : await this.#callWithin(run, definition, args);
    } catch (error) {
      return this.#failed(run, definition.name, error); // cannot be read: another attempt could not either (39)
    }
    return this.#decide(run, definition, outcome);
  }

  async #callBare(run: Run, definition: Definition, args: readonly unknown[]): Promise<Outcome> {
    try {
      const context = new RunContext(run, definition.name, this.#docket, this.#worker);
      return { kind: "returned", value: await definition.call(context, args) };
    } catch (error) {
      return { kind: "threw", error };
    }
  }

  /** Opens what the task declares, calls it, and closes in reverse, before anything is settled. */
  async #callWithin(run: Run, definition: Definition, args: readonly unknown[]): Promise<Outcome> {
    const resources = new Resources({
      clock: this.#clock,
      contextWith: (values) =>
        new RunContext(run, definition.name, this.#docket, this.#worker, values),
      abandon: (reason) => run.abandon(reason),
    });
    const handled = (async (): Promise<Outcome> => {
      try {
        const context = await resources.openAll(definition.dependencies);
        return { kind: "returned", value: await definition.call(context, args) };
      } catch (error) {
        return { kind: "threw", error };
      }
    })();
    const abandoned = run.abandoned().then(async (error): Promise<Outcome> => {
      await this.#letCleanUp(handled);
      return { kind: "threw", error };
    });
    const outcome = await Promise.race([handled, abandoned]);
    const final: Outcome = run.reason?.code === "TIMEOUT" ? await abandoned : outcome;
    const closed = this.#close(resources, run, final);
    // What never closes must not hold the slot either (invariant 46).
    const unclosed = abandoned.then(async (outcome) => {
      await this.#letCleanUp(closed);
      return outcome;
    });
    return await Promise.race([closed, unclosed]);
  }

  /** What closing throws fails the execution, unless it has failed already; never rejects. */
  async #close(resources: Resources, { claim }: Run, outcome: Outcome): Promise<Outcome> {
    const { key, attempt } = claim;
    try {
      await resources.close(
        outcome.kind === "threw" ? { error: outcome.error, attempt } : undefined,
      );
    } catch (error) {
      if (outcome.kind === "returned") return { kind: "threw", error };
      log.warn("After a failure of {key}: {reason}", { key, reason: messageOf(error) });
    }
    return outcome;
  }

  async #letCleanUp(handled: Promise<unknown>): Promise<void> {
    const done = new AbortController();
    await Promise.race([handled, sleep(this.#clock, CLEAN_UP, done.signal)]);
    done.abort();
  }

  #decide(run: Run, definition: Definition, outcome: Outcome): Settlement {
    const { name } = definition;
    if (outcome.kind === "returned") return this.#completed(run, name, outcome.value);
    const { error } = outcome;
    const { reason, claim } = run;
    if (reason instanceof CancelledError) {
      const text = this.#ending(run, name, "");
      const ttl = this.#internals.retention.cancelled;
      return { kind: "cancelled", reason: "cancelled", text, ttl };
    }
    if (reason instanceof ShutdownError || reason instanceof LeaseLostError) {
      return { kind: "released", due: undefined }; // fenced, if another has it already
    }
    const decision = this.#ask(definition, { error, attempt: claim.attempt });
    if (decision.kind === "fail") return this.#failed(run, name, error);
    log.warn("{task} {key} failed at attempt {attempt} and will be tried again: {reason}", {
      task: name,
      key: claim.key,
      attempt: claim.attempt,
      reason: messageOf(error),
      error,
    });
    return { kind: "retried", due: decision.due };
  }

  /** A policy that cannot decide fails its own task, with the task's own error, and nothing else (invariant 36). */
  #ask({ name, dependencies }: Definition, failure: Failure): Decision {
    try {
      return firstDecision(dependencies, failure);
    } catch (error) {
      log.error("A policy of {task} cannot decide about a failure: {reason}", {
        task: name,
        reason: messageOf(error),
        error,
      });
      return { kind: "fail" };
    }
  }

  #completed(run: Run, task: string, result: unknown): Settlement {
    const ttl = this.#internals.retention.completed;
    let value = "";
    if (result !== undefined) {
      try {
        value = this.#internals.codec.encode(result, "result");
      } catch (error) {
        return this.#failed(run, task, error); // its work is done: trying again would do it twice
      }
    }
    return { kind: "completed", text: this.#ending(run, task, value), ttl };
  }

  #failed(run: Run, task: string | undefined, error: unknown): Settlement {
    log.error("{task} {key} failed at attempt {attempt}: {reason}", {
      task: task ?? "unknown",
      key: run.claim.key,
      attempt: run.claim.attempt,
      reason: messageOf(error),
      error,
    });
    const text = this.#ending(run, task, encodeFailure(error));
    return { kind: "failed", text, ttl: this.#internals.retention.failed };
  }

  /** Another worker may know it, or a later version of this one: it waits, and is charged nothing. */
  #hold(task: string): Settlement {
    const now = this.#clock.monotonic();
    const held = this.#unknown.get(task);
    if (!held) {
      log.warn("Unknown task {task}: holding its executions until a worker knows it", { task });
    }
    // The delay grows with each round, not with each execution of a burst.
    if (held && now < held.until) return { kind: "released", due: { after: held.delay } };
    const delay = held ? Math.min(held.delay * 2, MAX_UNKNOWN_DELAY) : UNKNOWN_DELAY;
    this.#unknown.set(task, { delay, until: now + delay });
    return { kind: "released", due: { after: delay } };
  }

  #ending({ claim }: Run, task: string | undefined, value: string): string {
    const { attempt, startedAt } = claim;
    return encodeEnding({ attempt, startedAt, worker: this.#worker.name, task, value });
  }
}

function firstDecision(dependencies: Dependencies, failure: Failure): Decision {
  for (const dependency of Object.values(dependencies)) {
    const decision = dependency.decide?.(failure);
    if (decision) return validated(decision);
  }
  return { kind: "fail" };
}

/** A time that is none would spoil the step that carries it, and with it what other tasks have to settle. */
function validated(decision: Decision): Decision {
  if (decision.kind === "fail") return decision;
  const { kind, due } = decision;
  if (kind !== "retry") throw new TypeError(`Cannot carry out a decision of kind ${String(kind)}`);
  if (due === undefined) return decision;
  return {
    kind,
    due: "at" in due
      ? { at: toInstant("at", due.at) }
      : { after: Math.ceil(toMillis("after", due.after)) },
  };
}

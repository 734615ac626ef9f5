/**
 * Runs one execution: look up, open, call, close, decide. What it decides is data; the settler carries it out.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { type Clock, type Millis, sleep } from "../base/clock.ts";
import { CancelledError, LeaseLostError, messageOf, ShutdownError } from "../base/errors.ts";
import { decodeArgs, decodeMessage, type Message, newerVersionOf } from "../base/message.ts";
import type { Decision, Dependencies, Failure, TaskContext } from "../dependencies/dependency.ts";
import type { Pool } from "../dependencies/pool.ts";
import { type Replacement, Resources } from "../dependencies/resolve.ts";
import type { Execution } from "../docket/execution.ts";
import { type Internals, internalsOf } from "../docket/internals.ts";
import type { Definition } from "../docket/task.ts";
import type { Claim, Settlement } from "../storage/contract.ts";
import { Around } from "./around.ts";
import type { Bounds } from "./bounds.ts";
import { type Case, Clerk } from "./clerk.ts";
import { RunContext, type Surroundings } from "./context.ts";
import { decisionOf } from "./decision.ts";
import type { Doorkeeper } from "./doorkeeper.ts";
import { tellDeaf, tellRetry } from "./lines.ts";
import type { Lookout } from "./lookout.ts";
import type { Observer } from "./observer.ts";
import { Run, type Running } from "./run.ts";
import type { Settler } from "./settler.ts";
import { UnknownTasks } from "./unknown_tasks.ts";

/** How long an abandoned handler may still clean up before its slot is free again. */
const CLEAN_UP: Millis = 1_000;

/** What a worker may not run any more is left alone for so long. */
const TURNED_AWAY: Millis = 1_000;

const log = getLogger(["docket", "worker"]);

/** How the handler ended. */
type Outcome =
  | { readonly kind: "returned"; readonly value: unknown }
  | { readonly kind: "threw"; readonly error: unknown };

/** What a {@linkcode Runner} needs. */
export interface RunnerOptions extends Surroundings {
  readonly observer: Observer;
  readonly running: Running;
  readonly settler: Settler;
  readonly bounds: Bounds;
  /** What is still unknown after so long is dead, in milliseconds. */
  readonly unknownTaskTtl: Millis;
  readonly doorkeeper: Doorkeeper;
  /** Hears of handlers that keep the event loop. */
  readonly lookout: Lookout;
  /** Around every task. */
  readonly dependencies: Dependencies;
  /** What stands in for dependencies. */
  readonly replace: readonly Replacement[];
  /** What the worker's executions share. */
  readonly pool: Pool;
  /** Takes tasks that are not registered. */
  readonly fallback?: (execution: Execution) => unknown;
  /** Hears of everything that tasks throw. */
  readonly onError?: (error: unknown, execution: Execution) => unknown;
}

/** Runs claims. */
export class Runner {
  readonly #options: RunnerOptions;
  readonly #internals: Internals;
  readonly #clock: Clock;
  readonly #running: Running;
  readonly #settler: Settler;
  readonly #clerk: Clerk;
  readonly #unknown: UnknownTasks;
  readonly #around: Around;

  constructor(options: RunnerOptions) {
    const { docket, worker, observer, running, settler, bounds } = options;
    this.#options = options;
    this.#internals = internalsOf(docket);
    this.#clock = this.#internals.clock;
    this.#running = running;
    this.#settler = settler;
    this.#clerk = new Clerk({
      internals: this.#internals,
      worker: worker.name,
      bounds,
      observer,
      refused: (what, error) => this.#tell(what, error),
    });
    this.#unknown = new UnknownTasks(this.#clock);
    this.#around = new Around(options.dependencies);
  }

  /** Runs a claim, made at `claimedAt` or later, to its settlement; never throws. */
  async run(claim: Claim, claimedAt: Millis): Promise<void> {
    const run = new Run(claim, claimedAt);
    this.#running.add(run);
    let settlement: Settlement | undefined;
    try {
      settlement = await this.#perform(run);
    } catch (error) {
      // The net below everything, a policy of the user's that throws included (invariant 36).
      run.observation?.threw(error);
      settlement = this.#clerk.failed({ run }, error);
    }
    if (settlement === undefined) return this.#forget(run);
    if (run.progress && !run.over) await this.#options.reporter.finish(run); // seen before the end is
    if (run.over) return; // settled meanwhile: what it says now changes nothing
    run.over = true;
    run.observation?.end(settlement);
    if (settlement.kind !== "retried" && settlement.kind !== "released") {
      this.#options.bounds.count(claim.key);
    }
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
      const settlement: Settlement = { kind: "released", due: undefined };
      run.over = true;
      run.observation?.end(settlement);
      this.#running.delete(run);
      this.#settler.settle(run, settlement);
    }
  }

  /** `undefined`: it was turned away at a gate, and is not this worker's any more. */
  async #perform(run: Run): Promise<Settlement | undefined> {
    let message: Message;
    try {
      message = decodeMessage(run.claim.body);
    } catch (error) {
      return this.#holdNewer(run) ?? this.#clerk.unreadable(run, error);
    }
    const known = this.#internals.registry.get(message.task) ?? this.#fallback(message.task);
    if (!known) return this.#hold({ run, message });
    const definition = this.#around.of(known);
    this.#unknown.forget(message.task);
    const what: Known = { run, message, definition, args: [], began: false };
    if (this.#options.bounds.isReached(run.claim.key)) return this.#turnAway(what);
    try {
      what.args = decodeArgs(message, this.#internals.codec);
    } catch (error) {
      this.#tell(what, error);
      return this.#clerk.illegible(what, error); // another attempt could not read them either (39)
    }
    if (this.#isStruck(what)) {
      this.#options.doorkeeper.turnAway(run, definition, what.args);
      return this.#clerk.struck(what);
    }
    try {
      if (definition.gates.length > 0 && !await this.#admit(what)) return undefined;
    } catch (error) {
      this.#tell(what, error);
      return this.#clerk.failed(what, error); // its gate cannot be told: the run ends, its chain goes on (invariant 47)
    }
    const { observer } = this.#options;
    const begins = !run.over && !run.reason; // or it ends here: its gates have not answered in time
    if (!observer.on || !begins) return await this.#begin(what);
    run.observation = observer.begin(what);
    return await run.observation.within(() => this.#begin(what));
  }

  #begin(what: Known): Promise<Settlement> {
    return what.definition.bare ? this.#runBare(what) : this.#runWithin(what);
  }

  /** Whether its gates let it pass (invariant 59). */
  async #admit({ run, definition, args, message }: Known): Promise<boolean> {
    const ttl = this.#clerk.ttlOf({ run, message }, "cancelled");
    return await this.#options.doorkeeper.admit(run, definition, args, ttl);
  }

  /** It waits for its turn, or was dropped: the storage has seen to that. */
  #forget(run: Run): void {
    if (run.over) return;
    run.over = true;
    this.#running.delete(run);
    this.#settler.forget();
  }

  /** Parameter names are known here, so all strikes count (invariant 57). */
  #isStruck({ definition, args }: Known): boolean {
    const { strikes } = this.#internals.book;
    if (strikes.empty) return false;
    return strikes.find(definition.name, definition.parameters, args) !== undefined;
  }

  /** Whatever is not registered goes to the fallback, if there is one. */
  #fallback(name: string): Definition | undefined {
    const { fallback } = this.#options;
    if (!fallback) return undefined;
    return {
      name,
      dependencies: {},
      bare: true,
      forecast: () => undefined,
      seed: () => undefined,
      gates: [],
      deciders: [],
      chain: [],
      parameters: [],
      loggable: () => undefined,
      call: ({ execution }) => fallback(execution),
      source: fallback,
    };
  }

  /** Here it has run as often as it may. An automatic chain is left to others, who may go on with it. */
  #turnAway(what: Known): Settlement {
    if (!what.definition.seed()) return this.#clerk.cancelled(what);
    return { kind: "released", due: { after: TURNED_AWAY }, held: true };
  }

  /** Another worker may know it, or a later version of this one: it waits, and is charged nothing. */
  #hold(what: { readonly run: Run; readonly message: Message }): Settlement {
    if (this.#isHeldTooLong(what.run)) return this.#clerk.unknown(what);
    const after = this.#unknown.delay(what.message.task);
    return { kind: "released", due: { after }, held: true };
  }

  /** What a newer version wrote waits for one of its workers like a task that is unknown (F40); else `undefined`. */
  #holdNewer(run: Run): Settlement | undefined {
    const version = newerVersionOf(run.claim.body);
    if (version === undefined || this.#isHeldTooLong(run)) return undefined;
    const after = this.#unknown.delayOfNewer(version);
    return { kind: "released", due: { after }, held: true };
  }

  #isHeldTooLong({ claim: { startedAt, heldSince = startedAt } }: Run): boolean {
    return startedAt - heldSince >= this.#options.unknownTaskTtl;
  }

  async #runBare(what: Known): Promise<Settlement> {
    const { run, definition, args } = what;
    what.began = true;
    let outcome: Outcome;
    try {
      const context = new RunContext(run, definition, args, this.#options);
      const value = definition.gates.length > 0
        ? this.#callLater(what, context)
        : definition.call(context, args);
      outcome = { kind: "returned", value: await value };
    } catch (error) {
      outcome = { kind: "threw", error };
    }
    return this.#decide(what, outcome);
  }

  /** Calls the handler when the start of its claim is over, which measures how long it keeps the event loop at first. */
  #callLater({ run, definition, args }: Known, context: TaskContext): unknown {
    const { lookout } = this.#options;
    const calledAt = this.#clock.monotonic();
    try {
      return definition.call(context, args);
    } finally {
      const span = this.#clock.monotonic() - calledAt;
      if (span >= lookout.longest) lookout.kept(run.claim, span);
    }
  }

  /** Opens what the task declares, calls it, and closes in reverse, before anything is settled. */
  async #runWithin(what: Known): Promise<Settlement> {
    const { run, definition, args } = what;
    const resources = new Resources({
      clock: this.#clock,
      contextWith: (values) => new RunContext(run, definition, args, this.#options, values),
      abandon: (reason) => run.abandon(reason),
      pool: this.#options.pool,
      replacements: this.#options.replace,
    });
    what.resources = resources;
    const handled = (async (): Promise<Outcome> => {
      try {
        const context = await resources.openAll(definition.dependencies);
        // Cancelled, given back or lost while they were opened: another may run it by now (invariants 28, 32).
        if (run.over || run.reason) throw run.reason ?? new LeaseLostError("It was given back");
        what.began = true;
        return { kind: "returned", value: await this.#callLater(what, context) };
      } catch (error) {
        return { kind: "threw", error };
      }
    })();
    const abandoned = run.abandoned().then(async (error): Promise<Outcome> => {
      if (!await this.#letCleanUp(handled)) tellDeaf(what, error);
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
    return this.#decide(what, await Promise.race([closed, unclosed]));
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

  /** Whether it has come to its end in time. */
  async #letCleanUp(handled: Promise<unknown>): Promise<boolean> {
    const done = new AbortController();
    const ended = handled.then(() => true);
    const late = sleep(this.#clock, CLEAN_UP, done.signal).then(() => false);
    const inTime = await Promise.race([ended, late]);
    done.abort();
    return inTime;
  }

  #decide(what: Known, outcome: Outcome): Settlement {
    if (outcome.kind === "returned") {
      return this.#clerk.completed(what, outcome.value);
    }
    const { error } = outcome;
    const { run, definition } = what;
    const { reason, claim } = run;
    if (reason instanceof CancelledError) return this.#clerk.cancelled(what);
    if (reason instanceof ShutdownError || reason instanceof LeaseLostError) {
      // Fenced, if another has it already. The time is for the case that it is cancelled meanwhile.
      return { kind: "released", due: undefined, ttl: this.#clerk.ttlOf(what, "cancelled") };
    }
    this.#tell(what, error);
    const decision = this.#ask(definition, { error, attempt: claim.attempt });
    if (decision.kind === "fail") return this.#clerk.failed(what, error);
    tellRetry(what, error);
    return { kind: "retried", due: decision.due, ttl: this.#clerk.ttlOf(what, "cancelled") };
  }

  /** Whoever wants to hear of failures; what they throw is theirs. */
  #tell({ run, message, definition }: Case, error: unknown): void {
    if (run.observation) run.observation.threw(error);
    else this.#options.observer.count("docket_tasks_failed", message?.task); // it did not begin
    const { onError } = this.#options;
    if (!onError || !definition) return;
    const complain = (thrown: unknown) => {
      log.error("onError failed: {reason}", { reason: messageOf(thrown), error: thrown });
    };
    try {
      const told: unknown = onError(
        error,
        new RunContext(run, definition, [], this.#options).execution,
      );
      if (told instanceof Promise) told.catch(complain);
    } catch (thrown) {
      complain(thrown);
    }
  }

  /** A policy that cannot decide fails its own task, with the task's own error, and nothing else (invariant 36). */
  #ask({ name, deciders }: Definition, failure: Failure): Decision {
    try {
      return decisionOf(deciders, failure);
    } catch (error) {
      log.error("A policy of {task} cannot decide about a failure: {reason}", {
        task: name,
        reason: messageOf(error),
        error,
      });
      return { kind: "fail" };
    }
  }
}

/** A run whose task is known. */
interface Known extends Case {
  readonly message: Message;
  readonly definition: Definition;
  args: readonly unknown[];
}

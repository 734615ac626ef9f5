/**
 * The worker: claims tasks and runs them.
 *
 * @module
 */

import { hostname } from "node:os";
import { pid } from "node:process";
import { getLogger } from "@logtape/logtape";
import { whenAborted } from "../base/abort.ts";
import { type Millis, sleep } from "../base/clock.ts";
import { type DurationLike, toMillis } from "../base/duration.ts";
import { messageOf } from "../base/errors.ts";
import { randomId } from "../base/ids.ts";
import { type OptionNames, refuseUnknownOptions } from "../base/options.ts";
import type { Docket } from "../docket/docket.ts";
import { type Internals, internalsOf } from "../docket/internals.ts";
import type { Execution } from "../docket/execution.ts";
import { Bounds } from "./bounds.ts";
import type { Target } from "../storage/contract.ts";
import { Fetcher } from "./fetcher.ts";
import { Heartbeat } from "./heartbeat.ts";
import { Reclaimer } from "./reclaimer.ts";
import { Renewer } from "./renewer.ts";
import { Reporter } from "./reporter.ts";
import { Running } from "./run.ts";
import { Runner } from "./runner.ts";
import { Scheduler } from "./scheduler.ts";
import { Seeder } from "./seeder.ts";
import { Settler } from "./settler.ts";
import { Sweeper } from "./sweeper.ts";

/** Options of a {@linkcode Worker}. */
export interface WorkerOptions {
  /**
   * A label for people; several workers may share one.
   *
   * @default host and process id, such as "web-1#4711"
   */
  readonly name?: string;
  /**
   * How many tasks run at once.
   *
   * @default 10
   */
  readonly concurrency?: number;
  /**
   * The lease: how long after a worker's death its tasks are given to others. It is renewed while a task runs, so it need
   * not exceed the longest task. Give all workers of a docket the same: each judges the leases of the others by its own.
   *
   * @default 30 seconds
   */
  readonly redeliveryTimeout?: DurationLike;
  /**
   * The longest pause before a call that failed is tried again; pauses grow up to it, with jitter.
   *
   * @default 5 seconds
   */
  readonly reconnectionDelay?: DurationLike;
  /**
   * How long one blocking read lasts at most.
   *
   * @default 1 second
   */
  readonly minimumCheckInterval?: DurationLike;
  /**
   * Tasks that are due within this of each other are queued together.
   *
   * @default 2 milliseconds
   */
  readonly schedulingResolution?: DurationLike;
  /**
   * A task that was handed out so often without ever being settled is parked as dead.
   *
   * @default 5
   */
  readonly maxDeliveries?: number;
  /**
   * How long running tasks may go on when the worker stops. Then their signals abort, and what is not finished is given
   * back, nothing charged.
   *
   * @default 25 seconds
   */
  readonly gracePeriod?: DurationLike;
  /**
   * Whether this worker keeps automatic tasks going: see `Perpetual`.
   *
   * @default true
   */
  readonly scheduleAutomaticTasks?: boolean;
  /**
   * Executions of tasks that no worker knows wait for one that does, and are dead after this.
   *
   * @default 24 hours
   */
  readonly unknownTaskTtl?: DurationLike;
  /** Runs executions of tasks that are not registered here, instead of leaving them to others. */
  readonly fallback?: (execution: Execution) => unknown;
  /**
   * Called with whatever makes a task fail, whether or not it will be tried again. It is not waited for, and what it
   * throws itself is only logged.
   */
  readonly onError?: (error: unknown, execution: Execution) => unknown;
}

/** Options of {@linkcode Worker.runForever} and {@linkcode Worker.runUntilFinished}. */
export interface RunOptions {
  /** Drains the worker: running tasks finish, nothing new is claimed, and the promise resolves. */
  readonly signal?: AbortSignal;
}

const OPTIONS: OptionNames<WorkerOptions> = {
  name: true,
  concurrency: true,
  redeliveryTimeout: true,
  reconnectionDelay: true,
  minimumCheckInterval: true,
  schedulingResolution: true,
  maxDeliveries: true,
  gracePeriod: true,
  scheduleAutomaticTasks: true,
  unknownTaskTtl: true,
  fallback: true,
  onError: true,
};

/** When running tasks were asked to stop, they have this long to do so before they are given back. */
const CLEAN_UP: Millis = 1_000;

/** With the storage away, stopping does not wait longer than this for what is still to be settled. */
const LAST_CALL: Millis = 5_000;

const log = getLogger(["docket", "worker"]);

/**
 * Runs the tasks of a docket, any number of workers side by side. No task is lost when one dies: its tasks are given to
 * others once its lease is over, and what the dead one might still write counts for nothing.
 *
 * @example
 * ```ts
 * import { equal } from "node:assert/strict";
 * import { Docket, Worker } from "@docket/docket";
 *
 * function add(a: number, b: number): number {
 *   return a + b;
 * }
 *
 * await using docket = await Docket.connect({ url: "memory://worker-example" });
 * const execution = await docket.add(add)(2, 3);
 *
 * await using worker = new Worker(docket, { concurrency: 50 });
 * await worker.runUntilFinished();
 * equal(await execution.result(), 5);
 * ```
 */
export class Worker implements AsyncDisposable {
  /** A label for people. */
  readonly name: string;
  readonly #docket: Docket;
  readonly #internals: Internals;
  readonly #concurrency: number;
  readonly #lease: Millis;
  readonly #reconnectionDelay: Millis;
  readonly #minimumCheckInterval: Millis;
  readonly #schedulingResolution: Millis;
  readonly #maxDeliveries: number;
  readonly #gracePeriod: Millis;
  readonly #unknownTaskTtl: Millis;
  readonly #scheduleAutomaticTasks: boolean;
  readonly #options: WorkerOptions;
  readonly #close = new AbortController();
  #work?: Promise<void>;

  /**
   * Prepares a worker; it claims nothing until it is told to run. The docket closes it with itself.
   *
   * @throws {RangeError} When an option is out of range.
   * @throws {TypeError} When an option is of the wrong kind.
   */
  constructor(docket: Docket, options: WorkerOptions = {}) {
    refuseUnknownOptions("a Worker", options, OPTIONS);
    this.#docket = docket;
    this.#internals = internalsOf(docket);
    this.name = validateName(options.name ?? defaultName());
    this.#concurrency = wholeNumber("concurrency", options.concurrency ?? 10);
    this.#maxDeliveries = wholeNumber("maxDeliveries", options.maxDeliveries ?? 5);
    this.#lease = atLeast("redeliveryTimeout", options.redeliveryTimeout ?? 30_000, 10);
    this.#reconnectionDelay = atLeast("reconnectionDelay", options.reconnectionDelay ?? 5_000, 1);
    this.#minimumCheckInterval = atLeast(
      "minimumCheckInterval",
      options.minimumCheckInterval ?? 1_000,
      1,
    );
    this.#schedulingResolution = toMillis(
      "schedulingResolution",
      options.schedulingResolution ?? 2,
    );
    this.#gracePeriod = toMillis("gracePeriod", options.gracePeriod ?? 25_000);
    this.#unknownTaskTtl = toMillis("unknownTaskTtl", options.unknownTaskTtl ?? { hours: 24 });
    this.#scheduleAutomaticTasks = options.scheduleAutomaticTasks ?? true;
    for (const hook of ["fallback", "onError"] as const) {
      if (options[hook] === undefined || typeof options[hook] === "function") continue;
      throw new TypeError(`Cannot use this for "${hook}": it must be a function`);
    }
    this.#options = options;
    this.#internals.workers.add(this);
  }

  /**
   * Runs tasks until the signal aborts or the worker is closed. Then it drains, and resolves.
   *
   * @throws {TypeError} When this worker runs already, or was closed.
   */
  runForever({ signal }: RunOptions = {}): Promise<void> {
    return this.#start(signal, new Bounds(), () => new Promise(() => {}));
  }

  /**
   * Runs tasks until the docket, and not just this worker, has nothing left to run, however far away that is. Not waited
   * for are the next runs of perpetual tasks once they are scheduled, tasks that no worker knows, and the dead.
   *
   * @throws {TypeError} When this worker runs already, or was closed.
   */
  runUntilFinished({ signal }: RunOptions = {}): Promise<void> {
    return this.runAtMost({}, { signal });
  }

  /**
   * Runs tasks until nothing is left, as {@linkcode Worker.runUntilFinished}, and each of some keys so many times: for
   * perpetual tasks in tests and scripts. Runs are counted by this worker; with its last one a key's chain ends, and
   * whatever else would run under it here is cancelled.
   *
   * @throws {RangeError} When a number is not a whole one from 1.
   * @throws {TypeError} When this worker runs already, or was closed.
   *
   * @example
   * ```ts
   * import { equal } from "node:assert/strict";
   * import { Docket, Perpetual, task, Worker } from "@docket/docket";
   *
   * let ticks = 0;
   * const tick = task("tick", { perpetual: new Perpetual({ every: "5ms", automatic: true }) }, (): void => {
   *   ticks++;
   * });
   *
   * await using docket = await Docket.connect({ url: "memory://run-at-most-example", tasks: [tick] });
   * await using worker = new Worker(docket);
   * await worker.runAtMost({ tick: 3 });
   * equal(ticks, 3);
   * ```
   */
  async runAtMost(
    runs: Readonly<Record<string, number>>,
    { signal }: RunOptions = {},
  ): Promise<void> {
    const bounds = new Bounds(runs);
    await this.#start(signal, bounds, (parts, stop) => this.#finished(parts, bounds, stop));
  }

  /** Stops: running tasks have the grace period to finish. Returns always, whatever the storage does. */
  async close(): Promise<void> {
    this.#close.abort();
    try {
      await this.#work;
    } catch {
      // Whoever started it hears of it.
    } finally {
      this.#internals.workers.delete(this); // not before: the docket waits for those it knows
    }
  }

  /** {@linkcode Worker.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #start(
    signal: AbortSignal | undefined,
    bounds: Bounds,
    finished: (parts: Parts, stop: AbortSignal) => Promise<void>,
  ): Promise<void> {
    if (this.#close.signal.aborted) {
      return Promise.reject(new TypeError("Cannot run a worker that was closed: make another"));
    }
    const { closed } = this.#internals;
    if (closed.aborted) return Promise.reject(closed.reason);
    if (this.#work) {
      return Promise.reject(new TypeError("Cannot run a worker that runs already: make another"));
    }
    return this.#work = this.#run(signal, bounds, finished).finally(() => this.#work = undefined);
  }

  async #run(
    signal: AbortSignal | undefined,
    bounds: Bounds,
    finished: (parts: Parts, stop: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const stop = new AbortController(); // nothing new is claimed
    const end = new AbortController(); // every call is over
    const halt = () => stop.abort();
    if (signal?.aborted || this.#close.signal.aborted) halt();
    signal?.addEventListener("abort", halt);
    this.#close.signal.addEventListener("abort", halt);
    const parts = this.#assemble(bounds, end.signal);
    const { reclaiming, actors } = this.#startActors(parts, stop.signal, end.signal);
    try {
      await Promise.race([finished(parts, stop.signal), whenAborted(stop.signal)]);
    } finally {
      halt();
      await this.#drain(parts, reclaiming);
      end.abort();
      await Promise.all([reclaiming, ...actors]);
      signal?.removeEventListener("abort", halt);
      this.#close.signal.removeEventListener("abort", halt);
    }
  }

  #assemble(bounds: Bounds, end: AbortSignal): Parts {
    const { storage, clock, book, registry, liveness } = this.#internals;
    const consumer = `${this.name}~${randomId()}`; // the name is a label, this an identity (invariant 76)
    const running = new Running(this.#concurrency);
    const settler = new Settler(() => fetcher.poke());
    const { fallback, onError } = this.#options;
    const runner = new Runner({
      docket: this.#docket,
      worker: this,
      reporter: new Reporter({ storage, clock, end }),
      running,
      settler,
      bounds,
      unknownTaskTtl: this.#unknownTaskTtl,
      fallback,
      onError,
    });
    const shared = { storage, clock, consumer, running };
    const lease = this.#lease;
    const maxDeliveries = this.#maxDeliveries;
    const reconnectionDelay = this.#reconnectionDelay;
    const fetcher: Fetcher = new Fetcher({
      ...shared,
      concurrency: this.#concurrency,
      maxDeliveries,
      minimumCheckInterval: this.#minimumCheckInterval,
      reconnectionDelay,
      book,
      lease,
      start: (claim, claimedAt) => void runner.run(claim, claimedAt),
      release: (claim, delay) => runner.release(claim, delay),
      end,
    }, settler);
    return {
      consumer,
      running,
      runner,
      fetcher,
      renewer: new Renewer({ ...shared, lease }),
      reclaimer: new Reclaimer({
        storage,
        clock,
        consumer,
        lease,
        maxDeliveries,
        room: fetcher,
        end,
      }),
      scheduler: new Scheduler({
        storage,
        clock,
        resolution: this.#schedulingResolution,
        reconnectionDelay,
      }),
      sweeper: new Sweeper({ storage, clock, lease, silence: liveness.silence }),
      heartbeat: new Heartbeat({
        storage,
        clock,
        consumer,
        concurrency: this.#concurrency,
        registry,
        liveness,
        fetcher,
      }),
      seeder: this.#scheduleAutomaticTasks
        ? new Seeder({ internals: this.#internals, bounds })
        : undefined,
    };
  }

  #startActors(
    { fetcher, scheduler, renewer, reclaimer, sweeper, heartbeat, seeder }: Parts,
    stop: AbortSignal,
    end: AbortSignal,
  ): { readonly reclaiming: Promise<void>; readonly actors: readonly Promise<void>[] } {
    const listening = this.#internals.storage.listen((notice) => {
      if (notice.kind === "due") scheduler.hear(notice.in);
      else renewer.cancel(notice.key, notice.generation);
    }, { signal: end }).then(() => {
      scheduler.hear(0); // what was scheduled between its first look and now was not heard
    }).catch((error) => {
      // Hints only: polls and renewals find the same, later.
      if (!end.aborted) log.warn("Cannot listen for hints: {reason}", { reason: messageOf(error) });
    });
    fetcher.poke();
    return {
      reclaiming: reclaimer.run(stop),
      actors: [
        listening,
        scheduler.run(stop),
        renewer.run(end),
        sweeper.run(stop),
        heartbeat.run(stop),
        ...seeder ? [seeder.run(stop)] : [],
      ],
    };
  }

  /** Resolves when nothing is left, here or elsewhere. */
  async #finished(
    { running, fetcher, seeder }: Parts,
    bounds: Bounds,
    stop: AbortSignal,
  ): Promise<void> {
    const { clock } = this.#internals;
    const stopped = whenAborted(stop);
    await Promise.race([seeder?.started, stopped]); // what is automatic is there from the start
    let pause = 1;
    while (!stop.aborted) {
      await Promise.race([running.empty(), stopped]);
      if (fetcher.quiet && running.size === 0) {
        try {
          if (await this.#isDone(bounds, stop)) return;
        } catch (error) {
          if (stop.aborted) return;
          log.warn("Cannot tell whether all is done: {reason}", { reason: messageOf(error) });
        }
        pause = Math.min(pause * 2, 500); // others may run the rest, or it is due later (invariant 77)
      } else {
        pause = 1;
      }
      await sleep(clock, pause, stop);
    }
  }

  async #isDone(bounds: Bounds, signal: AbortSignal): Promise<boolean> {
    const { storage } = this.#internals;
    const { open, reached } = bounds;
    if (reached.length > 0) await this.#cancelRest(reached, signal);
    if (await storage.remaining({ signal }) > 0) return false;
    if (open.length === 0) return true;
    const found = await storage.load(open, { signal });
    return found.every(({ live }) => live === undefined); // the next run of these is waited for
  }

  /** What was scheduled under keys that have run as often as they may would be waited for, and not run. */
  async #cancelRest(keys: readonly string[], signal: AbortSignal): Promise<void> {
    const { storage } = this.#internals;
    const targets: Target[] = [];
    for (const { live } of await storage.load(keys, { signal })) {
      // An automatic chain was not stopped by anybody: another worker may go on with it.
      if (!live || live.state === "running" || live.background) continue;
      targets.push({ key: live.key, generation: live.generation });
    }
    if (targets.length > 0) await storage.cancel(targets, { signal });
  }

  async #drain(
    { consumer, running, runner, fetcher }: Parts,
    reclaiming: Promise<void>,
  ): Promise<void> {
    fetcher.drain();
    await this.#atMost(this.#gracePeriod, running.empty());
    if (running.size > 0) {
      runner.shutDown();
      await this.#atMost(CLEAN_UP, running.empty());
      runner.abandonAll();
    }
    const patience = new AbortController();
    await this.#atMost(
      LAST_CALL,
      this.#signOff(consumer, fetcher, reclaiming, patience.signal),
    );
    patience.abort();
  }

  async #signOff(
    consumer: string,
    fetcher: Fetcher,
    reclaiming: Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      await reclaiming;
      await fetcher.whenQuiet();
      // While it still holds something, it is not forgotten: that would be left to its lease.
      while (!await this.#internals.storage.retire(consumer, { signal })) {
        fetcher.giveBackOwn();
        await fetcher.whenQuiet();
      }
    } catch (error) {
      log.warn("Cannot sign off: {reason}", { reason: messageOf(error) });
    }
  }

  async #atMost(span: Millis, work: Promise<unknown>): Promise<void> {
    const done = new AbortController();
    await Promise.race([work, sleep(this.#internals.clock, span, done.signal)]);
    done.abort();
  }
}

/** What a running worker consists of. */
interface Parts {
  readonly consumer: string;
  readonly running: Running;
  readonly runner: Runner;
  readonly fetcher: Fetcher;
  readonly scheduler: Scheduler;
  readonly renewer: Renewer;
  readonly reclaimer: Reclaimer;
  readonly sweeper: Sweeper;
  readonly heartbeat: Heartbeat;
  readonly seeder?: Seeder;
}

function defaultName(): string {
  try {
    return `${hostname()}#${pid}`;
  } catch {
    return `worker#${pid}`; // without the permission to ask for the host's name
  }
}

function validateName(name: string): string {
  // deno-lint-ignore no-control-regex -- a name is shown in terminals and stored between bars
  if (typeof name === "string" && /^[^\x00-\x1f\x7f|~]{1,128}$/.test(name)) return name;
  throw new TypeError(
    `Cannot use ${
      JSON.stringify(name)
    } as a worker's name: give 1 to 128 characters without "|", "~" and controls`,
  );
}

function wholeNumber(option: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new RangeError(`Cannot use ${value} for "${option}": it must be a whole number from 1`);
}

function atLeast(option: string, value: DurationLike, least: Millis): Millis {
  const millis = toMillis(option, value);
  if (millis >= least) return millis;
  throw new RangeError(`Cannot use ${millis} ms for "${option}": it must be at least ${least} ms`);
}

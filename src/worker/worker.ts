/**
 * The worker: claims tasks and runs them.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { onAbort, whenAborted } from "../base/abort.ts";
import { type Millis, sleep } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { Pool } from "../dependencies/pool.ts";
import type { Docket } from "../docket/docket.ts";
import { type Internals, internalsOf } from "../docket/internals.ts";
import { Bounds } from "./bounds.ts";
import type { Fetcher } from "./fetcher.ts";
import { Finisher } from "./finisher.ts";
import {
  type CloseOptions,
  type ProgramOptions,
  type RunOptions,
  type Settings,
  toGracePeriod,
  toSettings,
  type WorkerHealth,
  type WorkerOptions,
} from "./options.ts";
import { reopeningOf } from "./lease_keeper.ts";
import { assemble, type Parts } from "./parts.ts";
import { Shutdown } from "./shutdown.ts";
import { warn } from "./warning.ts";

/** When running tasks were asked to stop, they have this long to do so before they are given back. */
const CLEAN_UP: Millis = 1_000;

/** Stopping does not wait longer than this for what is still to be settled. */
const LAST_CALL: Millis = 5_000;

/** With the storage away, it does not wait longer than this once the grace period is over. */
const SILENCE: Millis = 800;

/** A storage that takes longer to tell the time counts as away. */
const PROBE: Millis = 2_000;

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
  readonly #settings: Settings;
  readonly #close = new AbortController();
  /** Aborts when the grace period ends early. */
  readonly #hurry = new AbortController();
  readonly #pool: Pool;
  #work?: Promise<void>;
  /** Of the run under way: what it claims with, and what ends that. */
  #claiming?: { readonly fetcher: Fetcher; readonly stop: AbortSignal };
  #probe?: Promise<boolean>;

  /**
   * Prepares a worker; it claims nothing until it is told to run. The docket closes it with itself.
   *
   * @throws {RangeError} When an option is out of range.
   * @throws {TypeError} When an option is of the wrong kind, or `leaseThread` cannot be with this docket's storage.
   */
  constructor(docket: Docket, options: WorkerOptions = {}) {
    this.#settings = toSettings(options);
    this.name = this.#settings.name;
    this.#docket = docket;
    this.#internals = internalsOf(docket);
    if (this.#settings.leaseThread) reopeningOf(this.#internals); // refused here, not when it runs
    this.#internals.workers.add(this);
    const logger = getLogger(["docket", "task"]).with({ docket: docket.name, worker: this.name });
    this.#pool = new Pool((signal) => ({ signal, log: logger }), this.#settings.replace);
  }

  /**
   * Runs a worker as what a program is there for: until SIGTERM or SIGINT, which drain it, or until nothing is left with
   * `untilFinished`. A second signal ends the process with code 130. Nothing else here listens to signals.
   *
   * @throws What the constructor throws.
   *
   * @example
   * ```ts
   * import { Docket, Worker } from "@docket/docket";
   *
   * function greet(name: string): void {
   *   console.log(`Hello, ${name}!`);
   * }
   *
   * await using docket = await Docket.connect({ url: "memory://program", tasks: [greet] });
   * await docket.add(greet)("Jane");
   * await Worker.run(docket, { concurrency: 50, untilFinished: true });
   * ```
   */
  static async run(docket: Docket, options: ProgramOptions = {}): Promise<void> {
    const { untilFinished = false, onStart, ...rest } = options;
    using shutdown = new Shutdown();
    await using worker = new Worker(docket, rest);
    onStart?.(worker);
    const { signal } = shutdown;
    await (untilFinished ? worker.runUntilFinished({ signal }) : worker.runForever({ signal }));
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
    const { storage, clock, registry } = this.#internals;
    await this.#start(
      signal,
      bounds,
      (parts, stop) => new Finisher({ storage, clock, registry, bounds, ...parts }).run(stop),
    );
  }

  /**
   * Whether it runs, also while it drains, and while the storage is away: it goes on by itself when that is back, and
   * there is no point in starting it anew.
   */
  get live(): boolean {
    return this.#claiming !== undefined;
  }

  /**
   * Tells whether it takes work, for whoever asks over HTTP or otherwise: see {@linkcode WorkerHealth}. Never rejects, and
   * takes two seconds at most: it asks the storage for the time, and one that has not answered by then is away. Several
   * who ask at once get the same answer.
   *
   * @example
   * ```ts
   * import { deepStrictEqual } from "node:assert/strict";
   * import { Docket, Worker } from "@docket/docket";
   *
   * await using docket = await Docket.connect({ url: "memory://health-example" });
   * await using worker = new Worker(docket);
   * deepStrictEqual(await worker.health(), { live: false, ready: false, reason: "not running" });
   * ```
   */
  async health(): Promise<WorkerHealth> {
    let reason = this.#unready();
    if (reason === undefined) {
      // Where a connection hangs, claims hang with it and have not failed yet: only who asks now finds out.
      this.#probe ??= this.#answers(PROBE).finally(() => this.#probe = undefined);
      const answers = await this.#probe;
      reason = this.#unready() ?? (answers ? undefined : "no answer");
    }
    return { live: this.live, ready: reason === undefined, ...reason && { reason } };
  }

  /**
   * Stops: running tasks have the grace period to finish, or what `options` say, where that is less. Returns always, whatever
   * the storage does.
   *
   * @throws {RangeError} When the grace period is out of range.
   * @throws {TypeError} For an option that does not exist.
   */
  async close(options: CloseOptions = {}): Promise<void> {
    const gracePeriod = toGracePeriod(options);
    this.#close.abort();
    try {
      if (gracePeriod !== undefined) {
        await this.#atMost(gracePeriod, Promise.allSettled([this.#work]));
        this.#hurry.abort();
      }
      await this.#work;
    } catch {
      // Whoever started it hears of it.
    } finally {
      await this.#atMost(LAST_CALL, this.#closeShared()); // whatever hangs in there (invariant 74)
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
    const parts = assemble({
      docket: this.#docket,
      worker: this,
      settings: this.#settings,
      pool: this.#pool,
      bounds,
      end: end.signal,
    });
    this.#claiming = { fetcher: parts.fetcher, stop: stop.signal };
    const { reclaiming, actors } = this.#startActors(parts, stop.signal, end.signal);
    try {
      await Promise.race([finished(parts, stop.signal), whenAborted(stop.signal)]);
    } finally {
      halt();
      await this.#drain(parts, reclaiming);
      end.abort();
      await Promise.all([reclaiming, ...actors, parts.keeper?.close()]);
      this.#claiming = undefined;
      signal?.removeEventListener("abort", halt);
      this.#close.signal.removeEventListener("abort", halt);
    }
  }

  #startActors(
    { fetcher, scheduler, renewer, keeper, lookout, reclaimer, sweeper, heartbeat, seeder }: Parts,
    stop: AbortSignal,
    end: AbortSignal,
  ): { readonly reclaiming: Promise<void>; readonly actors: readonly Promise<void>[] } {
    // What was scheduled, or cancelled, while nobody could hear of it.
    const lookAround = () => {
      scheduler.hear(0);
      renewer.renew(end);
    };
    const listening = this.#internals.storage.listen((notice) => {
      if (notice.kind === "due") scheduler.hear(notice.in);
      else if (notice.kind === "cancel") renewer.cancel(notice.key, notice.generation);
      else lookAround();
    }, { signal: end }).then(lookAround).catch((error) => {
      // Hints only: polls and renewals find the same, later.
      if (!end.aborted) log.warn("Cannot listen for hints: {reason}", { reason: messageOf(error) });
    });
    // What is claimed before the thread is there may not be kept.
    const ready = keeper ? Promise.race([keeper.ready, whenAborted(stop)]) : Promise.resolve();
    void ready.then(() => fetcher.poke());
    return {
      reclaiming: ready.then(() => reclaimer.run(stop)),
      actors: [
        listening,
        scheduler.run(stop),
        renewer.run(end),
        lookout.run(end),
        sweeper.run(stop),
        heartbeat.run(stop),
        warn(this.#internals.storage, end),
        ...seeder ? [seeder.run(stop)] : [],
      ],
    };
  }

  async #drain(
    { consumer, running, runner, fetcher }: Parts,
    reclaiming: Promise<void>,
  ): Promise<void> {
    const { clock } = this.#internals;
    const { gracePeriod } = this.#settings;
    const graceEnds = clock.monotonic() + gracePeriod;
    fetcher.drain();
    const over = Promise.race([running.empty(), whenAborted(this.#hurry.signal)]);
    await this.#atMost(gracePeriod, over);
    if (running.size > 0) {
      runner.shutDown();
      await this.#atMost(CLEAN_UP, running.empty());
      runner.abandonAll();
    }
    const patience = new AbortController();
    let gone = false;
    const signedOff = this.#signOff(consumer, fetcher, reclaiming, patience.signal)
      .then(() => void (gone = true));
    // Who is not answered leaves soon after the grace period: somebody may be waiting with a SIGKILL (invariant 74).
    const left = this.#hurry.signal.aborted ? 0 : graceEnds - clock.monotonic();
    const silence = Math.min(LAST_CALL, Math.max(SILENCE, left));
    const answers = this.#answers(silence, patience.signal);
    await this.#atMost(silence, signedOff);
    if (!gone && await answers) await this.#atMost(LAST_CALL - silence, signedOff);
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

  /** As far as that is known here (invariant 73). */
  #unready(): WorkerHealth["reason"] {
    if (!this.#claiming) return "not running";
    if (this.#claiming.stop.aborted) return "draining";
    return this.#claiming.fetcher.able ? undefined : "cannot claim";
  }

  /** Whether the storage does, soon. */
  async #answers(within: Millis, signal?: AbortSignal): Promise<boolean> {
    const { storage, clock } = this.#internals;
    const over = new AbortController();
    const disarm = clock.timer(within, () => over.abort());
    const deafen = signal && onAbort(signal, () => over.abort());
    try {
      await storage.now({ signal: over.signal });
      return true;
    } catch {
      return false; // whoever works with it says why, in the log
    } finally {
      disarm();
      deafen?.();
    }
  }

  async #closeShared(): Promise<void> {
    for (const error of await this.#pool.close()) {
      log.error("Cannot close what is shared: {reason}", { reason: messageOf(error), error });
    }
  }

  async #atMost(span: Millis, work: Promise<unknown>): Promise<void> {
    const done = new AbortController();
    await Promise.race([work, sleep(this.#internals.clock, span, done.signal)]);
    done.abort();
  }
}

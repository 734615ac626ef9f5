/**
 * Keeps leases while handlers keep the event loop: from a thread of its own, with a connection of its own.
 *
 * @module
 */

import { Worker as Thread } from "node:worker_threads";
import { getLogger } from "@logtape/logtape";
import { type Clock, type Millis, sleep, systemClock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Internals } from "../docket/internals.ts";
import type { Lease } from "../storage/contract.ts";
import type { Reopening } from "../storage/open.ts";
import type { Assignment, FromThread, ToThread } from "./lease_thread.ts";
import type { Running } from "./run.ts";

/** A thread that has not started by then is not waited for: nothing is claimed before. */
const STARTING: Millis = 10_000;

/** One that has not closed its connection by then is ended all the same. */
const ENDING: Millis = 200;

const log = getLogger(["docket", "worker"]);

/** What a {@linkcode LeaseKeeper} needs. */
export interface LeaseKeeperOptions {
  readonly reopening: Reopening;
  readonly clock: Clock;
  readonly consumer: string;
  readonly lease: Millis;
  /** After so long without a sign of life of this thread the other one lets go. */
  readonly patience: Millis;
  readonly running: Running;
}

/**
 * The thread, as the others see it. It is handed what runs, and told 20 times per lease what still does. That is the sign of
 * life of this thread: while it comes, the other one does nothing. When something goes wrong there, the worker is as one
 * without.
 */
export class LeaseKeeper {
  /** Resolves when it keeps leases, or never will. */
  readonly ready: Promise<void>;
  readonly #options: LeaseKeeperOptions;
  readonly #renewedAt = new BigInt64Array(new SharedArrayBuffer(8));
  /** Aborts when there is no thread any more. */
  readonly #over = new AbortController();
  #thread?: Thread;
  #started = false;

  constructor(options: LeaseKeeperOptions) {
    const { reopening, consumer, lease, patience } = options;
    this.#options = options;
    const renewedAt = this.#renewedAt.buffer;
    const assignment: Assignment = { reopening, consumer, lease, patience, renewedAt };
    const started = new AbortController();
    this.#over.signal.addEventListener("abort", () => started.abort());
    this.ready = sleep(systemClock, STARTING, started.signal);
    this.#start(assignment, () => {
      this.#started = true;
      started.abort();
    });
  }

  /** Up to when the other thread renewed what runs, on the monotonic clock. */
  get renewedAt(): Millis {
    return Number(Atomics.load(this.#renewedAt, 0));
  }

  /** These are about to run. */
  hold(leases: readonly Lease[]): void {
    this.#tell({ kind: "more", leases: bare(leases), at: this.#options.clock.monotonic() });
  }

  /** Tells what runs, and that this thread does. */
  tell(): void {
    const { running, clock } = this.#options;
    const leases = Array.from(running, ({ claim }) => claim);
    this.#tell({ kind: "all", leases: bare(leases), at: clock.monotonic() });
  }

  /** Ends the thread. Always returns. */
  async close(): Promise<void> {
    const thread = this.#thread;
    if (!thread || !this.#started) return await this.#leave();
    const ended = new Promise<void>((resolve) => {
      thread.on("message", ({ kind }: FromThread) => kind === "ended" && resolve());
    });
    this.#tell({ kind: "end" });
    const late = new AbortController();
    await Promise.race([ended, sleep(systemClock, ENDING, late.signal)]);
    late.abort();
    await this.#leave();
  }

  #start(assignment: Assignment, started: () => void): void {
    try {
      const thread = this.#thread = new Thread(moduleOf("lease_thread"), {
        workerData: assignment,
      });
      thread.unref(); // it keeps no process alive
      thread.on("message", (news: FromThread) => {
        if (news.kind === "ready") started();
        else if (news.kind === "failed") this.#fail(news.reason);
      });
      thread.on("error", (error) => this.#fail(messageOf(error)));
      thread.on("exit", () => this.#fail("it ended by itself"));
    } catch (error) {
      this.#fail(messageOf(error));
    }
  }

  #tell(news: ToThread): void {
    this.#thread?.postMessage(news);
  }

  /** Once: from now on this thread renews alone, as it does in a worker without the other. */
  #fail(reason: string): void {
    if (this.#over.signal.aborted) return;
    log.warn(
      "Cannot keep leases from a thread: {reason}. A handler that keeps the event loop may lose them",
      { reason },
    );
    void this.#leave();
  }

  async #leave(): Promise<void> {
    const thread = this.#thread;
    this.#thread = undefined;
    this.#over.abort();
    await thread?.terminate();
  }
}

/**
 * What a thread needs to open the storage of a docket.
 *
 * @throws {TypeError} When it could not.
 */
export function reopeningOf({ reopening }: Internals): Reopening {
  if (!reopening) {
    throw new TypeError(
      'Cannot use "leaseThread" with a storage of your own: a thread can only open a URL',
    );
  }
  if (reopening.url.startsWith("memory:")) {
    throw new TypeError(
      'Cannot use "leaseThread" with memory://: that is in this process, and leases are not lost to another',
    );
  }
  try {
    return structuredClone(reopening);
  } catch {
    // What cannot be carried is not shown: it may be a secret (invariant 85).
    throw new TypeError(
      'Cannot use "leaseThread" with these options of the Redis client: a thread can be given values, but no functions',
    );
  }
}

/** What a claim holds besides stays here: a body can be large. */
function bare(leases: readonly Lease[]): readonly Lease[] {
  return leases.map(({ key, token }) => ({ key, token }));
}

/** Where a module beside this one is, whatever it was compiled to. */
function moduleOf(name: string): URL {
  const here = import.meta.url;
  const url = new URL(`./${name}${here.slice(here.lastIndexOf("."))}`, here);
  if (url.protocol === "file:") return url;
  // As it came from a registry: threads start from files only, or from a text like this one.
  return new URL(`data:text/javascript,import ${JSON.stringify(url.href)};`);
}

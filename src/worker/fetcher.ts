/**
 * Claims when there is room, and carries what finished along: group commit.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import { getLogger } from "@logtape/logtape";
import { type Clock, type Millis, sleep } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { randomId } from "../base/ids.ts";
import { Backoff } from "../base/loop.ts";
import {
  type Claim,
  type Commit,
  NEW,
  OWN,
  type Step,
  type StepReply,
  type Storage,
} from "../storage/contract.ts";
import type { Running } from "./run.ts";
import type { Settler } from "./settler.ts";

/** At most so many commits, and so many claims, in one step: it keeps the storage's answer times short. */
const MAX_BATCH = 250;

/**
 * From so many deliveries on, a task may be what kills the workers that run it. Two such never run beside each other here:
 * whatever ran beside the culprit would be charged with its deaths, and be parked with it.
 */
const SUSPICIOUS_DELIVERIES = 3;

/** A suspect that finds another at work is given back for so long. */
const SUSPECT_DELAY: Millis = 1_000;

/** Two steps under way keep both the storage and this process busy. */
const LANES = 2;

const log = getLogger(["docket", "worker"]);

/** What a {@linkcode Fetcher} needs. */
export interface FetcherOptions {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly consumer: string;
  readonly concurrency: number;
  readonly maxDeliveries: number;
  readonly minimumCheckInterval: Millis;
  readonly reconnectionDelay: Millis;
  readonly running: Running;
  /** Starts a claimed task; never throws, never waits. */
  readonly start: (claim: Claim) => void;
  /** Gives back a claimed task that will not be started here, at once or after a delay. */
  readonly release: (claim: Claim, delay?: Millis) => void;
  /** Ends all calls, whatever becomes of them. */
  readonly end: AbortSignal;
}

interface Lane {
  readonly number: number;
  call: number;
  busy: boolean;
}

/**
 * Keeps one or two steps under way while there is something to commit or to claim; otherwise blocks until something
 * comes. It never reads more than there is room for, and never waits for a batch to fill.
 */
export class Fetcher {
  readonly #options: FetcherOptions;
  readonly #settler: Settler;
  readonly #lanes: readonly Lane[];
  readonly #perLane: number;
  readonly #backoff: Backoff;
  readonly #stopWaiting = new AbortController();
  /** Whether there may be tasks that nobody holds. When not, only a wait can tell. */
  #fresh = true;
  /** Where to read what was set aside for this consumer, if anything was. */
  #own?: string;
  #readingOwn = false;
  #wanted = 0;
  #setAside = 0;
  #waiting = false;
  #planned = false;
  #draining = false;
  #onQuiet: (() => void)[] = [];

  constructor(options: FetcherOptions, settler: Settler) {
    this.#options = options;
    this.#settler = settler;
    const lanes = Math.min(LANES, options.concurrency);
    this.#lanes = Array.from({ length: lanes }, (_, number) => ({ number, call: 0, busy: false }));
    this.#perLane = Math.min(MAX_BATCH, Math.ceil(options.concurrency / lanes));
    this.#backoff = new Backoff(50, options.reconnectionDelay);
  }

  /**
   * How many more tasks may be claimed now, from those nobody waits for. A wait that brings as many at the same time is
   * why {@linkcode accept} looks again.
   */
  get room(): number {
    return this.#options.running.room - this.#wanted;
  }

  /** Whether nothing is under way and nothing is left to commit. */
  get quiet(): boolean {
    return !this.#planned && this.#settler.empty && this.#lanes.every(({ busy }) => !busy);
  }

  /** Keeps room for claims that are made elsewhere, until the returned function is called. */
  reserve(room: number): () => void {
    this.#wanted += room;
    return () => {
      this.#wanted -= room;
      this.poke();
    };
  }

  /** {@linkcode accept}s what was claimed together. */
  acceptAll(claims: readonly Claim[], token: string): void {
    const suspects = claims.filter((claim) => claim.token === token && this.#suspects(claim));
    // A culprit may leave no time to give back those that came with it. So all are given back first, and come one by one.
    const apart = suspects.length > 1 && !this.#draining ? suspects : [];
    apart.forEach((claim, i) => {
      this.#options.release(claim, i === 0 ? undefined : i * SUSPECT_DELAY);
    });
    for (const claim of claims) if (!apart.includes(claim)) this.accept(claim, token);
  }

  /** Starts what was claimed under `token`, or gives it back when it cannot be started here now. */
  accept(claim: Claim, token: string): void {
    const { running, start, release } = this.#options;
    const { key, token: held } = claim;
    // Under another token it is a claim from before: its reply was lost, or it is here already (invariant 34).
    if (held !== token && (running.has(key, held) || this.#settler.has(key, held))) return;
    if (this.#draining || running.room <= 0) return release(claim);
    if (this.#suspects(claim) && running.some((other) => this.#suspects(other))) {
      return release(claim, SUSPECT_DELAY);
    }
    start(claim);
  }

  #suspects({ deliveries }: Claim): boolean {
    return deliveries > 1 &&
      deliveries >= Math.min(SUSPICIOUS_DELIVERIES, this.#options.maxDeliveries);
  }

  /** Something finished, or there is room again. All that finishes in one turn of the event loop goes together. */
  poke(): void {
    if (this.#planned) return;
    this.#planned = true;
    setImmediate(() => {
      this.#planned = false;
      this.#pump();
    });
  }

  /** Claims nothing more; what was set aside already is given back. */
  drain(): void {
    this.#draining = true;
    this.#fresh = false;
    this.#stopWaiting.abort();
    if (!this.#waiting) this.giveBackOwn();
  }

  /** Gives back whatever is still this consumer's and does not run here. */
  giveBackOwn(): void {
    this.#own = OWN;
    this.poke();
  }

  /** Resolves when everything is committed and nothing is under way. */
  whenQuiet(): Promise<void> {
    return new Promise((resolve) => {
      this.#onQuiet.push(resolve);
      this.poke();
    });
  }

  #pump(): void {
    if (this.#options.end.aborted) return this.#tellQuiet();
    for (const lane of this.#lanes) {
      if (lane.busy) continue;
      const commits = this.#settler.take(MAX_BATCH);
      // A step goes anyway: it may as well look for work, instead of a wait and another step.
      if (commits.length > 0 && !this.#waiting && !this.#draining) this.#fresh = true;
      const from = this.#readingOwn ? undefined : this.#own ?? (this.#fresh ? NEW : undefined);
      const want = from === undefined ? 0 : this.#want();
      if (commits.length === 0 && want === 0) break;
      void this.#step(lane, commits, want, want > 0 ? from! : NEW);
    }
    const dry = this.#own === undefined && !this.#readingOwn && !this.#fresh;
    if (dry && !this.#waiting && !this.#draining && this.room > 0) void this.#wait();
    this.#tellQuiet();
  }

  #want(): number {
    if (this.#draining) return MAX_BATCH; // what is this consumer's already, to give it back
    return Math.max(0, Math.min(this.room - this.#setAside, this.#perLane));
  }

  async #step(
    lane: Lane,
    commits: readonly Commit[],
    want: number,
    from: string,
  ): Promise<void> {
    const { consumer, maxDeliveries, end } = this.#options;
    const step: Step = {
      consumer,
      lane: lane.number,
      call: ++lane.call,
      token: randomId(),
      commits,
      want,
      from,
      maxDeliveries,
    };
    lane.busy = true;
    this.#wanted += want;
    if (from !== NEW) this.#readingOwn = true;
    const reply = await this.#send(step);
    lane.busy = false;
    this.#wanted -= want;
    if (from !== NEW) this.#readingOwn = false;
    if (!reply || end.aborted) return this.#tellQuiet();
    this.#settler.confirm(commits, reply.committed);
    this.acceptAll(reply.claims, step.token);
    if (want > 0) this.#advance(from, reply);
    this.#pump();
  }

  /** The same step again until its outcome is known: what it commits must not be lost, nor decided twice. */
  async #send(step: Step): Promise<StepReply | undefined> {
    const { storage, clock, end } = this.#options;
    while (!end.aborted) {
      try {
        const reply = await storage.step(step, { signal: end });
        this.#backoff.reset();
        return reply;
      } catch (error) {
        if (end.aborted) return undefined;
        log.error("Cannot claim and settle: {reason}; trying again", { reason: messageOf(error) });
        await sleep(clock, this.#backoff.next(), end);
      }
    }
  }

  #advance(from: string, { more, cursor, claims }: StepReply): void {
    if (from === NEW) {
      this.#fresh = more && !this.#draining;
    } else if (more) {
      this.#own = cursor;
    } else {
      this.#own = undefined;
      this.#fresh = claims.length > 1 && !this.#draining; // a burst: there may be more than was set aside
    }
  }

  async #wait(): Promise<void> {
    const { storage, clock, consumer, minimumCheckInterval } = this.#options;
    const { signal } = this.#stopWaiting;
    this.#waiting = true;
    this.#setAside = Math.min(this.room, MAX_BATCH);
    try {
      const from = await storage.wait(consumer, this.#setAside, minimumCheckInterval, { signal });
      if (from === NEW) this.#fresh = !this.#draining;
      else this.#own = from;
      this.#backoff.reset();
    } catch (error) {
      if (!signal.aborted) {
        log.warn("Cannot wait for work: {reason}; trying again", { reason: messageOf(error) });
        await sleep(clock, this.#backoff.next(), signal);
      }
    }
    this.#waiting = false;
    this.#setAside = 0;
    if (this.#draining) this.giveBackOwn();
    else this.#pump();
  }

  #tellQuiet(): void {
    if (this.#onQuiet.length === 0) return;
    const settled = this.quiet && !this.#waiting && this.#own === undefined;
    if (!settled && !this.#options.end.aborted) return;
    const callbacks = this.#onQuiet;
    this.#onQuiet = [];
    for (const callback of callbacks) callback();
  }
}

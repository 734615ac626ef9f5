/**
 * Claims when there is room, and carries what finished along: group commit.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import { getLogger } from "@logtape/logtape";
import { onAbort } from "../base/abort.ts";
import { Bell } from "../base/bell.ts";
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
import type { StrikeBook } from "../docket/strike_book.ts";
import type { Observer } from "./observer.ts";
import type { LeaseKeeper } from "./lease_keeper.ts";
import type { Lookout } from "./lookout.ts";
import { DOUBTFUL, type Running } from "./run.ts";
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
  readonly book: StrikeBook;
  readonly observer: Observer;
  readonly lease: Millis;
  /** Hears of handlers that keep the event loop. */
  readonly lookout: Lookout;
  /** Keeps leases while they do, if that is wanted. */
  readonly keeper?: LeaseKeeper;
  /** Starts a task that was claimed at `claimedAt`, on the monotonic clock, or later; never throws, never waits. */
  readonly start: (claim: Claim, claimedAt: Millis) => void;
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
  /** Token and keys of what another call brought before, or instead of, the one that claimed it. */
  readonly #early = new Map<string, Set<string>>();
  #wanted = 0;
  /** How many replies wait until the strikes have been read. */
  #heeding = 0;
  #setAside = 0;
  #waiting = false;
  #planned = false;
  #draining = false;
  #onQuiet: (() => void)[] = [];
  #onRoom?: () => void;
  #able = false;
  readonly #turned = new Bell();

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
   * why {@linkcode acceptAll} looks again.
   */
  get room(): number {
    return this.#options.running.room - this.#wanted;
  }

  /** Whether claiming worked when it was tried last (invariant 73). */
  get able(): boolean {
    return this.#able && !this.#draining;
  }

  /** Resolves when it has begun to work, or to fail; or the signal aborts. */
  whenTurned(signal: AbortSignal): Promise<void> {
    return this.#turned.heard(signal);
  }

  #turn(able: boolean): void {
    if (able) this.#backoff.reset();
    if (this.#able === able) return;
    this.#able = able;
    this.#turned.ring();
  }

  /** What finishes meanwhile is settled all the same: only what was claimed waits. */
  async #heedFirst(strikes: string): Promise<void> {
    this.#heeding++;
    this.#pump();
    await this.heed(strikes);
    this.#heeding--;
  }

  /** Nothing that was claimed runs before it was looked at in the light of what is struck (invariant 56). */
  async heed(strikes: string): Promise<void> {
    const { book, clock } = this.#options;
    const { signal } = this.#stopWaiting; // who drains gives back what was claimed, and needs to know nothing
    while (strikes !== book.version && !signal.aborted) {
      try {
        return await book.refresh(signal); // to what there is now: newer ones are as good
      } catch (error) {
        if (signal.aborted) return;
        log.warn("Cannot look what is struck: {reason}; trying again", {
          reason: messageOf(error),
        });
        await sleep(clock, this.#backoff.next(), signal);
      }
    }
  }

  /** Whether nothing is under way and nothing is left to commit. */
  get quiet(): boolean {
    return !this.#planned && this.#heeding === 0 && this.#settler.empty &&
      this.#lanes.every(({ busy }) => !busy);
  }

  /** Keeps room for claims that are made elsewhere, until the returned function is called. */
  reserve(room: number): () => void {
    this.#wanted += room;
    const answered = this.#settler.ask();
    return () => {
      answered();
      this.#wanted -= room;
      this.poke();
    };
  }

  /** Resolves when all room that is kept is there, or the signal aborts. Until then nothing new is claimed. */
  whenRoom(signal: AbortSignal): Promise<void> {
    if (this.room >= 0 || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const deafen = onAbort(signal, resolve);
      this.#onRoom = () => {
        deafen();
        resolve();
      };
    });
  }

  /**
   * Starts what was claimed together by one call, or gives it back where it cannot be started here now.
   *
   * @param token What the call claims under.
   * @param sentAt When the call was sent first, on the monotonic clock: its claims may be as old.
   */
  acceptAll(claims: readonly Claim[], token: string, sentAt: Millis): void {
    if (claims.length > 0) this.#options.observer.look();
    const fresh = claims.filter((claim) => !this.#isKnown(claim, token));
    const suspects = fresh.filter((claim) => claim.token === token && this.#suspects(claim));
    // A culprit may leave no time to give back those that came with it. So all are given back first, and come one by one.
    const apart = suspects.length > 1 && !this.#draining ? suspects : [];
    apart.forEach((claim, i) => {
      this.#options.release(claim, i === 0 ? undefined : i * SUSPECT_DELAY);
    });
    const rest = apart.length > 0 ? fresh.filter((claim) => !apart.includes(claim)) : fresh;
    if (rest.length > 0) this.#startAll(rest, sentAt);
    this.#early.delete(token);
  }

  /** A start calls the handler, so it takes as long as that computes before its first pause. */
  #startAll(claims: readonly Claim[], sentAt: Millis): void {
    const { clock, lookout, keeper } = this.#options;
    keeper?.hold(claims); // before the first can keep the event loop
    let now = clock.monotonic();
    for (const claim of claims) {
      this.#accept(claim, sentAt, now);
      const startedAt = now;
      now = clock.monotonic();
      if (now - startedAt >= lookout.longest) lookout.kept(claim, now - startedAt);
    }
  }

  /** Whether the claim runs here, or has run here: nothing runs twice in one process (invariant 34). */
  #isKnown({ key, token }: Claim, asked: string): boolean {
    if (token === asked) return this.#early.get(token)?.has(key) ?? false;
    // A claim of an earlier call, whose reply was lost, or is late: then it must not be taken up again.
    if (this.#options.running.has(key, token) || this.#settler.has(key, token)) return true;
    const early = this.#early.get(token);
    if (early?.has(key)) return true;
    if (early) early.add(key);
    else this.#early.set(token, new Set([key]));
    return false;
  }

  #accept(claim: Claim, sentAt: Millis, now: Millis): void {
    const { lease, running, start, release } = this.#options;
    if (this.#draining || running.room <= 0) return release(claim);
    // After a stall others may have it by now, or are about to (invariant 32).
    if (now - sentAt >= DOUBTFUL * lease) return release(claim);
    if (this.#suspects(claim) && running.some((other) => this.#suspects(other))) {
      return release(claim, SUSPECT_DELAY);
    }
    start(claim, sentAt);
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
    if (this.#onRoom && this.room >= 0) {
      this.#onRoom();
      this.#onRoom = undefined;
    }
    for (const lane of this.#lanes) {
      if (lane.busy) continue;
      const commits = this.#settler.take(MAX_BATCH);
      // A step goes anyway: it may as well look for work, instead of a wait and another step.
      if (commits.length > 0 && !this.#waiting && !this.#draining) this.#fresh = true;
      const from = this.#readingOwn ? undefined : this.#own ?? (this.#fresh ? NEW : undefined);
      const want = from === undefined || this.#heeding > 0 ? 0 : this.#want();
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
    const answered = from === NEW ? undefined : this.#settler.ask();
    const sentAt = this.#options.clock.monotonic();
    const reply = await this.#send(step);
    lane.busy = false;
    if (reply) {
      this.#settler.confirm(commits, reply.committed);
      if (reply.parked) this.#options.observer.parked(reply.parked);
      if (reply.claims.length > 0 && reply.strikes !== this.#options.book.version) {
        await this.#heedFirst(reply.strikes);
      }
    }
    this.#wanted -= want;
    if (from !== NEW) this.#readingOwn = false;
    if (reply && !end.aborted) this.acceptAll(reply.claims, step.token, sentAt);
    answered?.();
    if (!reply || end.aborted) return this.#tellQuiet();
    if (want > 0) this.#advance(from, reply);
    this.#pump();
  }

  /** The same step again until its outcome is known: what it commits must not be lost, nor decided twice. */
  async #send(step: Step): Promise<StepReply | undefined> {
    const { storage, clock, end } = this.#options;
    while (!end.aborted) {
      try {
        const reply = await storage.step(step, { signal: end });
        this.#turn(true);
        return reply;
      } catch (error) {
        if (end.aborted) return undefined;
        this.#turn(false);
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
      this.#turn(true);
    } catch (error) {
      if (!signal.aborted) {
        this.#turn(false);
        this.#fresh = !this.#draining; // a step shows sooner than a wait whether it works again
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

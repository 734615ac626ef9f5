/**
 * What there is on the docket and in this process, while somebody reads it.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { onAbort } from "../base/abort.ts";
import { type Clock, type Millis, sleep } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Level } from "../instrumentation/instruments.ts";
import { meters } from "../instrumentation/meters.ts";
import type { Labels } from "../instrumentation/tally.ts";
import type { Storage } from "../storage/contract.ts";

const log = getLogger(["docket", "worker"]);

/** How often a timer is looked at: whatever blocks the event loop for longer than this makes it late. */
const SAMPLE: Millis = 100;

/** The worst is told of so much time, and of the time before as well: whoever asks seldom sees it all the same. */
const SPELL: Millis = 30_000;

/** What the storage has not told for so long, nobody knows. */
const PATIENCE: Millis = 5_000;

/** What {@linkcode Gauges} need. */
export interface GaugesOptions {
  readonly storage: Storage;
  readonly clock: Clock;
  /** The name of the docket. */
  readonly docket: string;
  /** The name of the worker. */
  readonly worker: string;
}

/** Looked at with each heartbeat: nothing is asked, and no timer runs, while nobody reads. */
export class Gauges {
  readonly #options: GaugesOptions;
  readonly #docket: Labels;
  readonly #worker: Labels;
  /** Ends what was begun for readers. */
  #reading?: AbortController;
  #asking = false;
  /** How late timers were at worst, in this spell and in the one before. */
  #lags: [now: Millis, before: Millis] = [0, 0];
  #spellEnds: Millis = 0;

  constructor(options: GaugesOptions) {
    const { docket, worker } = options;
    this.#options = options;
    this.#docket = { docket };
    this.#worker = { docket, worker };
  }

  /** Measures anew, if anybody reads; never throws, never waits. */
  look(): void {
    if (!meters.look()) return this.forget();
    if (!this.#reading) {
      this.#reading = new AbortController();
      void this.#sample(this.#reading.signal);
    }
    meters.set("docket_event_loop_lag", Math.max(...this.#lags) / 1_000, this.#worker);
    void this.#ask(this.#reading.signal);
  }

  /** Nobody knows any more: what was measured last is not told as if it were so now. */
  forget(): void {
    if (!this.#reading) return;
    this.#reading.abort();
    this.#reading = undefined;
    this.#lags = [0, 0];
    meters.set("docket_event_loop_lag", undefined, this.#worker);
    this.#tell({});
  }

  async #ask(reading: AbortSignal): Promise<void> {
    if (this.#asking) return; // the last one has not been answered
    const { storage, clock } = this.#options;
    const over = new AbortController();
    const deafen = onAbort(reading, () => over.abort());
    const disarm = clock.timer(PATIENCE, () => over.abort()); // who looks waits for the storage as well
    this.#asking = true;
    try {
      const [{ at, counts, queued: [next] }, { rules }] = await Promise.all([
        storage.survey(1, { signal: over.signal }),
        storage.strikes({ signal: over.signal }),
      ]);
      const since = next ? next.due ?? next.queuedAt ?? at : at;
      if (reading.aborted) return;
      this.#tell({
        docket_queue_depth: counts.queued,
        docket_schedule_depth: counts.scheduled,
        docket_tasks_waiting: counts.waiting,
        docket_strikes_in_effect: rules.length,
        docket_oldest_due_age: Math.max(0, at - since) / 1_000,
      });
    } catch (error) {
      if (reading.aborted) return; // another worker may tell by now
      this.#tell({});
      log.debug("Cannot measure: {reason}", { reason: messageOf(error) });
    } finally {
      disarm();
      deafen();
      this.#asking = false;
    }
  }

  #tell(found: Partial<Record<Level, number>>): void {
    for (const level of OF_DOCKET) meters.set(level, found[level], this.#docket);
  }

  /** A late timer is what everything in this process has waited for. */
  async #sample(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      const asked = clock.monotonic();
      await sleep(clock, SAMPLE, signal);
      const now = clock.monotonic();
      if (now >= this.#spellEnds) {
        this.#lags = [0, this.#lags[0]];
        this.#spellEnds = now + SPELL;
      }
      this.#lags[0] = Math.max(this.#lags[0], now - asked - SAMPLE);
    }
  }
}

/** The same whichever worker measures them. */
const OF_DOCKET: readonly Level[] = [
  "docket_queue_depth",
  "docket_schedule_depth",
  "docket_tasks_waiting",
  "docket_strikes_in_effect",
  "docket_oldest_due_age",
];

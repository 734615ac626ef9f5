/**
 * Carries what runs tell of their progress: at once, and then no more often than anybody could follow.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { onAbort } from "../base/abort.ts";
import { type Clock, type Millis, sleep } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Progress } from "../dependencies/progress.ts";
import type { Report, Storage } from "../storage/contract.ts";
import type { Run } from "./run.ts";

/** What comes within so long of the last report waits for the next. */
const PACE: Millis = 100;

/** No run waits longer for its last report: it is for people to look at. */
const PATIENCE: Millis = 1_000;

const log = getLogger(["docket", "worker"]);

/** What a {@linkcode Reporter} needs. */
export interface ReporterOptions {
  readonly storage: Storage;
  readonly clock: Clock;
  /** Ends all calls, whatever becomes of them. */
  readonly end: AbortSignal;
}

/** The latest of each run, all together. */
export class Reporter {
  readonly #options: ReporterOptions;
  readonly #changed = new Map<Run, Progress>();
  #sending = 0;
  #sentAt: Millis = -Infinity;
  #sent: Promise<void> = Promise.resolve();
  #cancelTimer?: () => void;

  constructor(options: ReporterOptions) {
    this.#options = options;
    onAbort(options.end, () => {
      this.#cancelTimer?.();
      this.#changed.clear();
    });
  }

  /** A run is further. */
  change(run: Run, progress: Progress): void {
    if (run.over) return;
    this.#changed.set(run, progress);
    this.#plan();
  }

  /** A run has ended: resolves when what it told last is out, or does not get out, so that it can be settled. */
  async finish(run: Run): Promise<void> {
    if (this.#changed.has(run)) this.#send();
    if (this.#sending === 0) return;
    const { clock, end } = this.#options;
    const done = new AbortController();
    const deafen = onAbort(end, () => done.abort()); // its run was given up
    await Promise.race([this.#sent, sleep(clock, PATIENCE, done.signal)]);
    done.abort();
    deafen();
  }

  #plan(): void {
    const { clock, end } = this.#options;
    if (this.#changed.size === 0 || this.#cancelTimer || this.#sending > 0 || end.aborted) return;
    const wait = this.#sentAt + PACE - clock.monotonic();
    if (wait > 0) this.#cancelTimer = clock.timer(wait, () => this.#send());
    else this.#send();
  }

  #send(): void {
    const { storage, clock, end } = this.#options;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (this.#changed.size === 0 || end.aborted) return;
    const reports: Report[] = [];
    for (const [{ claim: { key, token } }, { snapshot }] of this.#changed) {
      reports.push({ key, token, progress: snapshot });
    }
    this.#changed.clear();
    this.#sending++;
    this.#sentAt = clock.monotonic();
    // Without a signal: it is not worth being tried for ever, and runs wait for it.
    this.#sent = storage.report(reports).catch((error) => {
      // It is for people to look at: the next report tells it all again.
      if (!end.aborted) log.debug("Cannot tell progress: {reason}", { reason: messageOf(error) });
    }).finally(() => {
      this.#sending--;
      this.#plan();
    });
  }
}

/**
 * How much happens in a second, from what those who watch a docket hear.
 *
 * @module
 */

import type { Clock, Millis } from "../../base/clock.ts";
import type { Change, StateChange } from "../../storage/contract.ts";

/** What is counted, in the order in which it is shown. */
export const RATED = [
  "queued",
  "started",
  "completed",
  "failed",
  "retried",
  "cancelled",
  "dead",
] as const;

/** How often each happens in a second. */
export type PerSecond = Readonly<Record<typeof RATED[number], number>>;

/** How far back is looked. */
const WINDOW: Millis = 5_000;

/** What happened within this is counted together. */
const STEP: Millis = 250;

/** Of less time than this nothing is told. */
const SHORTEST: Millis = 1_000;

/** So many tasks are remembered; those of which nothing was heard for the longest time are forgotten. */
const REMEMBERED = 100_000;

/** Counts within a sliding window. */
export class Rates {
  readonly #clock: Pick<Clock, "monotonic">;
  /** The number of a step of time → what happened in it. */
  readonly #steps = new Map<number, Record<keyof PerSecond, number>>();
  /** Generations that have been started, and have not ended. */
  readonly #known = new Map<string, Known>();
  #since?: Millis;

  /** Counts nothing until {@linkcode Rates.begin}. */
  constructor(clock: Pick<Clock, "monotonic">) {
    this.#clock = clock;
  }

  /** From now on everything is heard. */
  begin(): void {
    this.#since = this.#clock.monotonic();
  }

  /** Something may be missed from now on: what was heard is forgotten. */
  end(): void {
    this.#since = undefined;
    this.#steps.clear();
    this.#known.clear();
  }

  /** Counts what happened. A run that a limit or a strike keeps out was claimed, but does not count as started. */
  hear(change: Change): void {
    if (change.kind !== "state") return;
    const { state, generation, attempt } = change;
    const known = this.#known.get(generation);
    const isRetry = known !== undefined && attempt > known.attempt;
    if (isRetry) this.#count("retried");
    switch (state) {
      case "running":
        this.#count("started");
        return this.#remember(generation, { attempt, runs: true });
      case "queued":
      case "scheduled":
      case "waiting":
        if (state === "queued") this.#count("queued");
        else if (known?.runs && !isRetry) this.#turnAway();
        if (known) this.#remember(generation, { attempt, runs: false });
        return;
      default:
        if (known?.runs && hasNotBegun(change)) this.#count("started", -1);
        this.#known.delete(generation);
        this.#count(state);
    }
  }

  /** How often it happened within the last seconds; `undefined` until there is some time to tell of. */
  get perSecond(): PerSecond | undefined {
    if (this.#since === undefined) return undefined;
    const now = this.#clock.monotonic();
    const first = Math.floor((now - WINDOW) / STEP);
    for (const step of this.#steps.keys()) if (step < first) this.#steps.delete(step);
    const span = now - Math.max(this.#since, first * STEP);
    if (span < SHORTEST) return undefined;
    const steps = [...this.#steps.values()];
    return each((what) => {
      const total = steps.reduce((sum, counted) => sum + counted[what], 0);
      return Math.max(0, total) / span * 1_000; // what is taken back may have been counted before the window
    });
  }

  /** It will be queued and started once more: it has waited for nothing but that. */
  #turnAway(): void {
    this.#count("queued", -1);
    this.#count("started", -1);
  }

  #count(what: keyof PerSecond, times = 1): void {
    if (this.#since === undefined) return;
    const step = Math.floor(this.#clock.monotonic() / STEP);
    const counted = this.#steps.get(step) ?? each(() => 0);
    counted[what] += times;
    this.#steps.set(step, counted);
  }

  #remember(generation: string, known: Known): void {
    this.#known.delete(generation); // so that it is the last one to be forgotten
    this.#known.set(generation, known);
    if (this.#known.size <= REMEMBERED) return;
    const [oldest] = this.#known.keys();
    this.#known.delete(oldest);
  }
}

/** What was heard last of a generation. */
interface Known {
  readonly attempt: number;
  readonly runs: boolean;
}

/** Whether what ended was claimed only to be skipped. */
function hasNotBegun({ state, reason }: StateChange): boolean {
  return state === "cancelled" && (reason === "dropped" || reason === "struck");
}

function each(value: (what: keyof PerSecond) => number): Record<keyof PerSecond, number> {
  const entries = RATED.map((what) => [what, value(what)]);
  return Object.fromEntries(entries) as Record<keyof PerSecond, number>;
}

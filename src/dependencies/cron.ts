/**
 * `Cron`: a task that follows the wall clock.
 *
 * @module
 */

import { Cron as Pattern } from "croner";
import type { Millis } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { type OptionNames, refuseUnknownOptions } from "../base/options.ts";
import {
  type Beginning,
  Dependency,
  type RunEnd,
  type Scope,
  type Succession,
} from "./dependency.ts";

/** Options of {@linkcode Cron}. */
export interface CronOptions {
  /**
   * Whose wall clock it follows: a name such as `"Europe/Berlin"`.
   *
   * @default "UTC"
   */
  readonly timeZone?: string;
  /**
   * Whether workers keep it going by themselves, under the task's name as key, from its next instant on. Such a task takes
   * no required arguments. Without it the chain begins with an add, as that of a {@linkcode Perpetual}.
   *
   * @default true
   */
  readonly automatic?: boolean;
  /**
   * Whether the chain goes on after a run that failed for good, with its retries exhausted.
   *
   * @default "continue"
   */
  readonly onExhausted?: "continue" | "stop";
}

/** What a handler receives for its {@linkcode Cron}. */
export interface CronState {
  /** When it runs next, unless it is cancelled; by the clock of the storage when this run began. */
  readonly next: Date;
  /** Ends the chain with this run. A replacement that somebody scheduled meanwhile is not touched (invariant 48). */
  cancel(): void;
}

const OPTIONS: OptionNames<CronOptions> = { timeZone: true, automatic: true, onExhausted: true };

/**
 * Makes a task follow the wall clock: it runs at every instant that an expression names, once for each, over any number of
 * workers (invariant 52). Instants that pass while no worker lives, or while the run before still goes on, are made up for
 * by one run, at once; and what comes next is in the future.
 *
 * An expression has five fields (minute, hour, day of the month, month, day of the week), or six with seconds in front, or
 * is one of `@yearly`, `@monthly`, `@weekly`, `@daily` and `@hourly`. With both kinds of day restricted, either will do.
 * `L` is the last day, `#2` the second such weekday, `W` the nearest working day.
 *
 * When clocks are put forward, a fixed time that is skipped comes once, right after the gap; when they are put back, one
 * that is repeated comes the first time only. What has a `*` or a step among its hours, minutes or seconds follows real
 * time: it skips what is not there, and comes both times.
 *
 * @example
 * ```ts
 * import { deepEqual } from "node:assert/strict";
 * import { Cron, Docket, task, Worker } from "@docket/docket";
 * import { FakeClock } from "@docket/docket/testing";
 *
 * const clock = new FakeClock(Date.parse("2026-03-28T00:00Z"));
 * const ran: string[] = [];
 * const report = task(
 *   "report",
 *   { cron: new Cron("30 2 * * *", { timeZone: "Europe/Berlin" }) },
 *   (): void => void ran.push(new Date(clock.now()).toISOString()),
 * );
 *
 * await using docket = await Docket.connect({ url: "memory://cron-example", clock, tasks: [report], heartbeatInterval: "1h" });
 * await using worker = new Worker(docket);
 * const stop = new AbortController();
 * const running = worker.runForever({ signal: stop.signal });
 * await clock.advance({ days: 3 });
 *
 * // On the 29th, 2:30 does not exist in Berlin.
 * deepEqual(ran, ["2026-03-28T01:30:00.000Z", "2026-03-29T01:00:00.000Z", "2026-03-30T00:30:00.000Z"]);
 * stop.abort();
 * await running;
 * ```
 */
export class Cron extends Dependency<CronState> {
  /** As it was given. */
  readonly expression: string;
  /** Whose wall clock it follows. */
  readonly timeZone: string;
  /** Whether workers keep it going by themselves. */
  readonly automatic: boolean;
  readonly #onExhausted: "continue" | "stop";
  readonly #pattern: Pattern;

  /**
   * Checks the expression and the options where the task is declared.
   *
   * @throws {RangeError} When the expression cannot be read, or names no instant, or there is no such time zone.
   * @throws {TypeError} For an option of another kind.
   */
  constructor(expression: string, options: CronOptions = {}) {
    super();
    refuseUnknownOptions("a Cron", options, OPTIONS);
    const { timeZone = "UTC", automatic = true, onExhausted = "continue" } = options;
    if (typeof automatic !== "boolean") {
      throw new TypeError(`Cannot use ${String(automatic)} for "automatic": give true or false`);
    }
    if (onExhausted !== "continue" && onExhausted !== "stop") {
      throw new TypeError(
        `Cannot use ${String(onExhausted)} for "onExhausted": give "continue" or "stop"`,
      );
    }
    this.expression = expression;
    this.timeZone = validTimeZone(timeZone);
    this.automatic = automatic;
    this.#onExhausted = onExhausted;
    this.#pattern = read(expression, timeZone);
  }

  /** `"perpetual"`: a task has one of those and of these together. */
  override get policy(): string {
    return "perpetual";
  }

  /**
   * The first instant after another.
   *
   * @throws {RangeError} When there is none any more.
   */
  next(after: Date = new Date()): Date {
    const next = this.#pattern.nextRun(after);
    if (next) return next;
    throw new RangeError(`Cannot tell when "${this.expression}" comes: it never does again`);
  }

  /** Tells when the next run is, and takes the wish that there be none. */
  override open({ context, clock, abandon }: Scope): CronState {
    // Called directly there is no execution, and nothing comes next: the value is there all the same.
    const run = abandon && context.execution;
    const since = Math.max(run?.startedAt?.getTime() ?? clock.now(), run?.when?.getTime() ?? 0);
    return new Plan(() => this.next(new Date(since)));
  }

  /** At its next instant. */
  override seed(): Beginning | undefined {
    return this.automatic
      ? { due: (now) => ({ at: this.next(new Date(now)).getTime() }), planned: true }
      : undefined;
  }

  /** At its next instant. */
  override forecast(startedAt: Millis): Millis {
    return this.next(new Date(startedAt)).getTime();
  }

  /** At the first instant after this run, whatever came meanwhile; or the end of the chain. */
  override succeed(end: RunEnd, state: CronState | undefined): Succession {
    if (end.outcome === "failed" && this.#onExhausted === "stop") return { kind: "stop" };
    if (state instanceof Plan && state.cancelled) return { kind: "stop" };
    // Never an instant twice (invariant 52), also where it was queued by a clock that has gone back since.
    const since = Math.max(end.startedAt, end.planned ?? end.due ?? 0);
    return { kind: "next", due: { at: this.next(new Date(since)).getTime() }, planned: true };
  }
}

class Plan implements CronState {
  readonly #next: () => Date;
  #cancelled = false;

  constructor(next: () => Date) {
    this.#next = next;
  }

  get next(): Date {
    return this.#next();
  }

  get cancelled(): boolean {
    return this.#cancelled;
  }

  cancel(): void {
    this.#cancelled = true;
  }
}

function read(expression: string, timeZone: string): Pattern {
  if (typeof expression !== "string") {
    throw new TypeError(`Cannot use a ${typeof expression} as a cron expression: give a string`);
  }
  // The parser would also take a date, which comes once, and chains do not.
  const fields = expression.trim().split(/\s+/).length;
  if (!/^@\w+$/.test(expression.trim()) && fields !== 5 && fields !== 6) {
    throw new RangeError(
      `Cannot use ${
        quote(expression)
      } as a cron expression: give 5 or 6 fields, or a name such as @daily`,
    );
  }
  let pattern: Pattern;
  try {
    // Lists and ranges of hours are fixed times too, as in Vixie's cron.
    pattern = new Pattern(expression, {
      timezone: timeZone,
      mode: "5-or-6-parts",
      fixedTimeRule: "no-wildcard",
    });
  } catch (cause) {
    const reason = messageOf(cause).replace(/^CronPattern: /, "");
    throw new RangeError(`Cannot use ${quote(expression)} as a cron expression: ${reason}`, {
      cause,
    });
  }
  if (pattern.nextRun(ANY) !== null) return pattern;
  throw new RangeError(`Cannot use ${quote(expression)} as a cron expression: it never comes`);
}

/** From here on every expression that comes at all comes within eight years: leap days are further apart only in 2100. */
const ANY = new Date("2026-01-01T00:00Z");

function validTimeZone(timeZone: string): string {
  try {
    new Intl.DateTimeFormat("en", { timeZone });
    return timeZone;
  } catch (cause) {
    throw new RangeError(
      `Cannot use ${quote(String(timeZone))} as a time zone: there is none of that name`,
      { cause },
    );
  }
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}

/**
 * What the worker processes run. Every handler tells the journal itself: what it did cannot be taken back by anything that
 * the library finds out later.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import {
  ConcurrencyLimit,
  type DocketError,
  Perpetual,
  Retry,
  task,
  type TaskContext,
} from "../../mod.ts";
import { signalThis } from "./_failpoints.ts";
import type { Happening, Journal } from "./_journal.ts";

/** A process that keeps its processor does not see that its parent has gone. */
const LONGEST_SPIN = 60_000;

/** How a chain goes on. */
export interface Course {
  /** From start to start, in milliseconds. */
  readonly every: number;
  /** A run that takes its process with it, on the worker of this name. */
  readonly deadly?: { readonly run: number; readonly on: string };
}

/** The tasks, by name. */
export type Tasks = ReturnType<typeof tasksFor>;

/** The tasks, which write to this journal. All return the name of the worker that ran them. */
// deno-lint-ignore explicit-module-boundary-types -- the tasks' types are long, and inferred
export function tasksFor(journal: Journal) {
  async function started(
    { key, attempt, execution, signal }: TaskContext,
    more?: Partial<Happening>,
  ): Promise<void> {
    const { deliveries, redelivered } = execution;
    const tell = (): void => {
      const { code } = signal.reason as DocketError;
      void journal.note("aborted", { key, reason: code });
    };
    if (signal.aborted) tell();
    signal.addEventListener("abort", tell);
    await journal.note("started", { key, attempt, deliveries, redelivered, ...more });
  }

  async function ended(
    { key, worker }: TaskContext,
    more?: Partial<Happening>,
  ): Promise<string> {
    await journal.note("ended", { key, ...more });
    return worker.name;
  }

  return {
    /** Does a little. */
    nap: task("nap", async (context, ms: number): Promise<string> => {
      await started(context);
      await pause(ms);
      return await ended(context);
    }),

    /** Does a little, one at a time for each customer. */
    one: task(
      "one",
      { limit: new ConcurrencyLimit({ max: 1, by: (customer: number) => customer }) },
      async (context, _customer: number, ms: number): Promise<string> => {
        await started(context);
        await pause(ms);
        return await ended(context);
      },
    ),

    /** Does a little, three at a time for each customer. */
    three: task(
      "three",
      { limit: new ConcurrencyLimit({ max: 3, by: (customer: number) => customer }) },
      async (context, _customer: number, ms: number): Promise<string> => {
        await started(context);
        await pause(ms);
        return await ended(context);
      },
    ),

    /** Gives back what it was given. */
    echo: task("echo", async (context, payload: string): Promise<string> => {
      await started(context);
      await ended(context);
      return payload;
    }),

    /** Waits at its worker's gate, whatever its signal says. */
    hold: task("hold", async (context): Promise<string> => {
      await started(context);
      await journal.passed(context.worker.name);
      return await ended(context);
    }),

    /** Waits at its worker's gate, and stops when it is told to. */
    obey: task("obey", async (context): Promise<string> => {
      await started(context);
      await journal.passed(context.worker.name, context.signal);
      return await ended(context);
    }),

    /** Keeps the processor of one worker while a file exists, so that nothing else happens in its process. */
    spin: task("spin", async (context, on: string, file: string): Promise<string> => {
      await started(context);
      const end = performance.now() + LONGEST_SPIN;
      while (context.worker.name === on && existsSync(file) && performance.now() < end);
      return await ended(context);
    }),

    /** Fails on one worker, to be tried again, and succeeds on all others. */
    stumble: task(
      "stumble",
      { retry: new Retry({ attempts: 3 }) },
      async (context, on: string): Promise<string> => {
        await started(context);
        if (context.worker.name === on) throw new Error("stumbled");
        return await ended(context);
      },
    ),

    /** Takes its process with it, so many times; and at once, if need be, before anything else can happen there. */
    crash: task("crash", async (context, times: number, atOnce = false): Promise<string> => {
      const deadly = context.execution.deliveries <= times;
      if (deadly && atOnce) signalThis("SIGKILL");
      await started(context);
      if (deadly) signalThis("SIGKILL");
      return await ended(context);
    }),

    /** Comes again and again, and counts its runs. */
    chain: task(
      "chain",
      { perpetual: new Perpetual<[run: number, course: Course]>() },
      async (context, run: number, course: Course): Promise<string> => {
        const { every, deadly } = course;
        await started(context, { run });
        if (deadly?.run === run && deadly.on === context.worker.name) signalThis("SIGKILL");
        context.perpetual.every = every;
        context.perpetual.perpetuate(run + 1, course);
        return await ended(context, { run });
      },
    ),
  };
}

/** A task that starts with its worker, and comes once within a test. */
// deno-lint-ignore explicit-module-boundary-types -- as above
export function automaticTaskFor(journal: Journal) {
  const perpetual = new Perpetual({ every: "1h", automatic: true });
  return task("automatic", { perpetual }, async ({ key }): Promise<void> => {
    await journal.note("started", { key });
  });
}

/**
 * What the workers run. Every handler tells the journal itself when it is called and when it leaves.
 *
 * @module
 */

import { setTimeout as pause } from "node:timers/promises";
import {
  ConcurrencyLimit,
  type DocketError,
  NonRetryableError,
  Perpetual,
  Retry,
  task,
  type TaskContext,
} from "../mod.ts";
import type { Journal } from "./journal.ts";

/** How many of a customer's tasks may run at once. */
export const LIMIT = 2;

/** The name, and key, of the chain that workers keep going by themselves. */
export const AUTOMATIC = "patrol";

/** The tasks, by name. */
export type Tasks = ReturnType<typeof tasksFor>;

/** The tasks, which write to this journal. What is returned tells the key, so that no result can be taken for another. */
// deno-lint-ignore explicit-module-boundary-types -- the tasks' types are long, and inferred
export function tasksFor(journal: Journal) {
  /** Calls a body between two lines; the second is there also when it throws. */
  async function told(
    context: TaskContext,
    body: () => unknown,
    gate?: string,
  ): Promise<string> {
    const { key, attempt, signal, execution: { task, fence: token, deliveries } } = context;
    const run = { task, key, token, attempt };
    const tell = (): void => {
      journal.note("aborted", { ...run, outcome: (signal.reason as DocketError).code });
    };
    if (signal.aborted) tell();
    else signal.addEventListener("abort", tell, { once: true });
    journal.note("started", { ...run, deliveries, gate });
    try {
      await body();
      return key;
    } finally {
      signal.removeEventListener("abort", tell);
      journal.note("left", run);
    }
  }

  return {
    /** Does a little. */
    quick: task("quick", (context, ms: number): Promise<string> => {
      return told(context, () => pause(ms));
    }),

    /** Does a little, so many at a time for each customer. */
    limited: task(
      "limited",
      { limit: new ConcurrencyLimit({ max: LIMIT, by: (customer: number) => customer }) },
      (context, customer: number, ms: number): Promise<string> =>
        told(context, () => pause(ms), `customer ${customer}`),
    ),

    /** Takes longer than a lease, and stops when it is told to. */
    slow: task("slow", (context, ms: number): Promise<string> => {
      return told(context, () => pause(ms, undefined, { signal: context.signal }));
    }),

    /** Takes longer than a lease, whatever it is told. */
    stubborn: task("stubborn", (context, ms: number): Promise<string> => {
      return told(context, () => pause(ms));
    }),

    /** Fails so many times, and then does not. */
    flaky: task(
      "flaky",
      { retry: new Retry({ attempts: 4, delay: 30 }) },
      (context, failures: number): Promise<string> =>
        told(context, () => {
          if (context.attempt <= failures) throw new Error(`failure ${context.attempt}`);
        }),
    ),

    /** Fails for good. */
    hopeless: task(
      "hopeless",
      { retry: new Retry({ attempts: 4 }) },
      (context): Promise<string> =>
        told(context, () => {
          throw new NonRetryableError("there is no hope");
        }),
    ),

    /** Comes so many times, a moment after each other. */
    chain: task(
      "chain",
      { perpetual: new Perpetual<[left: number]>({ every: 50 }) },
      (context, left: number): Promise<string> =>
        told(context, () => {
          if (left <= 1) context.perpetual.cancel();
          else context.perpetual.perpetuate(left - 1);
        }),
    ),

    /** Comes for as long as there are workers, until somebody cancels it. */
    [AUTOMATIC]: task(
      AUTOMATIC,
      { perpetual: new Perpetual({ every: 250, automatic: true }) },
      (context): Promise<string> => told(context, () => pause(5)),
    ),

    /** Kills every process that runs it. */
    poison: task("poison", (context): Promise<string> =>
      told(context, () => {
        Deno.kill(Deno.pid, "SIGKILL");
        // It goes to the process, whose other threads may take it a moment before this one halts.
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000);
      })),
  };
}

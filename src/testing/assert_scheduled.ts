/**
 * Asserts that something is on a docket.
 *
 * @module
 */

import { AssertionError } from "node:assert";
import { isDeepStrictEqual } from "node:util";
import { type InstantLike, toInstant } from "../base/duration.ts";
import type { Docket } from "../docket/docket.ts";
import type { Execution } from "../docket/execution.ts";
import { internalsOf } from "../docket/internals.ts";
import type { AnyFunction } from "../docket/registry.ts";

/** What {@linkcode assertScheduled} looks for: whatever is not said may be anything. */
export interface ExpectedSchedule {
  /** The key. */
  readonly key?: string;
  /** The arguments. */
  readonly args?: readonly unknown[];
  /** When it is due, to the millisecond. */
  readonly when?: InstantLike;
}

/**
 * Asserts that a task is scheduled, queued or waiting, by the task or by its name, and gives the execution.
 *
 * @throws {AssertionError} When there is none like that; it lists what there is of the task.
 */
export async function assertScheduled(
  docket: Docket,
  task: AnyFunction | string,
  expected: ExpectedSchedule = {},
): Promise<Execution> {
  const name = typeof task === "string" ? task : internalsOf(docket).registry.nameOf(task);
  const when = expected.when === undefined ? undefined : toInstant("when", expected.when);
  const { scheduled, queued, waiting } = await docket.snapshot({ limit: 10_000 });
  const ofTask = [...scheduled, ...queued, ...waiting].filter((one) => one.task === name);
  const found = ofTask.find((one) =>
    (expected.key === undefined || one.key === expected.key) &&
    (expected.args === undefined || isDeepStrictEqual([...one.args], [...expected.args])) &&
    (when === undefined || one.when?.getTime() === when)
  );
  if (found) return found;
  throw new AssertionError({
    message: `No ${name} is scheduled like that`,
    actual: ofTask.map(({ key, args, when }) => ({ key, args: [...args], when })),
    expected,
    operator: "assertScheduled",
  });
}

/**
 * What the verbs of one storage share: all that a docket consists of, and how its tasks end.
 *
 * @module
 */

import type { Clock, Millis } from "../../base/clock.ts";
import type { CancelReason } from "../../base/errors.ts";
import type { EndedTask } from "../contract.ts";
import { Chains } from "./chains.ts";
import { Consumers } from "./consumers.ts";
import { cancelledAt, type Ending, type Successor } from "./ending.ts";
import { Hints } from "./hints.ts";
import { Places } from "./places.ts";
import { Presences } from "./presences.ts";
import { Records } from "./records.ts";
import { Rules } from "./rules.ts";
import type { Task } from "./task.ts";

/** The state of one docket, and the ends that more than one verb brings about. `ttl` is that of their records. */
export class Site {
  readonly clock: Clock;
  /** Who is told what changed. */
  readonly hints: Hints = new Hints();
  /** The live tasks, each where it stands. */
  readonly tasks: Places = new Places(this.hints);
  /** What is left of those that ended. */
  readonly records: Records = new Records();
  /** Which chains are to be there always. */
  readonly chains: Chains = new Chains();
  /** Who claims. */
  readonly consumers: Consumers = new Consumers();
  /** Who is there. */
  readonly presences: Presences = new Presences();
  /** What is struck. */
  readonly rules: Rules = new Rules();

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Ends what waits. */
  cancel(task: Task, reason: CancelReason, now: Millis, ttl: Millis): void {
    this.tasks.leave(task);
    this.tasks.remove(task.key);
    this.tasks.giveBack(task, now);
    this.end(task, cancelledAt(task.attempt, reason, ttl), now);
  }

  /** Ends a replacement whose turn never came. */
  drop(task: Task, reason: CancelReason, now: Millis, ttl: Millis): void {
    const { key, deferred } = task;
    task.deferred = undefined;
    if (!deferred) return;
    const { generation, body } = deferred;
    const dropped = { key, generation, attempt: 1, body };
    this.end(dropped, cancelledAt(1, reason, ttl), now);
  }

  /** Ends a run; then comes what replaced it meanwhile, else the next of its chain (invariants 14, 48). */
  finish(
    task: Task,
    ending: Ending,
    now: Millis,
    consumer: string | undefined,
    successor?: Successor,
  ): void {
    const { key, deferred } = task;
    this.tasks.remove(key);
    this.tasks.giveBack(task, now);
    if (ending.stops) this.chains.stop(key);
    this.end(task, ending, now, consumer);
    if (deferred) this.tasks.admit(key, deferred.generation, deferred.due, deferred.body, now);
    else if (successor) {
      this.tasks.admit(key, successor.generation, successor.due, successor.body, now, true);
    }
  }

  /** Record and event change in one step (invariant 64). What failed or is parked keeps what it takes to run it again. */
  end(
    task: Pick<Task, "key" | "generation" | "attempt" | "body">,
    { state, text, reason, ttl }: Ending,
    now: Millis,
    consumer?: string,
  ): void {
    const { key, generation, body } = task;
    const ended: EndedTask = { generation, state, endedAt: now, text, reason };
    this.records.keep(key, state === "failed" ? { ...ended, body } : ended, ttl);
    if (state === "dead") this.records.bury(key, { ...ended, body });
    this.hints.state(task, state, now, consumer, reason);
  }
}

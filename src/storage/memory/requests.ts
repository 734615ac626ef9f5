/**
 * The verbs of callers: schedule, cancel, load.
 *
 * @module
 */

import type { Millis } from "../../base/clock.ts";
import type { Call, Found, Target, Verdict } from "../contract.ts";
import { cancelledAt } from "./ending.ts";
import { instant, type Places } from "./places.ts";
import type { Site } from "./site.ts";
import { view, viewWithProgress } from "./task.ts";

/** What callers call. `ttl` is that of the records that are written on the way. */
export class Requests {
  readonly #site: Site;
  readonly #tasks: Places;

  constructor(site: Site) {
    this.#site = site;
    this.#tasks = site.tasks;
  }

  schedule(calls: readonly Call[], ttl: Millis, strikes?: string): readonly Verdict[] {
    const { clock, rules, hints } = this.#site;
    const now = clock.now();
    // Nothing is scheduled in ignorance of what is struck (invariant 56).
    if (strikes !== undefined && strikes !== rules.version) {
      return calls.map(() => ({ kind: "outdated" }));
    }
    const done = this.#done(calls, now);
    const verdicts = calls.map((call, i): Verdict => {
      const later = done(call.key);
      return i < later ? this.#answer(call, calls[later], now) : this.#accept(call, now, ttl);
    });
    hints.tell(now);
    return verdicts;
  }

  cancel(
    targets: readonly Target[],
    ttl: Millis,
  ): readonly ("cancelled" | "requested" | "none")[] {
    const { clock, chains, hints } = this.#site;
    const now = clock.now();
    const replies = targets.map(({ key, generation }) => {
      const task = this.#tasks.get(key);
      // The chain ends with it (invariant 48), also where it is just about to be seeded again.
      const whole = generation === undefined || generation === task?.generation;
      if (whole) chains.stop(key);
      if (!task) return "none";
      if (generation !== undefined && generation !== task.generation) {
        if (generation !== task.deferred?.generation) return "none";
        this.#site.drop(task, "cancelled", now, ttl);
        return "cancelled";
      }
      if (task.run) {
        if (generation === undefined) this.#site.drop(task, "cancelled", now, ttl);
        if (!task.cancelled) {
          task.cancelled = true; // the key stays busy until the body ends (invariant 55)
          hints.cancel(task);
        }
        return "requested";
      }
      this.#site.cancel(task, "cancelled", now, ttl);
      return "cancelled";
    });
    hints.tell(now);
    return replies;
  }

  load(keys: readonly string[], mark?: string): readonly Found[] {
    const { clock, records, hints } = this.#site;
    const now = clock.now();
    if (mark !== undefined) {
      hints.mark(mark);
      hints.tell(now);
    }
    return keys.map((key) => {
      const task = this.#tasks.get(key);
      return {
        live: task && viewWithProgress(task),
        deferred: task?.deferred,
        ended: records.find(key, now),
        dead: records.grave(key),
      };
    });
  }

  /**
   * Of several calls for one key, the last leaves the trace. Where it has, the whole request was sent again, and those
   * before it did their work too (invariant 27).
   */
  #done(calls: readonly Call[], now: Millis): (key: string) => number {
    const last = new Map<string, number>();
    for (let i = calls.length - 1; i > 0; i--) {
      if (!last.has(calls[i].key) && this.#recognise(calls[i], now)) last.set(calls[i].key, i);
    }
    return last.size === 0 ? () => 0 : (key) => last.get(key) ?? 0;
  }

  /** The request's own id tells one that was sent again; it changes nothing. */
  #recognise({ key, generation }: Call, now: Millis): Verdict | undefined {
    const task = this.#tasks.get(key);
    if (task?.generation === generation) return { kind: "scheduled" };
    if (task?.deferred?.generation === generation) return { kind: "deferred" };
    return this.#site.records.has(key, generation, now) ? { kind: "scheduled" } : undefined;
  }

  /** What a call was answered that is done, as far as the later one tells that has covered its trace. */
  #answer(call: Call, later: Call, now: Millis): Verdict {
    const task = this.#tasks.get(call.key);
    const before = this.#recognise(call, now);
    if (before || !task || task.deferred?.generation !== later.generation) {
      return before ?? { kind: "scheduled" };
    }
    // The later one still waits for the run to end: then what runs now ran then, too.
    return call.mode === "add" ? { kind: "exists", live: view(task) } : { kind: "deferred" };
  }

  #accept(call: Call, now: Millis, ttl: Millis): Verdict {
    const before = this.#recognise(call, now);
    if (before) return before;
    const { key, generation, mode, due, body } = call;
    const task = this.#tasks.get(key);
    if (task && mode === "add") return { kind: "exists", live: view(task) };
    if (task?.run) {
      // Deferred, so that the two bodies never overlap (invariant 14).
      this.#site.drop(task, "replaced", now, ttl);
      const at = instant(due, now);
      task.deferred = { generation, due: at === undefined ? undefined : { at }, body };
      this.#site.hints.state({ key, generation, attempt: 1 }, "waiting", now);
      return { kind: "deferred" };
    }
    if (task) {
      this.#tasks.leave(task); // what waited goes in the same step, wherever it waited (invariant 1)
      this.#tasks.giveBack(task, now);
      this.#site.end(task, cancelledAt(task.attempt, "replaced", ttl), now);
    }
    this.#tasks.admit(key, generation, due, body, now);
    return { kind: "scheduled" };
  }
}

/**
 * What stands where, as operators see it.
 *
 * @module
 */

import type { Millis } from "../../base/clock.ts";
import type { Survey } from "../contract.ts";
import type { Places } from "./places.ts";
import { view, viewWithProgress } from "./task.ts";

/** All counts, and at most `limit` tasks of each place. */
export function survey(tasks: Places, dead: number, limit: number, at: Millis): Survey {
  const scheduled = [...tasks.due].sort((a, b) => a.at - b.at || a.order - b.order);
  const running = [...tasks.running].sort((a, b) => a.run!.number - b.run!.number);
  const inLine = [...tasks.waiting].sort((a, b) => a.arrival - b.arrival);
  const waiting = running.flatMap(({ key, deferred }) => deferred ? { key, ...deferred } : []);
  const counts = {
    scheduled: scheduled.length,
    queued: tasks.size - scheduled.length - running.length - inLine.length,
    running: running.length,
    waiting: waiting.length + inLine.length,
    dead,
  };
  return {
    at,
    counts,
    scheduled: scheduled.slice(0, limit).map(view),
    queued: [...first(tasks.queue, limit)].map(view),
    running: running.slice(0, limit).map(viewWithProgress),
    inLine: inLine.slice(0, limit).map(view),
    waiting: waiting.slice(0, limit),
  };
}

function* first<T>(items: Iterable<T>, limit: number): Iterable<T> {
  if (limit <= 0) return;
  for (const item of items) {
    yield item;
    if (--limit <= 0) return;
  }
}

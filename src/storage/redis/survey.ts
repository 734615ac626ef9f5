/**
 * Puts a survey together: the script tells rows, the bodies come in pages.
 *
 * @module
 */

import type { LiveTask, Survey } from "../contract.ts";
import { readReported } from "./answer.ts";
import { generationOf, readDeferred } from "./row.ts";
import type { Stored } from "./scripts/load.ts";
import type { Surveyed } from "./scripts/survey.ts";

/** How many tasks are loaded at a time. */
const PAGE = 200;

/** Tasks as they stood when they were counted; those that have ended since are left out. */
export async function readSurvey(
  { at, counts, scheduled, queued, running, inLine, waiting }: Surveyed,
  load: (keys: readonly string[]) => Promise<readonly Stored[]>,
): Promise<Survey> {
  const stored = new Map<string, Stored>();
  const keys = [...new Set([...keysOf(scheduled, queued, running, inLine), ...waiting])];
  for (let from = 0; from < keys.length; from += PAGE) {
    const page = keys.slice(from, from + PAGE);
    (await load(page)).forEach((one, i) => stored.set(page[i], one));
  }
  return {
    at,
    counts,
    scheduled: readTasks(scheduled, stored),
    queued: readTasks(queued, stored),
    running: readTasks(running, stored),
    inLine: readTasks(inLine, stored),
    waiting: waiting.flatMap((key) => {
      const text = stored.get(key)?.deferred;
      return text ? [{ key, ...readDeferred(text) }] : [];
    }),
  };
}

/** From keys and rows, flat. */
function readTasks(flat: readonly string[], stored: ReadonlyMap<string, Stored>): LiveTask[] {
  const tasks: LiveTask[] = [];
  for (let i = 0; i < flat.length; i += 2) {
    const [key, row] = [flat[i], flat[i + 1]];
    const now = stored.get(key);
    if (!now?.row || generationOf(now.row) !== generationOf(row)) continue;
    tasks.push(readReported(key, row, now));
  }
  return tasks;
}

function keysOf(...lists: readonly (readonly string[])[]): string[] {
  return lists.flatMap((flat) => flat.filter((_, i) => i % 2 === 0));
}

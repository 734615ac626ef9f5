/**
 * What a simulation writes down: a trace for people, a history for the checker.
 *
 * @module
 */

import type { HistoryEvent } from "../history.ts";
import type { Timeline } from "./timeline.ts";

type Untimed<Event> = Event extends unknown ? Omit<Event, "at"> : never;

/** Both of one simulation. */
export class Chronicle {
  readonly trace: string[] = [];
  readonly history: HistoryEvent[] = [];
  readonly #timeline: Timeline;
  readonly #names = new Map<string, string>();
  readonly #counts = new Map<string, number>();

  constructor(timeline: Timeline) {
    this.#timeline = timeline;
  }

  /** A line of the trace. */
  note(who: string, what: string): void {
    this.trace.push(`${this.#timeline.now().toFixed(1).padStart(8)} ${who.padEnd(3)} ${what}`);
  }

  /** An event of the history, which stands in the trace too. */
  tell(event: Untimed<HistoryEvent>): void {
    this.history.push({ at: this.#timeline.now(), ...event } as HistoryEvent);
    const { kind, ...rest } = event;
    this.note("*", `${kind} ${Object.values(rest).filter(isShown).map(shown).join(" ")}`);
  }

  /** Ids are random, and so no use in a trace: whatever it is, it is called by the order in which it appeared. */
  nameOf(sort: string, id: string): string {
    const known = this.#names.get(id);
    if (known !== undefined) return known;
    const count = (this.#counts.get(sort) ?? 0) + 1;
    this.#counts.set(sort, count);
    const name = `${sort}${count}`;
    this.#names.set(id, name);
    return name;
  }
}

function isShown(value: unknown): boolean {
  return value !== undefined;
}

function shown(value: unknown): string {
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/**
 * Following one execution from now to its end.
 *
 * @module
 */

import { onAbort } from "../base/abort.ts";
import type { Clock, Millis } from "../base/clock.ts";
import { type CancelReason, ConnectionError } from "../base/errors.ts";
import { decodeEnding } from "../base/message.ts";
import type { EndedTask, Found, StateChange } from "../storage/contract.ts";
import { workerOf } from "./presence.ts";
import type { Told, Watcher } from "./watcher.ts";

/** An execution has come to a state. A run that was given to another worker starts once more. */
export interface StateEvent {
  /** Tells it from the other events. */
  readonly kind: "state";
  /** The state. */
  readonly state: StateChange["state"];
  /** When, by the storage's clock; of the first event, where that is not known: when it was looked. */
  readonly at: Date;
  /** Which attempt it is at, from 1. */
  readonly attempt: number;
  /** The name of the worker that runs, or ran, it. */
  readonly worker?: string;
  /** Why it was cancelled. */
  readonly reason?: CancelReason;
}

/** A run told how far it is. */
export interface ProgressEvent {
  /** Tells it from the other events. */
  readonly kind: "progress";
  /** How much is done. */
  readonly current: number;
  /** How much there is to do. */
  readonly total: number;
  /** What it is at, if it says. */
  readonly message?: string;
  /** When, by the storage's clock. */
  readonly at: Date;
}

/** What `execution.events()` gives. */
export type ExecutionEvent = StateEvent | ProgressEvent;

/** What {@linkcode eventsOf} needs. */
export interface EventsOptions {
  readonly key: string;
  readonly generation: string;
  /** How it ended, if that is known: then that is all there is to tell. */
  readonly ended?: EndedTask;
  readonly watcher: Watcher;
  readonly clock: Clock;
  /** The docket's. */
  readonly closed: AbortSignal;
  readonly signal?: AbortSignal;
  /** What to throw when nothing is known of it. */
  readonly expired: () => Error;
}

/** The present state, then every change, until the end; or until it is left, also while it waits. */
export function eventsOf(options: EventsOptions): AsyncIterableIterator<ExecutionEvent> {
  const left = new AbortController();
  const events = follow(options, left);
  return {
    next: () => events.next(),
    return() {
      left.abort();
      return events.return();
    },
    throw(error) {
      left.abort();
      return events.throw(error);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

async function* follow(
  { key, generation, ended, watcher, clock, closed, signal, expired }: EventsOptions,
  over: AbortController,
): AsyncGenerator<ExecutionEvent, void, void> {
  if (ended) return yield endOf(ended);
  if (signal?.aborted) return;
  if (closed.aborted) throw closedError();
  const stop = () => over.abort();
  const deafen = [onAbort(closed, stop), ...signal ? [onAbort(signal, stop)] : []];
  const followed = watcher.follow(key, generation, over.signal);
  const present = (found: Found) => {
    const events = presentOf(found, generation, clock.now());
    if (!events) throw expired();
    return events;
  };
  try {
    const last = new Last();
    for (;;) {
      // A look stands at one place in the stream of changes: nothing is missed after it, nothing told twice (64).
      for (const event of present(await followed.look())) {
        if (!last.is(event)) yield last.set(event);
      }
      if (last.isEnd) return;
      do {
        for (let changes = await followed.changes(); changes.length > 0;) {
          for (const change of changes) {
            over.signal.throwIfAborted();
            yield last.set(eventOf(change));
            if (last.isEnd) return;
          }
          changes = await followed.changes();
        }
        // Nothing for a while. Where something differs all the same, a message was lost, or is just coming: look.
      } while (present(await followed.glance()).every((event) => last.is(event)));
    }
  } catch (error) {
    if (!over.signal.aborted) throw error;
    if (closed.aborted && !signal?.aborted) throw closedError();
  } finally {
    for (const off of deafen) off();
    followed.leave();
  }
}

/** What can be seen of a generation: its state, and how far it is. `undefined`: nothing. */
function presentOf(
  { live, deferred, ended, dead }: Found,
  generation: string,
  now: Millis,
): readonly [StateEvent, ...ProgressEvent[]] | undefined {
  if (live?.generation === generation) {
    const { state, attempt, consumer, startedAt, progress } = live;
    const at = new Date(startedAt ?? now);
    const event: StateEvent = { kind: "state", state, at, attempt, ...workerIn(consumer) };
    return progress ? [event, { kind: "progress", ...progress, at: new Date(now) }] : [event];
  }
  if (deferred?.generation === generation) {
    return [{ kind: "state", state: "waiting", at: new Date(now), attempt: 1 }];
  }
  const end = [ended, dead].find((end) => end?.generation === generation);
  return end && [endOf(end)];
}

function endOf({ state, endedAt, text, reason }: EndedTask): StateEvent {
  const { attempt, worker } = decodeEnding(text);
  const at = new Date(endedAt);
  const event: StateEvent = {
    kind: "state",
    state,
    at,
    attempt: attempt || 1,
    ...workerIn(worker),
  };
  return reason === undefined ? event : { ...event, reason };
}

function eventOf(change: Told): ExecutionEvent {
  const at = new Date(change.at);
  if (change.kind === "progress") return { kind: "progress", ...change.progress, at };
  const { state, attempt, consumer, reason } = change;
  const event: StateEvent = { kind: "state", state, at, attempt, ...workerIn(consumer) };
  return reason === undefined ? event : { ...event, reason };
}

function workerIn(consumer: string | undefined): { readonly worker?: string } {
  return consumer === undefined ? {} : { worker: workerOf(consumer) };
}

/** What was told last. */
class Last {
  #state?: StateEvent;
  #progress?: ProgressEvent;

  set(event: ExecutionEvent): ExecutionEvent {
    if (event.kind === "progress") {
      this.#progress = event;
    } else {
      this.#state = event;
      this.#progress = undefined; // that of another run, or of none
    }
    return event;
  }

  is(event: ExecutionEvent): boolean {
    if (event.kind === "progress") {
      const { current, total, message } = this.#progress ?? {};
      return event.current === current && event.total === total && event.message === message;
    }
    const { state, attempt, worker } = this.#state ?? {};
    return event.state === state && event.attempt === attempt && event.worker === worker;
  }

  get isEnd(): boolean {
    return ENDS.has(this.#state?.state ?? "");
  }
}

const ENDS: ReadonlySet<string> = new Set(["completed", "failed", "cancelled", "dead"]);

function closedError(): ConnectionError {
  return new ConnectionError("Cannot follow an execution: the docket is closed");
}

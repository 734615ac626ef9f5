/**
 * Pub/sub on a connection of its own, which exists while somebody listens and comes back by itself.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { getLogger } from "@logtape/logtape";
import type { Redis } from "ioredis";
import { type Clock, type Millis, sleep } from "../../base/clock.ts";
import { ID_LENGTH } from "../../base/ids.ts";
import type { Backoff } from "../../base/loop.ts";
import type { Change, Notice, StateChange } from "../contract.ts";
import { onAbort } from "../../base/abort.ts";
import type { Client } from "./client.ts";
import type { Connection } from "./connection.ts";
import { bare } from "./failures.ts";
import type { Keys } from "./keys.ts";
import { pauses, PULSE } from "./policy.ts";
import { readProgress, readReason } from "./row.ts";
import { watch } from "./scripts/watch.ts";

const log = getLogger(["docket", "redis"]);

/** Events are published for so long after the last mark. */
const WATCHED: Millis = 20_000;

type Listener = (message: Buffer) => void;

/** What no script sends: something may have been missed. */
const GAP = Buffer.from("G");

/** What {@linkcode Bus} needs. */
export interface BusSettings {
  readonly client: Client;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly commandTimeout: Millis;
}

/** Hears what the scripts publish. */
export class Bus {
  readonly #settings: BusSettings;
  readonly #listeners = new Map<string, Set<Listener>>();
  /** What the present connection hears. */
  #subscribed = new Set<string>();
  /** What the last connection heard, and the present one does not yet. */
  readonly #deaf = new Set<string>();
  #redis?: Redis;
  #running = false;
  /** Somebody came or went, the connection broke, a channel was subscribed to: whoever waits looks again. */
  readonly #news = new Set<() => void>();

  constructor(settings: BusSettings) {
    this.#settings = settings;
  }

  /** Hears notices until the signal aborts. */
  listen(notice: (notice: Notice) => void, signal: AbortSignal): Promise<void> {
    const { wake } = this.#settings.keys;
    return this.#subscribe(wake, (message) => {
      const heard = readNotice(message);
      if (heard) tell(notice, heard);
    }, signal);
  }

  /** Hears changes until the signal aborts: also asks for them to be published. */
  async watch(change: (change: Change) => void, signal: AbortSignal): Promise<void> {
    const { events } = this.#settings.keys;
    // Subscribed first, marked then: what changes after this resolves is heard (invariant 64).
    await this.#subscribe(events, (message) => readChanges(message, change), signal);
    try {
      await this.#mark(signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  async #subscribe(channel: string, listener: Listener, signal: AbortSignal): Promise<void> {
    const { closing } = this.#settings.client;
    closing.throwIfAborted();
    if (signal.aborted) return;
    const listeners = this.#listeners.get(channel) ?? new Set();
    this.#listeners.set(channel, listeners.add(listener));
    const leave = () => {
      for (const off of deafen) off();
      listeners.delete(listener);
      if (listeners.size === 0) this.#listeners.delete(channel);
      this.#announce();
    };
    const deafen = [onAbort(signal, leave), onAbort(closing, leave)];
    void this.#run();
    this.#announce();
    await this.#until(() => signal.aborted || closing.aborted || this.#subscribed.has(channel));
    closing.throwIfAborted();
  }

  /** Keeps a subscribed connection while anybody listens. */
  async #run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    const { client, clock } = this.#settings;
    const connection = client.connection();
    const backoff = pauses();
    while (this.#listeners.size > 0) {
      try {
        await this.#attend(connection, backoff);
      } catch (error) {
        if (backoff.calm && !client.closed) {
          log.warn("Cannot listen: {reason}", { reason: bare(error).message });
        }
      }
      this.#redis?.removeAllListeners("messageBuffer");
      for (const channel of this.#subscribed) {
        if (this.#listeners.has(channel)) this.#deaf.add(channel);
      }
      this.#subscribed = new Set();
      connection.drop();
      if (this.#listeners.size > 0) await sleep(clock, backoff.next(), client.closing);
    }
    client.release(connection);
    this.#deaf.clear();
    this.#running = false;
  }

  /** Serves the listeners on one connection until it breaks, or nobody listens any more. */
  async #attend(connection: Connection, backoff: Backoff): Promise<void> {
    const { clock } = this.#settings;
    const redis = this.#redis = await connection.ready();
    let broken = false;
    redis.once("close", () => {
      broken = true;
      this.#announce();
    });
    redis.on("messageBuffer", (channel: Buffer, message: Buffer) => {
      for (const listener of this.#listeners.get(channel.toString()) ?? []) listener(message);
    });
    let pulse = clock.monotonic() + PULSE;
    while (this.#listeners.size > 0 && !broken) {
      await this.#tune(redis);
      backoff.reset();
      if (clock.monotonic() >= pulse) {
        await this.#check(redis);
        pulse = clock.monotonic() + PULSE;
      }
      const disarm = clock.timer(pulse - clock.monotonic(), () => this.#announce());
      await this.#until(() => broken || !this.#isTuned() || clock.monotonic() >= pulse);
      disarm();
    }
  }

  /** Subscribes to what somebody listens to, and to nothing else. */
  async #tune(redis: Redis): Promise<void> {
    const { wake } = this.#settings.keys;
    for (const channel of this.#listeners.keys()) {
      if (this.#subscribed.has(channel)) continue;
      await this.#timed(redis, redis.subscribe(channel));
      this.#subscribed.add(channel);
      // What came due sooner, or was cancelled, while nobody could hear of it was missed.
      if (this.#deaf.delete(channel) && channel === wake) {
        for (const listener of this.#listeners.get(wake) ?? []) listener(GAP);
      }
      this.#announce();
    }
    for (const channel of this.#subscribed) {
      if (this.#listeners.has(channel)) continue;
      this.#subscribed.delete(channel);
      await this.#timed(redis, redis.unsubscribe(channel));
    }
  }

  #isTuned(): boolean {
    return this.#listeners.size === this.#subscribed.size &&
      [...this.#subscribed].every((channel) => this.#listeners.has(channel));
  }

  /** A silent connection looks just like one on which nothing happens. */
  async #check(redis: Redis): Promise<void> {
    const { client, keys } = this.#settings;
    await this.#timed(redis, redis.ping());
    if (this.#listeners.has(keys.events)) await this.#mark(client.closing);
  }

  /** Destroys the connection unless it answers in time. */
  async #timed(redis: Redis, answer: Promise<unknown>): Promise<void> {
    const { clock, commandTimeout } = this.#settings;
    const disarm = clock.timer(commandTimeout, () => redis.stream?.destroy());
    try {
      await answer;
    } finally {
      disarm();
    }
  }

  async #mark(signal: AbortSignal): Promise<void> {
    const { client, keys } = this.#settings;
    await client.run(watch.call(keys, { span: WATCHED }), { what: "watch", signal });
  }

  /** Looks at each piece of news until it is so. */
  #until(isSo: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!isSo()) return;
        this.#news.delete(look);
        resolve();
      };
      this.#news.add(look);
      look();
    });
  }

  #announce(): void {
    for (const look of [...this.#news]) look();
  }
}

/** A listener's own fault must not cost the others theirs. */
function tell<T>(listener: (told: T) => void, told: T): void {
  try {
    listener(told);
  } catch (error) {
    log.error("A listener failed: {error}", { error });
  }
}

/** `D` and milliseconds; `K`, a generation and its key. Other letters are of a later version. */
function readNotice(message: Buffer): Notice | undefined {
  const text = message.toString();
  if (text === "G") return { kind: "gap" };
  if (text[0] === "D") return { kind: "due", in: Number(text.slice(1)) };
  if (text[0] === "K") {
    return { kind: "cancel", generation: text.slice(1, 23), key: text.slice(23) };
  }
}

const STATES: Readonly<Record<string, StateChange["state"]>> = {
  A: "queued",
  S: "scheduled",
  W: "waiting",
  R: "running",
  C: "completed",
  F: "failed",
  X: "cancelled",
  D: "dead",
};

const BAR = 124;
const COLON = 58;

/** Events in the form that `scripts/_common.ts` writes, one behind the other. */
function readChanges(message: Buffer, change: (change: Change) => void): void {
  let at = 0;
  /** Up to the next such sign, and past it. */
  const next = (sign: number) => {
    const end = message.indexOf(sign, at);
    const text = message.toString("latin1", at, end);
    at = end < 0 ? message.length : end + 1;
    return text;
  };
  const take = (length: number) => message.toString("utf8", at, at += length);
  while (at < message.length) {
    const head = message.toString("latin1", at, at += 1 + ID_LENGTH);
    const [when, attempt, detail] = [next(BAR), next(BAR), next(BAR)];
    const [keyLength, textLength] = [Number(next(COLON)), Number(next(COLON))];
    if (!(at + keyLength + textLength <= message.length)) return; // not ours
    const heard = readChange({
      letter: head[0],
      generation: head.slice(1),
      at: Number(when),
      attempt: Number(attempt),
      detail,
      key: take(keyLength),
      text: take(textLength),
    });
    if (heard) tell(change, heard);
  }
}

/** One event. */
interface Event {
  readonly letter: string;
  readonly generation: string;
  readonly at: Millis;
  readonly attempt: number;
  readonly detail: string;
  readonly key: string;
  readonly text: string;
}

/** Letters that are not known here are of a later version. */
function readChange(
  { letter, generation, at, attempt, detail, key, text }: Event,
): Change | undefined {
  switch (letter) {
    case "M":
      return { kind: "mark", mark: generation };
    case "K":
      return { kind: "cancelling", key, generation };
    case "P":
      return { kind: "progress", key, generation, at, progress: readProgress(`${detail}|${text}`) };
  }
  const state = STATES[letter];
  if (!state) return undefined;
  const consumer = text || undefined;
  const reason = letter === "X" ? readReason(detail) : undefined;
  return { kind: "state", key, generation, state, at, attempt, consumer, reason };
}

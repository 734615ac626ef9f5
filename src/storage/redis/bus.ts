/**
 * Pub/sub on a connection of its own, which exists while somebody listens and comes back by itself.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import { getLogger } from "@logtape/logtape";
import type { Redis } from "ioredis";
import { type Clock, type Millis, sleep } from "../../base/clock.ts";
import { Backoff } from "../../base/loop.ts";
import type { Change, Notice } from "../contract.ts";
import type { Client } from "./client.ts";
import type { Connection } from "./connection.ts";
import type { Keys } from "./keys.ts";
import { watch } from "./scripts/watch.ts";

const log = getLogger(["docket", "redis"]);

/** Events are published for so long after the last mark. */
const WATCHED: Millis = 20_000;

/** How often the mark is renewed, and the connection asked whether it still lives. */
const PULSE: Millis = 5_000;

type Listener = (message: Buffer) => void;

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
  /** What the present connection is subscribed to, and who waits for more. */
  #subscribed = new Map<string, Promise<unknown>>();
  #redis?: Redis;
  #running = false;
  /** Wakes the loop: somebody came or went, or the connection broke. */
  #wake = () => {};

  constructor(settings: BusSettings) {
    this.#settings = settings;
  }

  /** Hears notices until the signal aborts. */
  listen(notice: (notice: Notice) => void, signal: AbortSignal): Promise<void> {
    const { wake } = this.#settings.keys;
    return this.#subscribe(wake, (message) => {
      const heard = readNotice(message);
      if (heard) notice(heard);
    }, signal);
  }

  /** Hears changes until the signal aborts: also asks for them to be published. */
  async watch(change: (change: Change) => void, signal: AbortSignal): Promise<void> {
    const { events } = this.#settings.keys;
    // Subscribed first, marked then: what changes after this resolves is heard (invariant 64).
    await this.#subscribe(events, (message) => readChanges(message, change), signal);
    if (!signal.aborted) {
      await this.#mark(signal).catch((error) => {
        if (!signal.aborted) throw error;
      });
    }
  }

  async #subscribe(channel: string, listener: Listener, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const listeners = this.#listeners.get(channel) ?? new Set();
    this.#listeners.set(channel, listeners.add(listener));
    signal.addEventListener("abort", () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(channel) === listeners) {
        this.#listeners.delete(channel);
      }
      this.#wake();
    }, { once: true });
    void this.#run();
    this.#wake();
    await this.#heard(channel, signal);
  }

  /** Resolves once the channel is subscribed to. */
  #heard(channel: string, signal: AbortSignal): Promise<void> {
    const { client } = this.#settings;
    return new Promise((resolve, reject) => {
      const settle = () => {
        this.#waiters.delete(look);
        signal.removeEventListener("abort", look);
        client.closing.removeEventListener("abort", look);
      };
      const look = () => {
        if (client.closing.aborted) reject(client.closing.reason);
        else if (signal.aborted || this.#confirmed.has(channel)) resolve();
        else return;
        settle();
      };
      this.#waiters.add(look);
      signal.addEventListener("abort", look);
      client.closing.addEventListener("abort", look);
      look();
    });
  }

  readonly #waiters = new Set<() => void>();
  #confirmed = new Set<string>();

  /** Keeps a subscribed connection while anybody listens. */
  async #run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    const { client, clock } = this.#settings;
    const connection = client.connection();
    const backoff = new Backoff(20, 1_000);
    try {
      while (this.#listeners.size > 0 && !client.closed) {
        try {
          await this.#attend(connection, backoff);
        } catch {
          // Whatever it was, a listener waits for ever: the loss itself was logged where it was seen.
        }
        this.#forget();
        connection.drop();
        if (this.#listeners.size > 0) await sleep(clock, backoff.next(), client.closing);
      }
    } finally {
      client.release(connection);
      this.#running = false;
      if (this.#listeners.size > 0 && !client.closed) void this.#run(); // somebody came just now
    }
  }

  /** Serves the listeners on one connection until it breaks, or nobody listens any more. */
  async #attend(connection: Connection, backoff: Backoff): Promise<void> {
    const { client, clock, keys } = this.#settings;
    const redis = await connection.ready();
    this.#redis = redis;
    redis.on("messageBuffer", (channel: Buffer, message: Buffer) => {
      for (const listener of this.#listeners.get(channel.toString()) ?? []) {
        try {
          listener(message);
        } catch (error) {
          log.error("A listener failed: {error}", { error }); // its own fault must not cost the others theirs
        }
      }
    });
    let broken = false;
    redis.once("close", () => {
      broken = true;
      this.#wake();
    });
    let pulse = clock.monotonic() + PULSE;
    while (this.#listeners.size > 0 && !broken && !client.closed) {
      for (const channel of this.#listeners.keys()) {
        if (this.#subscribed.has(channel)) continue;
        const answer = this.#timed(redis, redis.subscribe(channel));
        this.#subscribed.set(channel, answer);
        await answer;
        this.#confirmed.add(channel);
        backoff.reset();
        for (const look of [...this.#waiters]) look();
      }
      if (clock.monotonic() >= pulse) {
        // A silent connection looks just like one on which nothing happens.
        await this.#timed(redis, redis.ping());
        if (this.#listeners.has(keys.events)) await this.#mark(client.closing);
        pulse = clock.monotonic() + PULSE;
      }
      await this.#nap(pulse - clock.monotonic());
    }
  }

  /** Sleeps until something happens. */
  #nap(delay: Millis): Promise<void> {
    return new Promise((resolve) => {
      const { client, clock } = this.#settings;
      const wake = () => {
        disarm();
        client.closing.removeEventListener("abort", wake);
        resolve();
      };
      const disarm = clock.timer(delay, wake);
      client.closing.addEventListener("abort", wake);
      this.#wake = wake;
      // What happened between the last look and now has nobody to wake.
      const unserved = [...this.#listeners.keys()].some((channel) =>
        !this.#subscribed.has(channel)
      );
      if (unserved || this.#listeners.size === 0 || client.closed) wake();
    });
  }

  async #timed(redis: Redis, answer: Promise<unknown>): Promise<void> {
    const { clock, commandTimeout } = this.#settings;
    const disarm = clock.timer(commandTimeout, () => {
      redis.disconnect();
      redis.stream?.destroy();
    });
    try {
      await answer;
    } finally {
      disarm();
    }
  }

  #forget(): void {
    this.#redis?.removeAllListeners("messageBuffer");
    this.#redis = undefined;
    this.#subscribed = new Map();
    this.#confirmed = new Set();
  }

  async #mark(signal: AbortSignal): Promise<void> {
    const { client, keys } = this.#settings;
    await client.run(watch.call(keys, { span: WATCHED }), { what: "watch", signal });
  }
}

/** `D` and milliseconds; `K`, a generation and its key. Other letters are of a later version. */
function readNotice(message: Buffer): Notice | undefined {
  const text = message.toString();
  if (text[0] === "D") return { kind: "due", in: Number(text.slice(1)) };
  if (text[0] === "K") {
    return { kind: "cancel", generation: text.slice(1, 23), key: text.slice(23) };
  }
}

const STATES: Readonly<Record<string, Change["state"]>> = {
  A: "queued",
  T: "retried",
  C: "completed",
  F: "failed",
  X: "cancelled",
  D: "dead",
  K: "cancelling",
};

const COLON = 58;

/** Letter, generation, length of the key in bytes, colon, key; and so on. */
function readChanges(message: Buffer, change: (change: Change) => void): void {
  for (let at = 0; at < message.length;) {
    const state = STATES[String.fromCharCode(message[at])];
    const generation = message.toString("latin1", at + 1, at + 23);
    const colon = message.indexOf(COLON, at + 23);
    if (colon < 0) return;
    const end = colon + 1 + Number(message.toString("latin1", at + 23, colon));
    if (!(end <= message.length)) return; // not ours
    if (state) change({ state, generation, key: message.toString("utf8", colon + 1, end) });
    at = end;
  }
}

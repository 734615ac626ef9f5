/**
 * How Redis is called: every command has a deadline, and this is the one place that calls again (invariants 70, 71).
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import type { Redis, RedisOptions } from "ioredis";
import { type Clock, type Millis, sleep } from "../../base/clock.ts";
import { ConnectionError, ProtocolError, StorageFullError } from "../../base/errors.ts";
import { Backoff } from "../../base/loop.ts";
import { Connection } from "./connection.ts";
import { bare, codeOf, judge, NoAnswer } from "./failures.ts";
import type { Invocation } from "./script.ts";

const log = getLogger(["docket", "redis"]);

/** A blocking read may come back so much later than it was told to. */
const BLOCKING_MARGIN: Millis = 5_000;

/** What a {@linkcode Client} needs. */
export interface ClientSettings {
  readonly redis: RedisOptions;
  /** Shown in messages: without secrets. */
  readonly url: string;
  readonly clock: Clock;
  readonly commandTimeout: Millis;
  readonly connectTimeout: Millis;
}

/** How long a call is worth trying: until the signal aborts; without one, for the command timeout. */
export interface Patience {
  readonly signal?: AbortSignal;
  /** What is done, as in "Cannot ‹schedule tasks›: …". */
  readonly what: string;
  /** What a caller must know when the outcome stays unknown. */
  readonly unknown?: string;
  /** Whether a full Redis is reported, rather than waited for. */
  readonly failsWhenFull?: boolean;
}

/** All connections of one storage. */
export class Client {
  readonly #settings: ClientSettings;
  readonly #commands: Connection;
  readonly #idle: Connection[] = [];
  readonly #all = new Set<Connection>();
  readonly #closing = new AbortController();
  #lost = false;

  constructor(settings: ClientSettings) {
    this.#settings = settings;
    this.#commands = this.connection();
  }

  /** Where it connects to, without secrets. */
  get url(): string {
    return this.#settings.url;
  }

  /** Whether it was closed. */
  get closed(): boolean {
    return this.#closing.signal.aborted;
  }

  /** Aborts when it is closed. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** A connection of its own, closed with this client at the latest. */
  connection(): Connection {
    const { redis, clock, connectTimeout } = this.#settings;
    const connection = new Connection({
      redis,
      clock,
      connectTimeout,
      onReady: () => this.#noteBack(),
      onLost: (cause) => this.#noteLost(cause),
    });
    this.#all.add(connection);
    return connection;
  }

  /** Closes a connection that {@linkcode connection} gave. */
  release(connection: Connection): void {
    connection.close();
    this.#all.delete(connection);
  }

  /**
   * Makes sure that somebody answers, within the connect timeout.
   *
   * @throws {ConnectionError} When nobody does.
   */
  async open(signal?: AbortSignal): Promise<void> {
    const what = "connect";
    const until = this.#settings.clock.monotonic() + this.#settings.connectTimeout;
    await this.#persist(
      { what, signal },
      until,
      (left) => this.#attempt(this.#commands, left, signal, (redis) => redis.ping()),
      true,
    );
  }

  /** Runs a script; the same bytes again while its outcome is unknown (invariant 27). */
  run<Reply>(invocation: Invocation<Reply>, patience: Patience): Promise<Reply> {
    const { sha, source, operands } = invocation;
    const call = async (redis: Redis): Promise<Reply> => {
      let raw: unknown;
      try {
        raw = await redis.call("EVALSHA", [sha, ...operands]);
      } catch (error) {
        if (codeOf(error) !== "NOSCRIPT") throw error;
        raw = await redis.call("EVAL", [source, ...operands]);
      }
      return invocation.read(raw);
    };
    return this.#retry(patience, call);
  }

  /** Runs one command. */
  command(name: string, args: readonly (string | number)[], patience: Patience): Promise<unknown> {
    return this.#retry(patience, (redis) => redis.call(name, [...args]));
  }

  /**
   * Runs one blocking command on a connection that nothing else uses, once. When the signal aborts, the connection is
   * destroyed with it, so that nothing is delivered to nobody.
   */
  async block(
    name: string,
    args: readonly (string | number)[],
    block: Millis,
    signal?: AbortSignal,
  ): Promise<unknown> {
    const connection = this.#idle.pop() ?? this.connection();
    try {
      const reply = await this.#attempt(
        connection,
        block + BLOCKING_MARGIN,
        signal,
        (redis) => redis.call(name, [...args]),
      );
      this.#idle.push(connection);
      return reply;
    } catch (error) {
      const answered = codeOf(error) !== undefined;
      if (answered && !this.closed) this.#idle.push(connection);
      else this.release(connection);
      throw error;
    }
  }

  /** Destroys every socket. What is under way rejects; nothing is left to keep the process alive (invariant 74). */
  close(): void {
    const { url } = this.#settings;
    this.#closing.abort(new ConnectionError(`Cannot reach ${url}: the storage is closed`));
    for (const connection of this.#all) connection.close();
    this.#all.clear();
    this.#idle.length = 0;
  }

  #retry<T>(patience: Patience, call: (redis: Redis) => Promise<T>): Promise<T> {
    const { clock, commandTimeout } = this.#settings;
    const { signal } = patience;
    const until = signal ? undefined : clock.monotonic() + commandTimeout;
    return this.#persist(
      patience,
      until,
      (left) => this.#attempt(this.#commands, Math.min(left, commandTimeout), signal, call),
    );
  }

  /** Tries until it works, fails for good, or nobody waits any more. */
  async #persist<T>(
    patience: Patience,
    until: Millis | undefined,
    attempt: (left: Millis) => Promise<T>,
    hasty = false,
  ): Promise<T> {
    const { clock } = this.#settings;
    const { signal } = patience;
    const backoff = new Backoff(20, 1_000);
    let unknown = false;
    for (;;) {
      signal?.throwIfAborted();
      this.#closing.signal.throwIfAborted();
      let failure: unknown;
      try {
        return await attempt(until === undefined ? Infinity : until - clock.monotonic());
      } catch (error) {
        failure = error;
      }
      signal?.throwIfAborted();
      this.#closing.signal.throwIfAborted();
      const judgement = judge(failure);
      unknown ||= codeOf(failure) === undefined; // a reply error says that nothing was done
      const delay = backoff.next();
      const late = until !== undefined && clock.monotonic() + delay >= until;
      switch (judgement.kind) {
        case "broken":
          throw new ProtocolError(
            `Cannot ${patience.what}: Redis answered ${JSON.stringify(bare(failure).message)}`,
            { cause: bare(failure) },
          );
        case "full":
          if (patience.failsWhenFull || late) {
            throw new StorageFullError(
              `Cannot ${patience.what}: ${this.#settings.url} has no memory left, and nothing was written`,
              { cause: bare(failure) },
            );
          }
          break;
        case "refused":
          // With a signal it is tried again: passwords are rotated while workers run.
          if (until !== undefined) throw this.#failed(patience, failure, unknown);
          break;
        case "again":
          if (judgement.drop) this.#commands.drop();
          if (late || (hasty && codeOf(failure) === undefined)) {
            throw this.#failed(patience, failure, unknown);
          }
          break;
        case "unknown script":
          if (late) throw this.#failed(patience, failure, unknown);
          break;
      }
      await this.#pause(delay, signal);
    }
  }

  /** One try, with a deadline after which the socket is destroyed: whoever stays silent may stay so for ever. */
  #attempt<T>(
    connection: Connection,
    deadline: Millis,
    signal: AbortSignal | undefined,
    call: (redis: Redis) => Promise<T>,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      let client: Redis | undefined;
      let over = false;
      const end = () => {
        over = true;
        disarm();
        signal?.removeEventListener("abort", abort);
      };
      const fail = (error: unknown) => {
        if (over) return;
        end();
        reject(error);
      };
      const abort = () => fail(signal?.reason);
      const disarm = this.#settings.clock.timer(deadline, () => {
        fail(new NoAnswer(`no answer within ${Math.round(deadline)} ms`));
        connection.drop(client);
      });
      signal?.addEventListener("abort", abort);
      const send = (redis: Redis) => {
        if (over) return;
        client = redis;
        call(redis).then((value) => {
          if (over) return;
          end();
          resolve(value);
        }, fail);
      };
      if (connection.client) send(connection.client);
      else connection.ready().then(send, fail);
    });
  }

  async #pause(delay: Millis, signal?: AbortSignal): Promise<void> {
    const { clock } = this.#settings;
    const both = signal ? AbortSignal.any([signal, this.#closing.signal]) : this.#closing.signal;
    await sleep(clock, delay, both);
  }

  #failed(patience: Patience, failure: unknown, unknown: boolean): ConnectionError {
    const cause = bare(failure);
    const more = unknown && patience.unknown ? `; ${patience.unknown}` : "";
    return new ConnectionError(
      `Cannot ${patience.what}: ${this.#settings.url}: ${cause.message}${more}`,
      { cause },
    );
  }

  #noteLost(cause: Error): void {
    if (this.#lost || this.closed) return;
    this.#lost = true;
    log.warn("Lost the connection to {url}: {reason}", {
      url: this.#settings.url,
      reason: cause.message,
    });
  }

  #noteBack(): void {
    if (!this.#lost) return;
    this.#lost = false;
    log.info("The connection to {url} is back", { url: this.#settings.url });
  }
}

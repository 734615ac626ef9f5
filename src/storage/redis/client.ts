/**
 * How Redis is called: every command has a deadline, and is sent again while that makes sense (invariants 70, 71).
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import type { Redis } from "ioredis";
import { type Clock, type Millis, sleep } from "../../base/clock.ts";
import { ConnectionError, ProtocolError, StorageFullError } from "../../base/errors.ts";
import { meters } from "../../instrumentation/meters.ts";
import type { Replication } from "../contract.ts";
import { Connection } from "./connection.ts";
import { bare, codeOf, isAbsent, isElsewhere, judge, NoAnswer } from "./failures.ts";
import type { Keys } from "./keys.ts";
import { describeDenied, describeKeys, neededCommands } from "./permissions.ts";
import { BLOCKING_MARGIN, DOUBT, longestTry, pauses, SHORTEST_TRY } from "./policy.ts";
import type { Invocation } from "./script.ts";
import { deniedOf } from "./scripts/permitted.ts";
import type { Topology } from "./topology.ts";

const log = getLogger(["docket", "redis"]);

/** What a {@linkcode Client} needs. */
export interface ClientSettings {
  readonly topology: Topology;
  /** The name of the docket. */
  readonly docket: string;
  readonly keys: Keys;
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

/** How a call differs from the others. */
interface Detour {
  readonly connection?: Connection;
  /** How much longer than others it may take. */
  readonly longer?: Millis;
}

/** A call of a script, or what makes one of the time for which it has been sent again and again; first of nothing. */
export type Repeated<Reply> = Invocation<Reply> | ((underWay?: Millis) => Invocation<Reply>);

/** All connections of one storage. */
export class Client {
  readonly #settings: ClientSettings;
  readonly #commands: Connection;
  readonly #idle: Connection[] = [];
  readonly #all = new Set<Connection>();
  readonly #closing = new AbortController();
  #lost = false;
  /** Begins with the first connection. */
  #following?: Promise<void>;

  constructor(settings: ClientSettings) {
    this.#settings = settings;
    this.#commands = this.connection();
  }

  /** Where it connects to, without secrets. */
  get url(): string {
    return this.#settings.url;
  }

  /** How long a try of a command may take, and all of a caller's tries. */
  get commandTimeout(): Millis {
    return this.#settings.commandTimeout;
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
    const { topology, clock, connectTimeout } = this.#settings;
    const connection = new Connection({
      topology,
      clock,
      connectTimeout,
      onLost: (cause) => this.#noteLost(cause),
      onConnected: (place) => this.#gather(place),
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
      (left) => this.#commands.call((redis) => redis.ping(), left, signal),
      true,
    );
  }

  /** Runs a script; the same bytes again while its outcome is unknown (invariant 27), unless it is to be told that. */
  run<Reply>(invocation: Repeated<Reply>, patience: Patience): Promise<Reply> {
    const next = this.#dated(invocation);
    return this.#retry(patience, (redis) => this.#evaluate(redis, next()));
  }

  /**
   * Runs a script, and waits until replicas have what it wrote, or found written; tells how many have by the end of the
   * timeout. It has a connection of its own, as others would wait along.
   *
   * @param mark A key to write: of a script that found all done there would be nothing to wait for.
   */
  async runReplicated<Reply>(
    invocation: Repeated<Reply>,
    { replicas, timeout }: Replication,
    mark: string,
    patience: Patience,
  ): Promise<{ readonly reply: Reply; readonly acknowledged: number }> {
    const connection = this.#idle.pop() ?? this.connection();
    const next = this.#dated(invocation);
    let isIdle = false;
    try {
      const result = await this.#retry(patience, async (redis) => {
        const reply = await this.#evaluate(redis, next());
        return { reply, acknowledged: await confirm(redis, mark, replicas, timeout) };
      }, { connection, longer: timeout });
      isIdle = !this.closed;
      return result;
    } finally {
      if (isIdle) this.#idle.push(connection);
      else this.release(connection);
    }
  }

  async #evaluate<Reply>(redis: Redis, invocation: Invocation<Reply>): Promise<Reply> {
    try {
      return await evaluate(redis, invocation);
    } catch (error) {
      throw codeOf(error) === "NOPERM" ? await this.#named(redis, error as Error) : error;
    }
  }

  /** Redis 7.0 says that a script was refused a command, and not which: it is asked. */
  async #named(redis: Redis, refusal: Error): Promise<Error> {
    const { keys } = this.#settings;
    const needed = neededCommands(keys);
    let said: string | undefined;
    try {
      const denied = await evaluate(redis, deniedOf(keys, needed));
      said = describeDenied(denied ?? [], needed, keys);
    } catch {
      // Not even that is allowed, for the same reason; or it is gone.
      if (/\bkeys?\b/.test(refusal.message)) said = describeKeys(keys);
    }
    if (said) refusal.message = `NOPERM the user may not ${said}`;
    return refusal;
  }

  /** Runs one command. */
  command(name: string, args: readonly (string | number)[], patience: Patience): Promise<unknown> {
    return this.#retry(patience, (redis) => redis.call(name, [...args]));
  }

  /**
   * Runs one quick command to see whether anybody answers. Where the network has swallowed something, a connection stays
   * silent although the server answers everybody else, until a deadline passes. So a fresh one is tried meanwhile: when
   * that is answered first the old one is dead, and everybody is better off with another.
   */
  async inquire(
    name: string,
    args: readonly (string | number)[],
    patience: Patience,
  ): Promise<unknown> {
    const answered = new AbortController();
    const doubting = this.#doubt(answered.signal);
    try {
      return await this.command(name, args, patience);
    } finally {
      answered.abort();
      await doubting;
    }
  }

  async #doubt(signal: AbortSignal): Promise<void> {
    const { clock } = this.#settings;
    for (;;) {
      await sleep(clock, DOUBT, signal);
      if (signal.aborted || this.closed) return;
      const fresh = this.connection();
      try {
        await fresh.call((redis) => redis.ping(), DOUBT, signal);
        this.#commands.renew();
      } catch {
        // Nobody is answered, and there is nothing to be gained by another connection.
      } finally {
        this.release(fresh);
      }
    }
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
      const call = (redis: Redis) => redis.call(name, [...args]);
      const reply = await connection.call(call, block + BLOCKING_MARGIN, signal);
      this.#idle.push(connection);
      return reply;
    } catch (error) {
      const answered = codeOf(error) !== undefined;
      if (answered && !this.closed) this.#idle.push(connection);
      else this.release(connection);
      if (isElsewhere(error)) this.#leave();
      throw error;
    }
  }

  /**
   * Resolves when the server has surely noticed which sockets were destroyed before: it answers somebody who came after
   * that. Never rejects; a server that does not answer ends them all by itself.
   */
  async noticed(): Promise<void> {
    const connection = this.connection();
    try {
      await connection.call((redis) => redis.ping(), this.#settings.commandTimeout);
    } catch {
      // Then there is nothing to be noticed any more, or nobody who could.
    } finally {
      this.release(connection);
    }
  }

  /** Destroys every socket. What is under way rejects; nothing is left to keep the process alive (invariant 74). */
  close(): void {
    this.#closing.abort(new ConnectionError(`Cannot reach ${this.url}: the storage is closed`));
    for (const connection of this.#all) connection.close();
    this.#all.clear();
    this.#idle.length = 0;
  }

  /** All connections lead to one server: where one is led elsewhere, the others follow. */
  #gather(place: string): void {
    this.#following ??= this.#settings.topology.follow?.(
      (place) => this.#gather(place),
      this.closing,
    );
    for (const connection of this.#all) connection.follow(place);
  }

  #dated<Reply>(invocation: Repeated<Reply>): () => Invocation<Reply> {
    if (typeof invocation !== "function") return () => invocation;
    const { clock } = this.#settings;
    let sentAt: Millis | undefined;
    return () => {
      const now = clock.monotonic();
      const underWay = sentAt === undefined ? undefined : now - sentAt;
      sentAt ??= now;
      return invocation(underWay);
    };
  }

  #retry<T>(
    patience: Patience,
    call: (redis: Redis) => Promise<T>,
    { connection = this.#commands, longer = 0 }: Detour = {},
  ): Promise<T> {
    const { clock } = this.#settings;
    const { signal } = patience;
    const { commandTimeout } = this.#settings;
    const until = signal ? undefined : clock.monotonic() + commandTimeout + longer;
    const longest = longestTry(commandTimeout, signal !== undefined) + longer;
    return this.#persist(
      patience,
      until,
      (left) => connection.call(call, Math.min(left, longest), signal),
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
    const backoff = pauses();
    let unknown = false;
    for (;;) {
      signal?.throwIfAborted();
      this.closing.throwIfAborted();
      let failure: unknown;
      try {
        const value = await attempt(until === undefined ? Infinity : until - clock.monotonic());
        if (this.#lost) this.#noteBack();
        return value;
      } catch (error) {
        failure = error;
      }
      signal?.throwIfAborted();
      this.closing.throwIfAborted();
      unknown ||= codeOf(failure) === undefined; // a reply error says that nothing was done
      const left = until === undefined ? Infinity : until - clock.monotonic();
      const last = left < SHORTEST_TRY || (hasty && isAbsent(failure));
      const error = this.#giveUp(failure, patience, { last, unknown });
      if (error) throw error;
      this.#noteLost(bare(failure));
      if (isElsewhere(failure)) this.#leave();
      await this.#pause(Math.min(backoff.next(), left / 2), signal);
    }
  }

  /** What to reject with, if it is not to be tried again. */
  #giveUp(
    failure: unknown,
    patience: Patience,
    { last, unknown }: { readonly last: boolean; readonly unknown: boolean },
  ): Error | undefined {
    const cause = bare(failure);
    const cannot = `Cannot ${patience.what}: ${this.url}`;
    switch (judge(failure)) {
      case "again":
        break;
      case "refused":
        // With a signal it is tried again: passwords are changed while workers run. A right that is missing will be
        // missing in a second, too, and is not to be taken for a lost connection.
        last ||= !patience.signal || codeOf(failure) === "NOPERM";
        break;
      case "full":
        if (!last && !patience.failsWhenFull) return undefined;
        return new StorageFullError(`${cannot} ${lack(failure)}, and nothing was written`, {
          cause,
        });
      case "broken":
        return new ProtocolError(`${cannot} answered ${JSON.stringify(cause.message)}`, { cause });
    }
    if (!last) return undefined;
    const more = unknown && patience.unknown ? `; ${patience.unknown}` : "";
    return new ConnectionError(`${cannot}: ${cause.message}${more}`, { cause });
  }

  /** The server is not the one that is meant any more: readers and listeners must not stay with it either. */
  #leave(): void {
    for (const connection of this.#all) connection.drop();
  }

  async #pause(delay: Millis, signal?: AbortSignal): Promise<void> {
    const { clock } = this.#settings;
    const both = signal ? AbortSignal.any([signal, this.closing]) : this.closing;
    await sleep(clock, delay, both);
  }

  #noteLost(cause: Error): void {
    if (this.#lost || this.closed) return;
    this.#lost = true;
    const { docket } = this.#settings;
    if (meters.look()) meters.count("docket_redis_disruptions", { docket });
    log.warn("Cannot use {url} for now: {reason}", { url: this.url, reason: cause.message });
  }

  #noteBack(): void {
    this.#lost = false;
    log.info("{url} answers again", { url: this.url });
  }
}

async function evaluate<Reply>(redis: Redis, invocation: Invocation<Reply>): Promise<Reply> {
  const { sha, source, operands } = invocation;
  let raw: unknown;
  try {
    raw = await redis.call("EVALSHA", [sha, ...operands]);
  } catch (error) {
    if (codeOf(error) !== "NOSCRIPT") throw error;
    raw = await redis.call("EVAL", [source, ...operands]);
  }
  return invocation.read(raw);
}

/**
 * How many replicas have all that was written before. WAIT looks at what its own connection wrote: a connection that
 * wrote nothing would be told at once that all have it.
 */
async function confirm(
  redis: Redis,
  mark: string,
  replicas: number,
  timeout: Millis,
): Promise<number> {
  const written = redis.call("SET", [mark, "", "PX", 1_000]);
  const waited = redis.call("WAIT", [replicas, timeout]);
  const [mine, theirs] = await Promise.allSettled([written, waited]); // the connection is used again
  // What was to be replicated is written. A server that refuses to say how far it has got says that of none.
  const failed = [mine, theirs].find(({ status }) => status === "rejected");
  if (!failed) return Number((theirs as PromiseFulfilledResult<unknown>).value);
  const { reason } = failed as PromiseRejectedResult;
  if (codeOf(reason) !== undefined && !isElsewhere(reason)) return 0;
  throw new NoAnswer(bare(reason).message);
}

/** What a full Redis has no room in. */
function lack(failure: unknown): string {
  return codeOf(failure) === "MISCONF" ? "cannot save to its disk" : "has no memory left";
}

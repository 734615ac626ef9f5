/**
 * One connection: made on demand, destroyed on suspicion, made anew on demand. It never retries by itself.
 *
 * @module
 */

import { Redis, type RedisOptions } from "ioredis";
import type { Clock, Millis } from "../../base/clock.ts";
import { onAbort } from "../../base/abort.ts";
import { bare, ConnectFailure, NoAnswer } from "./failures.ts";

/** What a {@linkcode Connection} needs. */
export interface ConnectionSettings {
  readonly redis: RedisOptions;
  readonly clock: Clock;
  readonly connectTimeout: Millis;
  /** Called when one breaks that was not broken on purpose. */
  readonly onLost: (cause: Error) => void;
}

/** A connection to Redis that comes back when it is asked for. */
export class Connection {
  readonly #settings: ConnectionSettings;
  #client?: Redis;
  #opening?: Promise<Redis>;
  /** The client that is still connecting. */
  #half?: Redis;
  #closed = false;

  constructor(settings: ConnectionSettings) {
    this.#settings = settings;
  }

  /**
   * The client, connected first where that is needed. One try: its callers share it.
   *
   * @throws {ConnectFailure} When it cannot be connected.
   */
  ready(): Promise<Redis> {
    if (this.#client) return Promise.resolve(this.#client);
    return this.#opening ??= this.#open().finally(() => this.#opening = undefined);
  }

  /**
   * Makes one try, with a deadline after which the socket is destroyed: who stays silent may stay so for ever
   * (invariant 71). When the signal aborts, nobody waits for the answer any more.
   */
  call<T>(
    command: (redis: Redis) => Promise<T>,
    deadline: Millis,
    signal?: AbortSignal,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      let client: Redis | undefined;
      let over = false;
      const end = () => {
        over = true;
        disarm();
        deafen?.();
      };
      const fail = (error: unknown) => {
        if (over) return;
        end();
        reject(error);
      };
      const disarm = this.#settings.clock.timer(deadline, () => {
        fail(new NoAnswer(`no answer within ${Math.round(deadline)} ms`));
        if (client) this.drop(client);
      });
      const deafen = signal && onAbort(signal, () => fail(signal.reason));
      const send = (redis: Redis) => {
        if (over) return;
        client = redis;
        command(redis).then((value) => {
          if (over) return;
          end();
          resolve(value);
        }, fail);
      };
      if (this.#client) send(this.#client);
      else this.ready().then(send, fail);
    });
  }

  /** Destroys the socket: what is under way on it fails at once. */
  drop(client: Redis | undefined = this.#client): void {
    if (client === undefined) return;
    if (this.#client === client) this.#client = undefined;
    destroy(client);
  }

  /** Destroys the socket, also one that is still connecting: the next call makes another. */
  renew(): void {
    this.drop();
    if (this.#half) destroy(this.#half);
  }

  /** Destroys the socket for good, also one that is still connecting. */
  close(): void {
    this.#closed = true;
    this.renew();
  }

  async #open(): Promise<Redis> {
    const { redis, clock, connectTimeout } = this.#settings;
    if (this.#closed) throw new ConnectFailure("closed", { cause: new Error("closed") });
    const client = new Redis(redis);
    this.#half = client;
    let failure: unknown;
    // Also for later: an 'error' without a listener would be printed.
    client.on("error", (error) => failure ??= error);
    // ioredis times the connecting of the socket, not the handshake on it (invariant 71).
    const disarm = clock.timer(connectTimeout, () => {
      failure ??= new NoAnswer(`no answer within ${connectTimeout} ms`);
      destroy(client);
    });
    try {
      await client.connect();
      if (failure) throw failure; // a refused SELECT: the client would go on, in the wrong database
      if (this.#closed) throw new Error("closed");
    } catch (error) {
      destroy(client);
      const cause = failure ?? error;
      throw new ConnectFailure(bare(cause, redis.password).message, { cause });
    } finally {
      disarm();
      this.#half = undefined;
    }
    client.once("close", () => {
      if (this.#client !== client) return; // dropped on purpose
      this.#client = undefined;
      this.#settings.onLost(bare(failure ?? new Error("the server closed it")));
    });
    return this.#client = client;
  }
}

function destroy(client: Redis): void {
  if (client.status === "end" || client.status === "close") return;
  client.disconnect();
  // Without this a silent peer would keep the socket half open for seconds.
  client.stream?.destroy();
}

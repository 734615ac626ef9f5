/**
 * One connection: made on demand, destroyed on suspicion, made anew on demand. It never retries by itself.
 *
 * @module
 */

import { Redis } from "ioredis";
import type { Clock, Millis } from "../../base/clock.ts";
import { onAbort } from "../../base/abort.ts";
import { bare, conceal, ConnectFailure, isElsewhere, NoAnswer } from "./failures.ts";
import type { Place, Topology } from "./topology.ts";
import { type NextTurn, Vigil } from "./vigil.ts";

/** What a {@linkcode Connection} needs. */
export interface ConnectionSettings {
  /** Says where to connect to, each time. */
  readonly topology: Topology;
  readonly clock: Clock;
  readonly connectTimeout: Millis;
  /** Called when one breaks that was not broken on purpose. */
  readonly onLost: (cause: Error) => void;
  /** Called when one is there, with the name of the place. */
  readonly onConnected?: (place: string) => void;
  /** @default the event loop's */
  readonly nextTurn?: NextTurn;
}

/** A connection to Redis that comes back when it is asked for. */
export class Connection {
  readonly #settings: ConnectionSettings;
  readonly #vigil: Vigil;
  #client?: Redis;
  /** Where it leads to. */
  #place?: Place;
  #opening?: Promise<Redis>;
  /** Ends the try that is still connecting. */
  #attempt?: AbortController;
  /** Where that one leads to, once it is known. */
  #target?: Place;
  #closed = false;

  constructor(settings: ConnectionSettings) {
    this.#settings = settings;
    this.#vigil = new Vigil(settings.clock, settings.nextTurn);
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
        if (client) this.#vigil.end();
      };
      const fail = (error: unknown) => {
        if (over) return;
        end();
        reject(error);
      };
      const disarm = this.#settings.clock.timer(deadline, () => {
        fail(new NoAnswer(`no answer within ${Math.round(deadline)} ms`));
        if (client) this.#suspect(client);
      });
      const deafen = signal && onAbort(signal, () => fail(signal.reason));
      const send = (redis: Redis) => {
        if (over) return;
        client = redis;
        this.#vigil.begin();
        command(redis).then((value) => {
          if (over) return;
          end();
          resolve(value);
        }, (error) => {
          if (isElsewhere(error)) this.#leave(redis, error);
          fail(error);
        });
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
    this.#attempt?.abort(new Error("the connection was given up"));
  }

  /** Destroys the socket if it leads to another place, also one that is still connecting. */
  follow(place: string): void {
    if (this.#client && this.#place?.name !== place) this.drop();
    if (this.#target && this.#target.name !== place) {
      this.#attempt?.abort(new Error("the docket is elsewhere"));
    }
  }

  /** Destroys the socket for good, also one that is still connecting. */
  close(): void {
    this.#closed = true;
    this.renew();
  }

  async #open(): Promise<Redis> {
    const { topology, clock, connectTimeout } = this.#settings;
    if (this.#closed) throw new ConnectFailure("closed", { cause: new Error("closed") });
    const attempt = this.#attempt = new AbortController();
    // ioredis times the connecting of the socket, not the handshake on it (invariant 71).
    const disarm = clock.timer(connectTimeout, () => {
      attempt.abort(new NoAnswer(`no answer within ${connectTimeout} ms`));
    });
    let place: Place | undefined;
    try {
      place = this.#target = await topology.find(attempt.signal);
      return await this.#connect(place, attempt.signal);
    } catch (error) {
      if (place) topology.doubt(place);
      throw new ConnectFailure(bare(error).message, { cause: error });
    } finally {
      disarm();
      this.#attempt = undefined;
      this.#target = undefined;
    }
  }

  async #connect(place: Place, signal: AbortSignal): Promise<Redis> {
    const { topology, onConnected, onLost } = this.#settings;
    signal.throwIfAborted();
    const client = new Redis(place.redis);
    let failure: unknown;
    // Also for later: an 'error' without a listener would be printed.
    client.on("error", (error) => failure ??= error);
    const deafen = onAbort(signal, () => {
      failure ??= signal.reason;
      destroy(client);
    });
    try {
      await client.connect();
      if (failure) throw failure; // a refused SELECT: the client would go on, in the wrong database
      await topology.verify(client);
      if (this.#closed) throw new Error("closed");
    } catch (error) {
      destroy(client);
      throw conceal(failure ?? error, place.redis.password);
    } finally {
      deafen();
    }
    client.once("close", () => {
      if (this.#client !== client) return; // dropped on purpose
      this.#client = undefined;
      topology.doubt(place);
      onLost(bare(failure ?? new Error("the server closed it")));
    });
    this.#client = client;
    this.#place = place;
    onConnected?.(place.name);
    return client;
  }

  /** It did not answer: perhaps another server is to be asked. */
  #suspect(client: Redis): void {
    if (this.#client === client && this.#place) this.#settings.topology.doubt(this.#place);
    this.drop(client);
  }

  /** It answered that another server is to be asked. */
  #leave(client: Redis, failure: unknown): void {
    if (this.#client === client && this.#place) this.#settings.topology.heed(failure, this.#place);
    this.drop(client);
  }
}

function destroy(client: Redis): void {
  if (client.status === "end" || client.status === "close") return;
  client.disconnect();
  // Without this a silent peer would keep the socket half open for seconds.
  client.stream?.destroy();
}

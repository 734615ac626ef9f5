/**
 * Which server has the docket: asked before each connection is made, so that one question is open to all answers.
 *
 * @module
 */

import type { Redis, RedisOptions } from "ioredis";

/** A server that was found. */
export interface Place {
  /** `host:port`, for comparison only. */
  readonly name: string;
  /** The client's options for it. */
  readonly redis: RedisOptions;
}

/** Who knows which server has the docket. */
export interface Topology {
  /**
   * The server that has it now, as far as anybody knows. Rejects when nobody can be asked, or the signal aborts: without
   * an end of its own, as connecting has one.
   */
  find(signal: AbortSignal): Promise<Place>;

  /** Rejects when the server that a fresh connection leads to has it not. */
  verify(redis: Redis): Promise<void>;

  /** Learns from what a server answered that has it no more. */
  heed(failure: unknown, from: Place): void;

  /** Learns that a server did not answer, or hung up. */
  doubt(place: Place): void;

  /** Tells the name of the place whenever it hears that the docket is elsewhere, until the signal aborts. A hint: it may be missed. */
  follow?(moved: (place: string) => void, signal: AbortSignal): Promise<void>;
}

/** One server, which has it always. */
export class Lonely implements Topology {
  readonly #place: Place;

  constructor(place: Place) {
    this.#place = place;
  }

  find(): Promise<Place> {
    return Promise.resolve(this.#place);
  }

  verify(): Promise<void> {
    return Promise.resolve();
  }

  heed(): void {}

  doubt(): void {}
}

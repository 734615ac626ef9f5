/**
 * How long Redis is waited for, and how soon it is called again. Whatever calls again goes by this: the client, which does so
 * for commands; the waiter, for blocking reads; the bus, for subscriptions. The client library never does.
 *
 * Every try has a deadline, after which its connection is destroyed: who is silent may stay so for ever (invariant 71). What
 * a worker does is tried for ever, what a caller does for its command timeout (invariant 70). A new try asks for the server
 * anew, by its name.
 *
 * @module
 */

import type { Millis } from "../../base/clock.ts";
import { Backoff } from "../../base/loop.ts";

/** A blocking read may come back so much later than it was told to. */
export const BLOCKING_MARGIN: Millis = 5_000;

/** With less time left nothing is tried again. */
export const SHORTEST_TRY: Millis = 50;

/** A question that is not answered for so long makes one doubt the connection. */
export const DOUBT: Millis = 1_000;

/** A connection on which nothing is expected is asked so often whether it lives. */
export const PULSE: Millis = 5_000;

/**
 * A server that has not noticed the end of a connection delivers to the read on it, as long as that blocks. Meanwhile so
 * often somebody looks whether it did.
 */
export const GLANCE: Millis = 500;

/** Of several who may know where the server is, the next is asked when one has been silent for so long. */
export const HEAD_START: Millis = 250;

/** The pauses between tries: the first is short, as most failures are; none is long, as Redis may be back at any time. */
export function pauses(): Backoff {
  return new Backoff(20, 1_000);
}

/**
 * How long one try of a command may take. Who gives up in the end must have asked twice: a reply that got lost in silence
 * is found with the second try.
 */
export function longestTry(commandTimeout: Millis, endless: boolean): Millis {
  return endless ? commandTimeout : commandTimeout / 2;
}

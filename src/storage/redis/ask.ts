/**
 * Asks servers that know something.
 *
 * @module
 */

import type { RedisOptions } from "ioredis";
import { type Clock, type Millis, sleep } from "../../base/clock.ts";
import { Connection } from "./connection.ts";
import { ConnectFailure } from "./failures.ts";
import { HEAD_START } from "./policy.ts";
import { Lonely } from "./topology.ts";

/** Nobody is waited for longer. */
const PATIENCE: Millis = 5_000;

/** One command for one server. */
export interface Question {
  readonly command: string;
  readonly args: readonly (string | number)[];
}

/** Asks one server, on a connection that is closed afterwards. */
export async function ask(
  redis: RedisOptions,
  { command, args }: Question,
  clock: Clock,
  signal: AbortSignal,
): Promise<unknown> {
  const topology = new Lonely({ name: "", redis });
  const connection = new Connection({ topology, clock, connectTimeout: PATIENCE, onLost() {} });
  try {
    return await connection.call((client) => client.call(command, [...args]), PATIENCE, signal);
  } catch (error) {
    throw error instanceof ConnectFailure ? error.cause : error;
  } finally {
    connection.close();
  }
}

/**
 * Asks one after the other until somebody knows. Who is slow is not waited for before the next is asked, as servers that
 * are frozen or cut off say nothing at all. Rejects with the last failure.
 */
export async function askInTurn<T, Answer>(
  all: readonly T[],
  question: (one: T, signal: AbortSignal) => Promise<Answer>,
  clock: Clock,
  signal: AbortSignal,
): Promise<Answer> {
  const over = new AbortController();
  const stop = AbortSignal.any([signal, over.signal]);
  try {
    return await new Promise((resolve, reject) => {
      let failed = 0;
      const begin = async (): Promise<void> => {
        for (const one of all) {
          if (stop.aborted) return reject(stop.reason); // or it was resolved
          const answer = question(one, stop);
          answer.then(resolve, (error) => {
            if (++failed === all.length || signal.aborted) {
              reject(signal.aborted ? signal.reason : error);
            }
          });
          await either(answer, sleep(clock, HEAD_START, stop));
        }
      };
      void begin();
    });
  } finally {
    over.abort();
  }
}

/** Resolves when either has come to an end. */
async function either(one: Promise<unknown>, other: Promise<unknown>): Promise<void> {
  await Promise.race([one, other]).catch(() => {});
}

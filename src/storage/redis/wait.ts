/**
 * Waits on a connection of its own until there are tasks.
 *
 * @module
 */

import { type Clock, type Millis, sleep } from "../../base/clock.ts";
import { ConnectionError, ProtocolError } from "../../base/errors.ts";
import { Backoff } from "../../base/loop.ts";
import { OWN } from "../contract.ts";
import type { Client } from "./client.ts";
import { bare, codeOf, judge } from "./failures.ts";

/** Who waits, and for what. */
export interface Wait {
  readonly consumer: string;
  readonly want: number;
  readonly timeout: Millis;
  readonly signal?: AbortSignal;
}

/** Blocking reads of one docket's stream. */
export class Waiter {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #stream: string;
  /** Whose last read broke off: something may have been delivered that nobody saw (invariant 72). */
  readonly #unsure = new Set<string>();

  constructor(client: Client, clock: Clock, stream: string) {
    this.#client = client;
    this.#clock = clock;
    this.#stream = stream;
  }

  /**
   * Blocks until entries are delivered; tells the id just before the first of them. `undefined` when nothing came in time
   * or the signal aborted.
   *
   * @throws {ConnectionError} When Redis cannot be reached, and there is no signal that would end the waiting.
   */
  async wait(wait: Wait): Promise<string | undefined> {
    const { timeout, signal } = wait;
    const until = this.#clock.monotonic() + timeout;
    const backoff = new Backoff(20, 1_000);
    for (;;) {
      this.#client.closing.throwIfAborted();
      if (signal?.aborted) return undefined;
      try {
        return await this.#read(wait, until - this.#clock.monotonic());
      } catch (error) {
        this.#client.closing.throwIfAborted();
        if (codeOf(error) === undefined) this.#unsure.add(wait.consumer);
        if (signal?.aborted) {
          // Until the server notices, it delivers to a read that nobody waits for. What it has delivered by now is in OWN.
          await this.#client.noticed();
          return undefined;
        }
        const kind = judge(error);
        const late = this.#clock.monotonic() >= until;
        if (codeOf(error) === "NOGROUP") await this.#createGroup(signal);
        else if (kind === "broken") throw this.#broken(error);
        else if ((late || kind === "refused") && !signal) throw this.#failed(error);
        if (late) return undefined; // the next step will tell
      }
      const left = Math.max(0, until - this.#clock.monotonic());
      const stop = signal ? AbortSignal.any([signal, this.#client.closing]) : this.#client.closing;
      await sleep(this.#clock, Math.min(backoff.next(), left), stop);
    }
  }

  /** Forgets a consumer. */
  forget(consumer: string): void {
    this.#unsure.delete(consumer);
  }

  async #read(
    { consumer, want, signal }: Wait,
    left: Millis,
  ): Promise<string | undefined> {
    const stream = this.#stream;
    if (this.#unsure.has(consumer)) {
      const range = [stream, "workers", "-", "+", 1, consumer];
      const pending = await this.#client.block("XPENDING", range, 0, signal) as unknown[];
      this.#unsure.delete(consumer);
      if (pending.length > 0) return OWN;
    }
    const block = Math.max(1, Math.ceil(left)); // 0 would be for ever
    const group = ["GROUP", "workers", consumer, "COUNT", want, "BLOCK", block];
    const read = [...group, "STREAMS", stream, ">"];
    const reply = await this.#client.block("XREADGROUP", read, block, signal);
    return reply === null ? undefined : before((reply as Delivery)[0][1][0][0]);
  }

  /** Lazily and idempotently (invariant 37): from the beginning, so that nothing accepted is passed over. */
  async #createGroup(signal?: AbortSignal): Promise<void> {
    const create = ["CREATE", this.#stream, "workers", "0", "MKSTREAM"];
    try {
      await this.#client.command("XGROUP", create, { what: "wait for tasks", signal });
    } catch {
      // BUSYGROUP: somebody else was faster. Whatever else it is, the next read meets it too.
    }
  }

  #broken(error: unknown): ProtocolError {
    const { message } = bare(error);
    return new ProtocolError(`Cannot wait for tasks: Redis answered ${JSON.stringify(message)}`, {
      cause: bare(error),
    });
  }

  #failed(error: unknown): ConnectionError {
    const { message } = bare(error);
    return new ConnectionError(`Cannot wait for tasks: ${this.#client.url}: ${message}`, {
      cause: bare(error),
    });
  }
}

/** Streams, with entries, with ids and fields. */
type Delivery = readonly [stream: string, entries: readonly [id: string, fields: unknown][]][];

/** The greatest id below this one. */
function before(id: string): string {
  const dash = id.indexOf("-");
  const sequence = BigInt(id.slice(dash + 1));
  if (sequence > 0n) return `${id.slice(0, dash)}-${sequence - 1n}`;
  return `${BigInt(id.slice(0, dash)) - 1n}-18446744073709551615`;
}

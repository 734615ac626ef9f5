/**
 * Waits on a connection of its own until there are tasks.
 *
 * @module
 */

import { type Clock, type Millis, sleep } from "../../base/clock.ts";
import { ConnectionError, ProtocolError } from "../../base/errors.ts";
import { OWN } from "../contract.ts";
import type { Client } from "./client.ts";
import { bare, codeOf, judge } from "./failures.ts";
import { GLANCE, pauses } from "./policy.ts";

/** Who waits, and for what. */
export interface Wait {
  readonly consumer: string;
  readonly want: number;
  readonly timeout: Millis;
  readonly signal?: AbortSignal;
}

/** A read broke off: something may have been delivered that nobody saw, or may be yet (invariant 72). */
interface Doubt {
  /** When that read comes to its end, on a server that knows nothing of it. */
  readonly until: Millis;
  /** When to look again. */
  next: Millis;
}

/** Blocking reads of one docket's stream. */
export class Waiter {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #stream: string;
  readonly #doubts = new Map<string, Doubt>();

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
    const backoff = pauses();
    for (;;) {
      this.#client.closing.throwIfAborted();
      if (signal?.aborted) return undefined;
      try {
        return await this.#read(wait, until);
      } catch (error) {
        this.#client.closing.throwIfAborted();
        if (codeOf(error) === undefined) this.#doubt(wait.consumer, timeout);
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
    this.#doubts.delete(consumer);
  }

  #doubt(consumer: string, block: Millis): void {
    const now = this.#clock.monotonic();
    this.#doubts.set(consumer, { until: now + block, next: now });
  }

  /** Reads once, or, in doubt, in short pieces between which it looks for what went elsewhere. */
  async #read(wait: Wait, until: Millis): Promise<string | undefined> {
    for (;;) {
      const doubt = this.#doubts.get(wait.consumer);
      if (doubt && await this.#missed(wait, doubt)) return OWN;
      const next = this.#doubts.has(wait.consumer) ? Math.min(until, doubt!.next) : until;
      const found = await this.#readOnce(wait, next - this.#clock.monotonic());
      if (found !== undefined || next >= until) return found;
    }
  }

  /** Whether this consumer has anything that it may not know of. What it runs is among it: whoever claims can tell. */
  async #missed({ consumer, signal }: Wait, doubt: Doubt): Promise<boolean> {
    const now = this.#clock.monotonic();
    if (now < doubt.next) return false;
    const range = [this.#stream, "workers", "-", "+", 1, consumer];
    const pending = await this.#client.block("XPENDING", range, 0, signal) as unknown[];
    if (now >= doubt.until) this.#doubts.delete(consumer);
    else doubt.next = Math.min(now + GLANCE, doubt.until);
    return pending.length > 0;
  }

  async #readOnce(
    { consumer, want, signal }: Wait,
    left: Millis,
  ): Promise<string | undefined> {
    const block = Math.max(1, Math.ceil(left)); // 0 would be for ever
    const group = ["GROUP", "workers", consumer, "COUNT", want, "BLOCK", block];
    const read = [...group, "STREAMS", this.#stream, ">"];
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

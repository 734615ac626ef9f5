/**
 * Says that the worker is there, while it can claim, and what it can run.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { onAbort } from "../base/abort.ts";
import { type Clock, type Millis, sleep } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Liveness } from "../docket/options.ts";
import { encodeIntroduction } from "../docket/presence.ts";
import type { Registry } from "../docket/registry.ts";
import type { Storage } from "../storage/contract.ts";
import type { Gauges } from "./gauges.ts";

const log = getLogger(["docket", "worker"]);

/** Who knows whether the worker can claim. */
export interface Able {
  /** Whether its last attempt went well. */
  readonly able: boolean;
  /** Resolves when that has changed, or the signal aborts. */
  whenTurned(signal: AbortSignal): Promise<void>;
}

/** What a {@linkcode Heartbeat} needs. */
export interface HeartbeatOptions {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly consumer: string;
  readonly concurrency: number;
  readonly registry: Registry;
  readonly liveness: Liveness;
  readonly fetcher: Able;
  readonly gauges: Gauges;
  /** Ends all calls, whatever becomes of them. */
  readonly end: AbortSignal;
}

/** Advertises the worker at once when it can claim, and no longer when it cannot, or drains (invariant 73). */
export class Heartbeat {
  readonly #options: HeartbeatOptions;
  /** How many tasks the worker was said to know. */
  #said = -1;
  /** Whether it may be advertised. */
  #shown = false;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
  }

  /** Advertises until the signal aborts, and then takes it back. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, fetcher, gauges, registry, liveness: { interval } } = this.#options;
    const startedAt = clock.now();
    while (!signal.aborted) {
      const { able } = fetcher;
      if (able) {
        gauges.look();
        await this.#beat(startedAt, signal);
      } else {
        gauges.forget();
        await this.#withdraw();
      }
      // While it spoke, nobody waited for news.
      const isOutdated = this.#said >= 0 && this.#said !== registry.size;
      if (fetcher.able !== able || isOutdated) continue;
      const over = new AbortController();
      const deafen = onAbort(signal, () => over.abort());
      const news = [fetcher.whenTurned(over.signal), registry.whenChanged(over.signal)];
      await Promise.race(able ? [...news, sleep(clock, interval, over.signal)] : news);
      over.abort();
      deafen();
    }
    gauges.forget();
    await this.#withdraw();
  }

  /** Nobody is to count on this worker any more. */
  async #withdraw(): Promise<void> {
    if (!this.#shown) return;
    const { storage, consumer, end } = this.#options;
    this.#shown = false;
    this.#said = -1;
    try {
      await storage.withdraw(consumer, { signal: end });
    } catch {
      // The advertisement runs out by itself.
    }
  }

  async #beat(startedAt: Millis, signal: AbortSignal): Promise<void> {
    const { storage, consumer, concurrency, registry, liveness: { silence } } = this.#options;
    try {
      const size = registry.size;
      const tasks = registry.parameters();
      const news = size === this.#said
        ? undefined
        : encodeIntroduction({ startedAt, concurrency, tasks });
      this.#shown = true;
      const known = await storage.advertise(consumer, silence, news, { signal });
      this.#said = known ? size : -1;
      if (!known) await this.#beat(startedAt, signal);
    } catch (error) {
      if (signal.aborted) return;
      this.#said = -1;
      log.warn("Cannot say that this worker lives: {reason}", { reason: messageOf(error) });
    }
  }
}

/**
 * What is left of generations that ended: the last record of each key for as long as it is wanted, and what is parked.
 *
 * @module
 */

import type { Millis } from "../../base/clock.ts";
import type { EndedTask } from "../contract.ts";
import { Heap, type Timed } from "./heap.ts";

/** How long an unwanted record stays: those who wait must be able to see that the task ended (invariant 68). */
const STUB_TTL: Millis = 10_000;

/** How many tasks stay parked, and how many failed; the oldest go first (invariant 40). */
const MAX_GRAVES = 10_000;

/** One object for each, since there can be millions. */
interface Record extends EndedTask, Timed {
  readonly key: string;
}

/** Records expire without a timer: each new one drives out up to two old ones, so there are never more than are wanted. */
export class Records {
  readonly #records = new Map<string, Record>();
  readonly #expiring = new Heap<Record>();
  readonly #failed = new Map<string, Record>();
  readonly #graves = new Map<string, EndedTask>();

  /** Keeps the record of the generation that ended last under the key, for so long from now. */
  keep(key: string, ended: EndedTask, ttl: Millis, now: Millis = ended.endedAt): void {
    const { generation, state, endedAt, text, reason, body } = ended;
    this.sweep(now, 2);
    const previous = this.#records.get(key);
    if (previous) this.#forget(previous);
    const wanted = ttl > 0;
    const record: Record = {
      key,
      generation,
      state,
      endedAt,
      text: wanted ? text : "",
      reason,
      body: wanted ? body : undefined,
      at: now + (wanted ? ttl : STUB_TTL),
      slot: 0,
      order: 0,
    };
    this.#records.set(key, record);
    this.#expiring.push(record);
    if (record.body === undefined) return;
    this.#failed.set(key, record);
    if (this.#failed.size > MAX_GRAVES) this.#forget(this.#failed.values().next().value!);
  }

  /** The record of the key, unless its time is over. */
  find(key: string, now: Millis): EndedTask | undefined {
    const record = this.#records.get(key);
    return record && record.at > now ? shown(record) : undefined;
  }

  /** What failed and can be run again, the newest first. */
  failed(limit: number, now: Millis): (EndedTask & { readonly key: string })[] {
    return [...this.#failed.values()]
      .filter(({ at }) => at > now)
      .reverse().slice(0, limit)
      .map((record) => ({ key: record.key, ...shown(record) }));
  }

  /** What is parked, the newest first. */
  dead(limit: number): (EndedTask & { readonly key: string })[] {
    return [...this.#graves].reverse().slice(0, limit).map(([key, ended]) => ({ key, ...ended }));
  }

  /** What it takes to run a generation again that failed or is parked. */
  bodyOf(key: string, generation: string, now: Millis): string | undefined {
    return [this.find(key, now), this.#graves.get(key)]
      .find((ended) => ended?.generation === generation && ended.body !== undefined)?.body;
  }

  /** It runs again: it counts neither as failed nor as parked any more. */
  unearth(key: string, generation: string): void {
    if (this.#failed.get(key)?.generation === generation) this.#failed.delete(key);
    if (this.#graves.get(key)?.generation === generation) this.#graves.delete(key);
  }

  /** Nobody wants to know of it any more; false when nothing of it was there. */
  discard(key: string, generation: string, now: Millis): boolean {
    const wasParked = this.#graves.get(key)?.generation === generation;
    if (wasParked) this.#graves.delete(key);
    const record = this.#records.get(key);
    const isLast = record?.generation === generation && record.at > now;
    const hasFailed = isLast && this.#failed.get(key) === record;
    if (isLast && (wasParked || hasFailed)) {
      const { state, endedAt } = record;
      this.keep(key, { generation, state, endedAt, text: "" }, 0, now);
    }
    return wasParked || hasFailed;
  }

  /** Whether the record of the key is that of this generation. */
  has(key: string, generation: string, now: Millis): boolean {
    const record = this.#records.get(key);
    return record?.generation === generation && record.at > now;
  }

  /** Forgets at most `limit` records whose time is over. */
  sweep(now: Millis, limit: number): void {
    for (let swept = 0; swept < limit; swept++) {
      const first = this.#expiring.first;
      if (!first || first.at > now) return;
      this.#forget(first);
    }
  }

  #forget(record: Record): void {
    this.#expiring.remove(record);
    this.#records.delete(record.key);
    if (this.#failed.get(record.key) === record) this.#failed.delete(record.key);
  }

  /** Parks what a person must look at. */
  bury(key: string, ended: EndedTask): void {
    this.#graves.delete(key); // setting alone would keep its old place in the order
    this.#graves.set(key, ended);
    if (this.#graves.size > MAX_GRAVES) this.#graves.delete(this.#graves.keys().next().value!);
  }

  /** How many records are kept, those included whose time is over. */
  get size(): number {
    return this.#records.size;
  }

  /** How many tasks are parked. */
  get graves(): number {
    return this.#graves.size;
  }

  /** What is parked under the key. */
  grave(key: string): EndedTask | undefined {
    return this.#graves.get(key);
  }
}

function shown({ generation, state, endedAt, text, reason, body }: Record): EndedTask {
  const ended = { generation, state, endedAt, text, reason };
  return body === undefined ? ended : { ...ended, body };
}

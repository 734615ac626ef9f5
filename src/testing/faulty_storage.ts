/**
 * A storage that fails when a test says so.
 *
 * @module
 */

import { type Clock, type Millis, sleep, systemClock } from "../base/clock.ts";
import { type DurationLike, toMillis } from "../base/duration.ts";
import { ConnectionError } from "../base/errors.ts";
import type { Storage } from "../storage/contract.ts";

/** A verb of the storage contract. */
export type Verb = {
  [Name in Exclude<keyof Storage, symbol>]: Storage[Name] extends
    (...args: never) => Promise<unknown> ? Name
    : never;
}[Exclude<keyof Storage, symbol>];

/** Which call is to fail. */
export interface FaultOptions {
  /**
   * Which of the calls to come, from 1.
   *
   * @default 1
   */
  readonly nth?: number;
  /** Only calls of this verb count. */
  readonly verb?: Verb;
}

/** A call that is to fail. */
interface Fault {
  readonly kind: "refuse" | "drop";
  readonly verb?: Verb;
  left: number;
}

/**
 * Stands between a docket and its storage, and lets calls fail as a network does.
 *
 * @example
 * ```ts
 * import { equal, rejects } from "node:assert/strict";
 * import { ConnectionError, Docket } from "@docket/docket";
 * import { FaultyStorage, memoryStorage } from "@docket/docket/testing";
 *
 * function greet(): void {}
 *
 * const faulty = new FaultyStorage(await memoryStorage());
 * await using docket = await Docket.connect({ storage: faulty.storage });
 *
 * faulty.drop({ verb: "schedule" }); // it is done, and nobody hears of it
 * await rejects(docket.add(greet, { key: "hello" })(), ConnectionError);
 * equal((await docket.execution("hello"))?.state, "queued");
 *
 * faulty.down();
 * await rejects(docket.snapshot(), ConnectionError);
 * faulty.up();
 * equal((await docket.snapshot()).counts.queued, 1);
 * ```
 */
export class FaultyStorage {
  /** What to give to a docket as its `storage`. */
  readonly storage: Storage;
  readonly #clock: Clock;
  readonly #faults: Fault[] = [];
  readonly #calls = new Map<string, number>();
  #down = false;
  #delay: Millis = 0;

  /** Stands before a storage; the clock is for {@linkcode FaultyStorage.slow}. */
  constructor(storage: Storage, { clock = systemClock }: { readonly clock?: Clock } = {}) {
    this.#clock = clock;
    this.storage = new Proxy(storage, {
      get: (target, verb) => {
        const member: unknown = Reflect.get(target, verb);
        if (typeof member !== "function") return member;
        if (typeof verb === "symbol") return member.bind(target); // disposing always works
        return (...args: unknown[]) => this.#call(verb as Verb, () => member.apply(target, args));
      },
    });
  }

  /** From now on nothing answers, and nothing is done. */
  down(): void {
    this.#down = true;
  }

  /** It answers again. */
  up(): void {
    this.#down = false;
  }

  /** From now on every call takes so much longer; 0 for no longer than it does. */
  slow(delay: DurationLike): void {
    this.#delay = toMillis("delay", delay);
  }

  /** One of the calls to come is done, but its answer is lost: who called does not know. */
  drop({ nth = 1, verb }: FaultOptions = {}): void {
    this.#faults.push({ kind: "drop", verb, left: nth });
  }

  /** One of the calls to come fails, and is not done. */
  refuse({ nth = 1, verb }: FaultOptions = {}): void {
    this.#faults.push({ kind: "refuse", verb, left: nth });
  }

  /** How many calls there were, of a verb or of all. */
  calls(verb?: Verb): number {
    if (verb !== undefined) return this.#calls.get(verb) ?? 0;
    return [...this.#calls.values()].reduce((sum, count) => sum + count, 0);
  }

  async #call(verb: Verb, call: () => Promise<unknown>): Promise<unknown> {
    this.#calls.set(verb, this.calls(verb) + 1);
    const fault = this.#due(verb);
    if (this.#delay > 0) await sleep(this.#clock, this.#delay);
    if (this.#down) throw new ConnectionError(`Cannot ${verb}: the storage is down`);
    if (fault === "refuse") throw new ConnectionError(`Cannot ${verb}: the storage refused`);
    const answer = await call();
    if (fault === "drop") throw new ConnectionError(`Cannot ${verb}: the answer was lost`);
    return answer;
  }

  /** Whether this call is one that is to fail. */
  #due(verb: Verb): Fault["kind"] | undefined {
    let due: Fault["kind"] | undefined;
    for (const fault of this.#faults) {
      if (fault.verb === undefined || fault.verb === verb) fault.left--;
      if (fault.left === 0) due ??= fault.kind;
    }
    const left = this.#faults.filter((fault) => fault.left > 0);
    this.#faults.splice(0, this.#faults.length, ...left);
    return due;
  }
}

/**
 * What the tests of the contract are written in.
 *
 * @module
 */

import { deepEqual, equal, fail, ok } from "node:assert/strict";
import { randomId } from "../../base/ids.ts";
import {
  type Call,
  type Claim,
  type Commit,
  type EndedTask,
  type Found,
  type LiveTask,
  NEW,
  type Settlement,
  type Step,
  type StepReply,
  type Storage,
  type Verdict,
} from "../../storage/contract.ts";
import type { Subject } from "./subject.ts";

/** Declares a test; it gets a fresh {@linkcode Scene}. */
export type Test = (sentence: string, body: (scene: Scene) => Promise<void>) => void;

/** How long an abandoned claim lasts here: short, since real storages really wait for it. */
export const LEASE = 120;

/** Longer than {@linkcode LEASE} by enough for a slow machine. */
export const PAST_LEASE = 150;

/** Longer than any test takes. */
export const LONG = 60_000;

/** One test's storage, with shorthands. It remembers what it made, to clear it away. */
export class Scene implements AsyncDisposable {
  /** The storage under test. */
  readonly storage: Storage;
  readonly #subject: Subject;
  readonly #opened: Storage[] = [];
  readonly #keys = new Set<string>();
  readonly #workers: Worker[] = [];

  private constructor(subject: Subject, storage: Storage) {
    this.#subject = subject;
    this.storage = storage;
  }

  /** Sets the scene. */
  static async open(subject: Subject): Promise<Scene> {
    return new Scene(subject, await subject.open());
  }

  /** Another handle on the same data, as another process would have. */
  async another(): Promise<Storage> {
    const storage = await this.#subject.open();
    this.#opened.push(storage);
    return storage;
  }

  /** Another docket at the same place, if there are others. */
  async neighbour(): Promise<Storage | undefined> {
    const storage = await this.#subject.neighbour?.();
    if (storage) this.#opened.push(storage);
    return storage;
  }

  /** Lets time pass. */
  advance(ms: number): Promise<void> {
    return this.#subject.advance(ms);
  }

  /** A request, by default to add a task that is due now. */
  call(key: string, parts: Partial<Call> = {}): Call {
    this.#keys.add(key);
    return { key, generation: randomId(), mode: "add", due: undefined, body: `{"of":1}`, ...parts };
  }

  /** Schedules one task; tells the request and its verdict. */
  async add(key: string, parts: Partial<Call> = {}): Promise<Call & { readonly verdict: Verdict }> {
    const call = this.call(key, parts);
    const [verdict] = await this.storage.schedule([call]);
    return { ...call, verdict };
  }

  /** Replaces one task. */
  replace(
    key: string,
    parts: Partial<Call> = {},
  ): Promise<Call & { readonly verdict: Verdict }> {
    return this.add(key, { mode: "replace", ...parts });
  }

  /** Cancels whatever is live under the keys. */
  cancel(...keys: readonly string[]): ReturnType<Storage["cancel"]> {
    return this.storage.cancel(keys.map((key) => ({ key })));
  }

  /** A consumer that nobody else is. */
  worker(storage: Storage = this.storage): Worker {
    const worker = new Worker(storage);
    this.#workers.push(worker);
    return worker;
  }

  /** Adds a task and has it claimed. */
  async running(key: string, parts: Partial<Call> = {}): Promise<Running> {
    const { generation } = await this.add(key, parts);
    const worker = this.worker();
    const [claim, ...others] = await worker.claim(1);
    equal(claim?.generation, generation, "the task that was added is not the one that was claimed");
    equal(others.length, 0);
    return { worker, claim, generation };
  }

  /** Everything known under one key. */
  async find(key: string, storage: Storage = this.storage): Promise<Found> {
    const [found] = await storage.load([key]);
    return found;
  }

  /** The live task of a key, which must be there. */
  async live(key: string): Promise<LiveTask> {
    const { live } = await this.find(key);
    return live ?? fail(`nothing is live under ${JSON.stringify(key)}`);
  }

  /** The record of a key, which must be there. */
  async ended(key: string): Promise<EndedTask> {
    const { ended } = await this.find(key);
    return ended ?? fail(`no record is kept under ${JSON.stringify(key)}`);
  }

  /** Ends what is live, retires the consumers, closes every handle; then nothing may be left behind. */
  async clear(): Promise<void> {
    const cleaner = this.worker();
    await drain(this.storage, [...this.#keys], cleaner);
    for (const { name } of this.#workers) {
      equal(await this.storage.retire(name), true, "a consumer still holds something");
    }
    await this[Symbol.asyncDispose]();
    await this.#subject.check?.();
  }

  /** Closes every handle. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const storage of [...this.#opened, this.storage]) await storage[Symbol.asyncDispose]();
  }
}

/** A running task and who runs it. */
export interface Running {
  readonly worker: Worker;
  readonly claim: Claim;
  readonly generation: string;
}

/** Ends whatever is live under the keys. */
export async function drain(
  storage: Storage,
  keys: readonly string[],
  cleaner: Worker,
): Promise<void> {
  // Twice at most: a run that ends may hand over to a replacement, but a cancelled one has none.
  for (let round = 0; round < 2; round++) {
    await storage.cancel(keys.map((key) => ({ key })));
    const commits: Commit[] = [];
    for (const { live } of await storage.load(keys)) {
      if (live?.token === undefined) continue;
      commits.push({ key: live.key, token: live.token, settlement: completed("") });
    }
    if (commits.length > 0) await cleaner.step({ commits, want: 0 });
  }
  equal(await storage.count(), 0, "tasks are live that the test did not make");
}

/** A consumer with one lane, unless a step says otherwise. */
export class Worker {
  /** Unique. */
  readonly name: string = `worker.${randomId()}`;
  readonly #storage: Storage;
  readonly #calls = new Map<number, number>();

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /** The next request of a lane, not sent yet. */
  request(parts: Partial<Step> = {}): Step {
    const lane = parts.lane ?? 0;
    const call = (this.#calls.get(lane) ?? 0) + 1;
    this.#calls.set(lane, call);
    return {
      consumer: this.name,
      lane,
      call,
      token: randomId(),
      commits: [],
      want: 10,
      from: NEW,
      maxDeliveries: 5,
      ...parts,
    };
  }

  /** Sends the next request of a lane. */
  step(parts: Partial<Step> = {}): Promise<StepReply> {
    return this.#storage.step(this.request(parts));
  }

  /** Takes up to `want` tasks, going on for as long as there may be more. */
  async claim(want = 10, parts: Partial<Step> = {}): Promise<readonly Claim[]> {
    const claims: Claim[] = [];
    let from = parts.from ?? NEW;
    for (let more = true; more && claims.length < want;) {
      const reply = await this.step({ ...parts, want: want - claims.length, from });
      claims.push(...reply.claims);
      ({ more, cursor: from } = reply);
    }
    return claims;
  }

  /** Settles one task and claims nothing; tells whether it counted. */
  async settle(
    { key, token }: { readonly key: string; readonly token: string },
    settlement: Settlement,
  ): Promise<boolean> {
    const { committed } = await this.step({ commits: [{ key, token, settlement }], want: 0 });
    return committed?.[0] ?? true;
  }

  /** Waits for tasks and takes them. */
  async await(want = 1): Promise<readonly Claim[]> {
    const from = await this.#storage.wait(this.name, want, LONG);
    ok(from !== undefined, "nothing came");
    return await this.claim(want, { from });
  }

  /** Takes over what expired, from the first lease to the last. */
  async reclaim(
    { lease = LEASE, want = 10, maxDeliveries = 5, token = randomId() } = {},
  ): Promise<readonly Claim[]> {
    const claims: Claim[] = [];
    let cursor = "";
    do {
      const request = { consumer: this.name, token, lease, cursor, want, maxDeliveries };
      const reply = await this.#storage.reclaim(request);
      claims.push(...reply.claims);
      ({ cursor } = reply);
    } while (cursor !== "");
    return claims;
  }
}

/** Settled well; the record outlasts the test. */
export function completed(text = "1|||42"): Settlement {
  return { kind: "completed", text, ttl: LONG };
}

/** Settled badly. */
export function failed(text = "1|||boom"): Settlement {
  return { kind: "failed", text, ttl: LONG };
}

/** The next of a chain. */
export function succeeded(
  parts: Partial<Extract<Settlement, { kind: "succeeded" }>> = {},
): Extract<Settlement, { kind: "succeeded" }> {
  return {
    kind: "succeeded",
    state: "completed",
    text: "1|||42",
    ttl: LONG,
    generation: randomId(),
    due: undefined,
    body: `{"next":1}`,
    ...parts,
  };
}

/** Every field named is as expected; an absent one is `undefined`. */
export function like<T extends object>(actual: T | undefined, expected: Partial<T>): void {
  const shown: Partial<T> = {};
  for (const name of Object.keys(expected) as (keyof T)[]) shown[name] = actual?.[name];
  deepEqual(shown, expected);
}

/** The keys, in order. */
export function keysOf(tasks: readonly { readonly key: string }[]): readonly string[] {
  return tasks.map(({ key }) => key);
}

/** Collects what a listener hears. */
export class Ear<T> {
  /** Everything heard so far. */
  readonly heard: T[] = [];
  readonly #woken = new Set<() => void>();

  /** Give this one to the storage. */
  readonly listener = (told: T): void => {
    this.heard.push(told);
    for (const wake of this.#woken) wake();
  };

  /** Waits until something is heard; what was heard already counts. */
  async until(wanted: (told: T) => boolean): Promise<T> {
    for (;;) {
      const found = this.heard.find(wanted);
      if (found !== undefined) return found;
      await new Promise<void>((resolve, reject) => {
        const tooLong = () => reject(new Error(`heard only ${JSON.stringify(this.heard)}`));
        const timer = setTimeout(tooLong, 3_000);
        const wake = () => {
          clearTimeout(timer);
          this.#woken.delete(wake);
          resolve();
        };
        this.#woken.add(wake);
      });
    }
  }
}

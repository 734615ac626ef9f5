/**
 * What the tests of the contract are written in.
 *
 * @module
 */

import { fail, strictEqual as equal } from "node:assert/strict";
import { randomId } from "../../base/ids.ts";
import type {
  Call,
  Claim,
  Commit,
  EndedTask,
  Found,
  LiveTask,
  Seed,
  Seeding,
  Storage,
  Verdict,
} from "../../storage/contract.ts";
import { completed } from "./shorthands.ts";
import type { Subject } from "./subject.ts";
import { Worker } from "./worker.ts";

/** Declares a test; it gets a fresh {@linkcode Scene}. */
export type Test = (sentence: string, body: (scene: Scene) => Promise<void>) => void;

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

  /** Seeds one task; tells the request and what became of it. */
  async seed(
    key: string,
    parts: Partial<Seed> = {},
  ): Promise<Seed & { readonly seeding: Seeding }> {
    const { generation, due, body } = this.call(key, parts);
    const request = { key, generation, due, body };
    const [seeding] = await this.storage.seed([request]);
    return { ...request, seeding };
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

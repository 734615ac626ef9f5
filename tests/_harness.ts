/**
 * One behaviour test, every storage: the same body runs in memory under a clock that it moves, and on a real Redis.
 *
 * Each test has a docket name of its own, so that files run side by side. When a test is over nothing may be left of it:
 * no live task, no timer, and on Redis no key that has no time to live (invariant 80).
 *
 * @module
 */

import { fail, ok, strictEqual as equal } from "node:assert/strict";
import process from "node:process";
import { test as declare } from "node:test";
import { Redis } from "ioredis";
import { type OwnRedis, startRedis } from "../scripts/redis.ts";
import { type Clock, sleep, systemClock } from "../src/base/clock.ts";
import { randomId } from "../src/base/ids.ts";
import { internalsOf } from "../src/docket/internals.ts";
import type { Storage } from "../src/storage/contract.ts";
import { openStorage } from "../src/storage/open.ts";
import { FakeClock } from "../src/testing/clock.ts";
import {
  ConnectionError,
  Docket,
  type DocketOptions,
  type Execution,
  ExecutionFailedError,
  Worker,
  type WorkerOptions,
} from "../mod.ts";
import { altered } from "./_altered.ts";
import { assertNoLeaks } from "./_leaks.ts";

export { altered };

/** Declares one behaviour; the sentence goes on where the symbol of {@linkcode onEveryStorage} ends. */
export type Test<S extends Stage = Stage> = (
  sentence: string,
  body: (stage: S) => Promise<void>,
) => void;

/** No test takes longer, also on a busy machine: one that does hangs. */
const PATIENCE = 60_000;

/** Polling a real storage: often enough to be quick, rarely enough to leave the processor to those who work. */
const GLANCE = 3;

/** Declares behaviours that hold in memory and on Redis alike. */
export function onEveryStorage(symbol: string, behaviours: (test: Test) => void): void {
  onMemory(symbol, behaviours);
  onRedis(symbol, behaviours);
}

/** Declares behaviours that only a clock of our own can show. */
export function onMemory(symbol: string, behaviours: (test: Test<MemoryStage>) => void): void {
  behaviours((sentence, body) => {
    declare(`${symbol} ${sentence} (memory)`, () => perform(new MemoryStage(), body));
  });
}

/** Declares behaviours that are Redis's own. */
export function onRedis(symbol: string, behaviours: (test: Test) => void): void {
  behaviours((sentence, body) => {
    declare(`${symbol} ${sentence} (redis)`, () => perform(new RedisStage(), body));
  });
}

/** Declares behaviours that need a Redis which a test may stop, fill or freeze: each gets a server of its own. */
export function onOwnRedis(
  symbol: string,
  behaviours: (test: Test<OwnRedisStage>) => void,
  args: readonly string[] = [],
): void {
  behaviours((sentence, body) => {
    declare(`${symbol} ${sentence} (redis)`, async () => {
      await using server = await startRedis({ args });
      const stage = new OwnRedisStage(server);
      await perform(stage, body).finally(() => stage.admin.disconnect());
    });
  });
}

/** Where a test takes place: a docket name, a storage, and time. */
export abstract class Stage {
  /** A docket name that no other test uses. */
  readonly name = `fundamentals.${randomId()}`;
  /** Where the storage is. */
  abstract readonly url: string;
  /** What dockets, workers and handlers here measure time with. */
  abstract readonly clock: Clock;
  readonly #dockets = new Set<Docket>();
  readonly #workers = new Set<Worker>();
  readonly #storages = new Set<Storage>();
  readonly #keys = new Map<string, Set<string>>();
  readonly #undo: (() => void)[] = [];

  /** Lets so much time pass: moves the fake clock, or really waits. */
  abstract advance(ms: number): Promise<void>;

  /** Whether anything but live tasks was left behind. */
  abstract check(dockets: Iterable<string>): Promise<void>;

  /** Lets a little time pass, for those who look again and again. */
  abstract glance(): Promise<void>;

  /** Connects to this test's docket, as a process of its own would. */
  async connect(options: DocketOptions = {}): Promise<Docket> {
    const { name, url, clock } = this;
    const docket = await Docket.connect({ name, url, clock, ...options });
    this.#dockets.add(docket);
    this.#record(docket.name, internalsOf(docket).storage);
    return docket;
  }

  /** Opens the storage below a docket, to plant things there or to come between. */
  async open(docket: string = this.name): Promise<Storage> {
    const storage = await openStorage(this.url, {
      docket,
      clock: this.clock,
      recordTtl: 60_000,
      connectTimeout: 5_000,
      commandTimeout: 5_000,
    });
    this.#storages.add(storage);
    this.#record(docket, storage);
    return storage;
  }

  /** A worker that is closed when the test is over, without much patience for what still runs. */
  worker(docket: Docket, options: WorkerOptions = {}): Worker {
    const worker = new Worker(docket, { name: "tester", gracePeriod: 100, ...options });
    this.#workers.add(worker);
    return worker;
  }

  /** A worker that runs until the test is over. */
  start(docket: Docket, options: WorkerOptions = {}): Worker {
    const worker = this.worker(docket, options);
    void worker.runForever();
    return worker;
  }

  /** Runs all there is, with a worker that is closed afterwards. */
  async finish(docket: Docket, options: WorkerOptions = {}): Promise<void> {
    const worker = this.worker(docket, options);
    await this.soon(worker.runUntilFinished());
    await worker.close();
  }

  /** Called when the test is over, before its workers are closed. */
  afterwards(undo: () => void): void {
    this.#undo.push(undo);
  }

  /** Waits in a handler, or for a moment that a test needs. */
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleep(this.clock, ms, signal);
  }

  /** Awaits something that happens only while time passes. */
  async soon<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    const settle = () => void (settled = true);
    promise.then(settle, settle);
    await this.eventually(() => settled);
    return await promise;
  }

  /** Lets time pass until something is so. */
  async eventually(claim: () => boolean | Promise<boolean>): Promise<void> {
    const deadline = performance.now() + PATIENCE / 2;
    while (!await claim()) {
      if (performance.now() > deadline) fail(`It never came true: ${claim}`);
      await this.glance();
    }
  }

  /** Ends what is live, closes whatever was opened, and looks whether anything is left behind. */
  async clear(): Promise<void> {
    await this.close();
    for (const [docket, keys] of this.#keys) await this.#drain(docket, [...keys]);
    await this.close();
    await this.check(this.#keys.keys());
  }

  /** Nothing can be looked at when the test is over: its storage is gone. */
  forget(): void {
    this.#keys.clear();
  }

  /** Closes whatever was opened. */
  async close(): Promise<void> {
    for (const undo of this.#undo.splice(0)) undo();
    await this.soon(Promise.all([...this.#workers].map((worker) => worker.close())));
    await this.soon(Promise.all([...this.#dockets].map((docket) => docket.close())));
    for (const storage of this.#storages) await storage[Symbol.asyncDispose]();
  }

  /** Remembers which keys were scheduled: a storage cannot tell them all. */
  #record(docket: string, storage: Storage): void {
    const keys = this.#keys.get(docket) ?? new Set();
    this.#keys.set(docket, keys);
    const schedule = storage.schedule.bind(storage);
    storage.schedule = (calls, options) => {
      for (const { key } of calls) keys.add(key);
      return schedule(calls, options);
    };
  }

  /** Cancels what the test left, and takes from dead workers what they held. */
  async #drain(docket: string, keys: readonly string[]): Promise<void> {
    const storage = await this.open(docket);
    const consumer = `cleaner~${randomId()}`;
    const { scheduled, queued, running } = await storage.survey(1_000); // also what workers have seeded
    const all = new Set([...keys, ...[...scheduled, ...queued, ...running].map(({ key }) => key)]);
    if (all.size > 0) await storage.cancel([...all].map((key) => ({ key })));
    await this.eventually(async () => {
      for (let cursor = "more"; cursor !== "";) {
        if (cursor === "more") cursor = "";
        const request = { consumer, token: randomId(), lease: 1, cursor, want: 100 };
        const reply = await storage.reclaim({ ...request, maxDeliveries: 1 });
        equal(reply.claims.length, 0, "a cancelled task was handed out");
        cursor = reply.cursor;
      }
      return await storage.count() === 0;
    });
    equal(await storage.retire(consumer), true);
  }
}

/** In memory, under a clock that stands still until the test moves it. */
export class MemoryStage extends Stage {
  override readonly url = "memory://fundamentals";
  override readonly clock = new FakeClock();
  #advancing: Promise<void> = Promise.resolve();

  /** Moves the clock, one caller after the other. */
  override advance(ms: number): Promise<void> {
    return this.#advancing = this.#advancing.then(() => this.clock.advance(ms));
  }

  override glance(): Promise<void> {
    return this.advance(1);
  }

  /** With everything closed, nothing waits for time to pass. */
  override check(): Promise<void> {
    equal(this.clock.pending, 0, "timers are left behind");
    return Promise.resolve();
  }
}

/** On a Redis, in real time. */
export class RedisStage extends Stage {
  override readonly clock = systemClock;
  override readonly url: string;

  /** By default it is the Redis of `REDIS_URL`. */
  constructor(url = process.env.REDIS_URL) {
    super();
    if (!url) {
      throw new Error("Cannot test on Redis: set REDIS_URL, or run `deno task test`, which does");
    }
    this.url = url;
  }

  override advance(ms: number): Promise<void> {
    return this.sleep(ms);
  }

  override glance(): Promise<void> {
    return this.sleep(GLANCE);
  }

  override async check(dockets: Iterable<string>): Promise<void> {
    for (const docket of dockets) await assertNoLeaks(this.url, docket);
  }
}

/** On a server that nobody else uses. */
export class OwnRedisStage extends RedisStage {
  readonly server: OwnRedis;
  /** For what only an operator does. */
  readonly admin: Redis;

  constructor(server: OwnRedis) {
    super(server.url);
    this.server = server;
    this.admin = new Redis(server.socket, { protocol: 2, enableReadyCheck: false });
    this.admin.on("error", () => {}); // its server may be gone, that is what some tests are about
  }
}

/** What a task threw, as `result()` tells it. */
export async function failureOf(execution: Execution): Promise<Error & { readonly cause?: Error }> {
  const error = await execution.result().then(() => fail("it did not fail"), (error) => error);
  ok(error instanceof ExecutionFailedError, String(error));
  ok(error.cause instanceof Error, String(error.cause));
  return error.cause as Error & { readonly cause?: Error };
}

/** Resolves when the signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** A process that can be frozen: from then on nothing of it reaches the storage, and no answer reaches it. */
export class Freezer {
  #frozen?: AbortController;

  /** Freezes. */
  freeze(): void {
    this.#frozen = new AbortController();
  }

  /** Lets go on: calls that were under way fail, their outcome unknown. */
  thaw(): void {
    this.#frozen?.abort(new ConnectionError("The connection was cut"));
    this.#frozen = undefined;
  }

  /** The storage as that process sees it. */
  around(storage: Storage): Storage {
    const verbs = [
      "step",
      "wait",
      "renew",
      "reclaim",
      "promote",
      "retire",
      "count",
      "remaining",
      "seed",
      "report",
      "sweep",
      "advertise",
      "withdraw",
    ] as const;
    const changes = verbs.map((verb) => [
      verb,
      async (...args: never[]) => {
        const options = args.at(-1) as { readonly signal?: AbortSignal } | undefined;
        if (this.#frozen) await never(this.#frozen.signal, options?.signal);
        const call = (storage[verb] as (...args: never[]) => Promise<unknown>).apply(storage, args);
        const answer = await call;
        if (this.#frozen) await never(this.#frozen.signal, options?.signal);
        return answer;
      },
    ]);
    return altered(storage, Object.fromEntries(changes));
  }
}

/** Rejects when one of the signals aborts, and else stays as it is. */
function never(...signals: readonly (AbortSignal | undefined)[]): Promise<never> {
  return new Promise((_resolve, reject) => {
    for (const signal of signals) {
      if (signal?.aborted) return reject(signal.reason);
      signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
    }
  });
}

/** Plays a test on its stage, and clears the stage. */
export async function perform<S extends Stage>(
  stage: S,
  body: (stage: S) => Promise<void>,
): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const tooLong = new Promise<never>((_resolve, reject) => {
    const hangs = () => reject(new Error(`It hangs: it is not over after ${PATIENCE} ms`));
    timer = setTimeout(hangs, PATIENCE);
  });
  try {
    await Promise.race([tooLong, play(stage, body)]);
  } finally {
    clearTimeout(timer);
  }
}

async function play<S extends Stage>(stage: S, body: (stage: S) => Promise<void>): Promise<void> {
  try {
    await body(stage);
  } catch (error) {
    await stage.close().catch(() => {}); // what the body says matters more
    throw error;
  }
  await stage.clear();
}

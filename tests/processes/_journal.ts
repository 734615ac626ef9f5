/**
 * What the processes of a test did, in the order in which Redis heard of it, and the gates that hold their tasks.
 *
 * It lies beside the docket, under keys of its own, so that nothing in the library can colour what it says.
 *
 * @module
 */

import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { Redis } from "ioredis";
import type { Seeding, Settlement } from "../../src/storage/contract.ts";

/** One thing that one process did. */
export interface Happening {
  readonly what:
    /** The process is about to take work. */
    | "up"
    /** The worker has nothing to do, and blocks until something comes. */
    | "waiting"
    /** A signal was heard; nothing is claimed from now on. */
    | "draining"
    /** The process is at its failpoint: what comes next is its own SIGKILL or SIGSTOP. */
    | "failing"
    /** A handler was called, was told to stop, returned. */
    | "started"
    | "aborted"
    | "ended"
    /** A settlement was answered. */
    | "settled"
    /** All leases were looked through for abandoned ones. */
    | "looked"
    /** Automatic tasks were looked after. */
    | "seeded"
    /** A producer added a task, and knows it. */
    | "added";
  readonly worker: string;
  readonly pid: number;
  readonly key?: string;
  /** Of `started`. */
  readonly attempt?: number;
  readonly deliveries?: number;
  readonly redelivered?: boolean;
  /** Of `started` and `ended`: which run of its chain. */
  readonly run?: number;
  /** Of `aborted`: the code of the signal's reason. */
  readonly reason?: string;
  /** Of `settled`: as what, and whether it counted. */
  readonly kind?: Settlement["kind"];
  readonly committed?: boolean;
  /** Of `seeded`: what became of each. */
  readonly seedings?: readonly Seeding[];
}

/** Everything of a test is gone after so long, whatever becomes of the test. */
const LIFE = 600;

/** Polling for a gate: often enough to be quick, rarely enough to leave the processor to those who work. */
const GLANCE = 10;

/** Writes what one process does, and reads what all did. */
export class Journal {
  readonly #redis: Redis;
  readonly #docket: string;
  readonly #worker: string;

  constructor(url: string, docket: string, worker: string) {
    this.#redis = connect(url);
    this.#docket = docket;
    this.#worker = worker;
  }

  /** Resolves when it is written: what follows in the caller follows in the journal. */
  async note(what: Happening["what"], more: Partial<Happening> = {}): Promise<void> {
    const happening: Happening = { ...more, what, worker: this.#worker, pid: process.pid };
    await this.#redis.pipeline()
      .rpush(this.#key("journal"), JSON.stringify(happening))
      .expire(this.#key("journal"), LIFE)
      .exec();
  }

  /** What happened from this position on. */
  async read(from: number): Promise<Happening[]> {
    const lines = await this.#redis.lrange(this.#key("journal"), from, -1);
    return lines.map((line) => JSON.parse(line));
  }

  /** Waits until this process has noted something so many times more. */
  async again(what: Happening["what"], times: number): Promise<void> {
    const own = async (): Promise<number> =>
      (await this.read(0)).filter((entry) => entry.what === what && entry.pid === process.pid)
        .length;
    const enough = await own() + times;
    while (await own() < enough) await pause(GLANCE);
  }

  /** Lets pass whoever waits at this gate, now and later. */
  async open(gate: string): Promise<void> {
    await this.#redis.set(this.#key(`gate:${gate}`), "open", "EX", LIFE);
  }

  /** Waits until a gate is open. Rejects with the signal's reason when that aborts first. */
  async passed(gate: string, signal?: AbortSignal): Promise<void> {
    while (await this.#redis.exists(this.#key(`gate:${gate}`)) === 0) {
      signal?.throwIfAborted();
      await pause(GLANCE);
    }
  }

  /** Ends the connection. */
  close(): void {
    this.#redis.disconnect();
  }

  #key(name: string): string {
    return `processes:${this.#docket}:${name}`;
  }
}

/** A client of our own: the library's would retry, and tell of nothing. */
export function connect(url: string): Redis {
  const { protocol, pathname } = new URL(url);
  const redis = protocol === "unix:" ? new Redis(pathname) : new Redis(url);
  return redis.on("error", () => {}); // whoever waits for an answer hears of it
}

/**
 * Several workers of one queue, each in a process of its own.
 *
 * @module
 */

import { cpuUsage } from "node:process";
import { heard, Other, say, self } from "./process.ts";
import type { Handler, QueueOptions } from "./queue.ts";
import type { Stage } from "./stage.ts";
import { warmUp } from "./warm_up.ts";

/** Milliseconds between two looks at how much is settled: for a worker that settles 100 in each it is still rare. */
const LOOK = 5;

/** How a worker of a crew works. */
export interface Work {
  readonly concurrency: number;
  readonly options?: QueueOptions;
  /** How many tasks it practises on first. @default 0 */
  readonly practice?: number;
}

/** What a worker says: that it is ready, how much it has settled in all, and in the end what CPU time that took it. */
type Word = "ready" | { readonly settled: number } | { readonly micros: number };

/** Workers that wait for their tasks together. */
export class Crew implements AsyncDisposable {
  readonly #others: readonly Other[];
  readonly #listening: Promise<unknown>;
  readonly #settled: number[];
  #notReady: number;
  #atWork: number;
  #heard = (): void => {};
  /** CPU time of all of them, once they are done. */
  micros = 0;

  /** Starts so many workers of the queue `bench`. */
  constructor(stage: Stage, size: number, work: Work) {
    this.#others = Array.from({ length: size }, () => new Other(self, stage.order("work", work)));
    this.#settled = this.#others.map(() => 0);
    this.#notReady = this.#atWork = size;
    this.#listening = Promise.all(this.#others.map((other, i) => this.#listen(other, i)));
    this.#listening.catch(() => {}); // whoever waits for something sees it fail
  }

  /** Until all of them are connected. */
  async ready(): Promise<void> {
    await this.#until(() => this.#notReady === 0);
  }

  /** Lets them begin, and waits until so many tasks are settled between them and all have signed off. */
  async settle(count: number): Promise<void> {
    this.begin();
    await this.#until(() => this.#settled.reduce((sum, settled) => sum + settled) >= count);
    await this.finish();
  }

  /** Lets them begin. */
  begin(): void {
    for (const other of this.#others) other.tell("begin");
  }

  /** Has them finish what they have begun, and waits until all have; how they close does not count. */
  async finish(): Promise<void> {
    for (const other of this.#others) other.tell("finish");
    await this.#until(() => this.#atWork === 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#others.map((other) => other[Symbol.asyncDispose]()));
  }

  async #listen(other: Other, i: number): Promise<void> {
    for await (const line of other.lines()) {
      const word: Word | null = JSON.parse(line);
      if (word === "ready") this.#notReady--;
      else if (word && "settled" in word) this.#settled[i] = word.settled;
      else if (word) this.#end(word.micros);
      this.#heard();
    }
  }

  #end(micros: number): void {
    this.micros += micros;
    this.#atWork--;
  }

  /** A worker that fails fails this. */
  async #until(isSo: () => boolean): Promise<void> {
    const so = new Promise<void>((resolve) => {
      this.#heard = () => isSo() && resolve();
      this.#heard();
    });
    await Promise.race([so, this.#listening]);
    if (!isSo()) throw new Error("Cannot measure: the workers ended before their tasks");
  }
}

const echo: Handler = ({ customerId }) => customerId;

/** The part of one worker. */
export async function work(stage: Stage, { concurrency, options, practice = 0 }: Work) {
  await warmUp(stage, { concurrency, options, count: practice });
  const queue = await stage.open("bench", options);
  const worker = await queue.worker(concurrency, options?.results ? echo : () => {});
  const words = heard()[Symbol.asyncIterator]();
  await say("ready");
  await words.next();
  const before = cpuUsage();
  let settled = 0;
  let told = 0;
  const looking = setInterval(() => {
    if (told !== settled) void say({ settled: told = settled });
  }, LOOK);
  const running = worker.run(Infinity, () => settled++);
  await words.next();
  worker.finish();
  await running;
  clearInterval(looking);
  const { user, system } = cpuUsage(before);
  await say({ micros: user + system });
  await worker.close();
  await queue.close();
}

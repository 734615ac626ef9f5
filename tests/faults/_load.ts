/**
 * Dockets on servers that belong together, and adds that come all the time.
 *
 * @module
 */

import { deepStrictEqual as deepEqual } from "node:assert/strict";
import type { Durability, Execution } from "../../mod.ts";
import { type Docket, task } from "../../mod.ts";
import { assertNoLeaks } from "../_leaks.ts";
import { RedisStage } from "../_harness.ts";

/** A stage whose docket is wherever its servers have it now. */
export class MovingStage extends RedisStage {
  readonly #owner: (docket: string) => Promise<string>;

  /** `owner` gives the URL of the server that has a docket. */
  constructor(url: string, owner: (docket: string) => Promise<string>) {
    super(url);
    this.#owner = owner;
  }

  override async check(dockets: Iterable<string>): Promise<void> {
    for (const docket of dockets) await assertNoLeaks(await this.#owner(docket), docket);
  }
}

/** Adds all the time, a few at once, some of them with durability; what fails is added no second time. */
export class Load {
  /** How often each key was run. */
  readonly runs = new Map<string, number>();
  /** What was accepted with durability. */
  readonly durable: Execution<string>[] = [];
  /** What was accepted without. */
  readonly plain: Execution<string>[] = [];
  /** Why adds failed. */
  readonly refused: unknown[] = [];
  readonly #stage: MovingStage;
  readonly #note = task("note", async ({ key }): Promise<string> => {
    this.runs.set(key, (this.runs.get(key) ?? 0) + 1);
    await this.#stage.sleep(3);
    return key;
  });
  #stopped = false;
  #adding?: Promise<void>;

  constructor(stage: MovingStage) {
    this.#stage = stage;
  }

  /** Has a docket's workers know the task. */
  join(docket: Docket): void {
    docket.register(this.#note);
  }

  /** Begins. */
  start(docket: Docket, durability: Durability | undefined): void {
    this.#adding = this.#add(docket, durability);
  }

  /** Resolves when the load is over. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#stage.soon(this.#adding ?? Promise.resolve());
  }

  /** Waits until so many more were accepted and run: with durability that is once replicas are back as well. */
  async progress(more: number, which: "plain" | "durable" = "plain"): Promise<void> {
    const [from, ran] = [this[which].length, this.runs.size];
    await this.#stage.eventually(() =>
      this[which].length >= from + more && this.runs.size >= ran + more
    );
  }

  /** Waits until all that was accepted has run, each with its own result; tells how many there were. */
  async completed(which: "plain" | "durable"): Promise<number> {
    const executions = [...this[which]];
    const results = Promise.all(executions.map((execution) => execution.result()));
    deepEqual(await this.#stage.soon(results), executions.map(({ key }) => key));
    return executions.length;
  }

  /** Tells, for people, what was lost; of what was added with durability that must be nothing. */
  async losses(docket: Docket): Promise<string> {
    const durable = await this.completed("durable");
    const found = await Promise.all(this.plain.map(({ key }) => docket.execution(key)));
    const lost = found.filter((execution) => execution === undefined).length;
    return `lost 0 of ${durable} with durability, ${lost} of ${found.length} without; ` +
      `${this.refused.length} refused, ${this.repeated} run again`;
  }

  /** How many runs there were too many. */
  get repeated(): number {
    return [...this.runs.values()].reduce((sum, count) => sum + count - 1, 0);
  }

  async #add(docket: Docket, durability: Durability | undefined): Promise<void> {
    for (let n = 0; !this.#stopped; n++) {
      const adding = [0, 1, 2, 3].map((m) => {
        const isDurable = m % 2 === 0 && durability !== undefined;
        const key = `${n}.${m}`;
        return docket.add(this.#note, isDurable ? { key, durability } : { key })().then(
          (execution) => void (isDurable ? this.durable : this.plain).push(execution),
          (error) => void this.refused.push(error),
        );
      });
      await Promise.all(adding);
      await this.#stage.sleep(5);
    }
  }
}

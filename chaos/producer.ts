/**
 * A producer process: it adds, replaces, cancels and waits for results until it is asked to end, or killed. It does all that
 * at the pace of the answers, and less while much is on the docket: a slow machine has less to do.
 *
 * @module
 */

import { setTimeout as pause } from "node:timers/promises";
import { ConnectionError, type Docket, DocketError, type Execution } from "../mod.ts";
import { internalsOf } from "../src/docket/internals.ts";
import { endWithParent } from "./child.ts";
import { Dice } from "./dice.ts";
import { Journal } from "./journal.ts";
import { asked, connect, type Setup } from "./setup.ts";
import type { Tasks } from "./tasks.ts";

/** So many things are under way at a time. */
const AT_ONCE = 3;

/** Keys that all producers quarrel about. */
const SHARED = 24;

const CUSTOMERS = 4;

/** While more is on the docket, nothing is added. */
const ENOUGH = 200;

async function main(setup: Setup): Promise<void> {
  endWithParent();
  const end = asked();
  const journal = new Journal(setup.journal, setup.name);
  const docket = await connect(setup, journal);
  const producer = new Producer(docket, journal, setup);
  journal.note("up");
  await producer.run(end);
  await docket.close();
  Deno.exit(0);
}

/** Does what its dice say. */
class Producer {
  readonly #docket: Docket;
  readonly #journal: Journal;
  readonly #dice: Dice;
  readonly #name: string;
  readonly #results = new Set<Promise<void>>();
  /** Keys that were added here lately, to be cancelled. */
  readonly #recent: string[] = [];
  #added = 0;
  #stopped = false;
  #isEnough = false;

  constructor(docket: Docket, journal: Journal, { name, seed }: Setup) {
    this.#docket = docket;
    this.#journal = journal;
    this.#dice = new Dice(seed);
    this.#name = `${name}.${seed}`; // the next process of the same name has another seed
  }

  /** Goes on until then, and waits for what it has begun. */
  async run(end: Promise<void>): Promise<void> {
    void end.then(() => this.#stopped = true);
    const looking = this.#look();
    await Promise.all(Array.from({ length: AT_ONCE }, () => this.#act()));
    await looking;
    await Promise.all(this.#results);
  }

  async #act(): Promise<void> {
    while (!this.#stopped) {
      await pause(this.#dice.between(40, 120));
      if (this.#isEnough) continue;
      try {
        await this.#next();
      } catch (error) {
        if (!(error instanceof ConnectionError)) throw error; // "the task may exist": the journal knows
      }
    }
  }

  /** Whether there is enough on the docket. */
  async #look(): Promise<void> {
    const { storage } = internalsOf(this.#docket);
    while (!this.#stopped) {
      const count = await storage.count().catch(() => 0);
      this.#isEnough = count > ENOUGH;
      await pause(200);
    }
  }

  async #next(): Promise<void> {
    const dice = this.#dice;
    const act = dice.choose<() => Promise<unknown>>([
      [30, () => this.#add("quick", dice.below(40))],
      [8, () => this.#add("quick", dice.below(20), { delay: dice.below(1_500) })],
      [10, () => this.#quarrel("add")],
      [10, () => this.#quarrel("replace")],
      [10, () => this.#cancel()],
      [14, () => this.#add("limited", dice.below(CUSTOMERS), dice.below(60))],
      [8, () => this.#add("flaky", dice.below(4))],
      [2, () => this.#add("hopeless")],
      [3, () => this.#add("slow", 1_200 + dice.below(1_000))],
      [2, () => this.#add("stubborn", 1_200 + dice.below(800))],
      [3, () => this.#add("chain", 2 + dice.below(5))],
    ]);
    await act();
  }

  /** Adds a task under a key of its own. The last argument may be options. */
  async #add(task: string, ...rest: readonly (number | { readonly delay: number })[]) {
    const key = `${this.#name}:${this.#added++}`;
    const args = rest.filter((arg) => typeof arg === "number");
    const options = rest.find((arg) => typeof arg === "object");
    this.#remember(key);
    const execution = await this.#docket.add(task, { key, ...options })(...args);
    if (this.#dice.chance(0.3)) this.#await(execution);
  }

  /** Adds or replaces under a key that others use too. */
  async #quarrel(mode: "add" | "replace"): Promise<void> {
    const key = `shared:${this.#dice.below(SHARED)}`;
    const delay = this.#dice.chance(0.3) ? this.#dice.below(800) : 0;
    const ms = this.#dice.below(150);
    const docket = this.#docket;
    const execution = mode === "add"
      ? await docket.add<Tasks["quick"]>("quick", { key, delay })(ms)
      : await docket.replace<Tasks["quick"]>("quick", { key, delay })(ms);
    if (this.#dice.chance(0.1)) this.#await(execution);
  }

  async #cancel(): Promise<void> {
    const dice = this.#dice;
    const isShared = this.#recent.length === 0 || dice.chance(0.3);
    const key = isShared
      ? `shared:${dice.below(SHARED)}`
      : this.#recent[dice.below(this.#recent.length)];
    await this.#docket.cancel(key);
  }

  #remember(key: string): void {
    this.#recent.push(key);
    if (this.#recent.length > 20) this.#recent.shift();
  }

  /** Waits for the result beside everything else. */
  #await(execution: Execution): void {
    const { key } = execution;
    this.#journal.note("awaited", { key });
    const result = this.#outcome(execution).then((outcome) => {
      this.#results.delete(result);
      this.#journal.note("resolved", { key, outcome });
    });
    this.#results.add(result);
  }

  async #outcome(execution: Execution): Promise<string> {
    try {
      const value = await execution.result();
      return value === execution.key ? "completed" : `the result of ${value}`;
    } catch (error) {
      if (error instanceof DocketError) return error.code;
      throw error;
    }
  }
}

if (import.meta.main) await main(JSON.parse(Deno.args[0]));

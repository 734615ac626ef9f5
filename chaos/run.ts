/**
 * One run of chaos: a Redis, workers and producers of its own, and everything that breaks.
 *
 * @module
 */

import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Docket } from "../mod.ts";
import { internalsOf } from "../src/docket/internals.ts";
import type { Storage } from "../src/storage/contract.ts";
import { assertNoLeaks } from "../tests/_leaks.ts";
import { readWritten } from "./aof.ts";
import { consumersOf } from "./consumers.ts";
import { Crew, type Size } from "./crew.ts";
import { Dice } from "./dice.ts";
import { breakThings } from "./faults.ts";
import { Journal, readJournal } from "./journal.ts";
import { judge, type Outcome } from "./outcome.ts";
import { Server } from "./server.ts";
import { connect } from "./setup.ts";
import { AUTOMATIC } from "./tasks.ts";

/** What a run is told. */
export interface Plan {
  /** Decides what breaks, and what producers do. */
  readonly seed: number;
  /** For how long things break, in milliseconds. */
  readonly span: number;
  /** How many workers and producers there are. */
  readonly size?: Size;
  /** Whether the journal and the files of Redis stay, also when all went well. */
  readonly keep?: boolean;
}

const DOCKET = "chaos";
const LEASE = 1_000;
const CONCURRENCY = 8;

/** So many at a time. */
const SIZE: Size = { worker: 10, producer: 5 };

/** As long as anything moves, it is waited for; what has not moved for so long is stuck, also on a busy machine. */
const PATIENCE = 60_000;

/** How often it is looked whether something has come true, in milliseconds. */
const GLANCE = 100;

/** Runs, and judges. */
export async function runChaos({ seed, span, size = SIZE, keep }: Plan): Promise<Outcome> {
  await using server = await Server.start();
  const path = join(server.directory, "journal");
  using journal = new Journal(path, "chaos");
  const accidents: string[] = [];
  const common = { url: server.url, docket: DOCKET, journal: path, lease: LEASE };
  {
    await using docket = await connect(common, journal);
    await using crew = new Crew(journal, { ...common, concurrency: CONCURRENCY }, seed, size);
    const targets = { server, crew, docket, journal, dice: new Dice(seed), lease: LEASE };
    await breakThings(targets, span);
    journal.note("calm");
    const ending = new Ending(docket, crew, server, journal, path);
    accidents.push(...await ending.run(), ...crew.accidents);
  }
  if (accidents.length === 0) accidents.push(...await leaks(server.url));
  const outcome = judge({
    happenings: readJournal(path),
    written: readWritten(server.directory, DOCKET),
    lease: LEASE,
    concurrency: CONCURRENCY,
    workers: size.worker,
    accidents,
  });
  if (outcome.findings.length === 0 && !keep) return outcome;
  server.keep();
  return { ...outcome, evidence: server.directory };
}

/** Has producers end, workers run everything out, forget the dead, and end. */
class Ending {
  readonly #docket: Docket;
  readonly #storage: Storage;
  readonly #crew: Crew;
  readonly #server: Server;
  readonly #journal: Journal;
  readonly #path: string;

  constructor(docket: Docket, crew: Crew, server: Server, journal: Journal, path: string) {
    this.#docket = docket;
    this.#storage = internalsOf(docket).storage;
    this.#crew = crew;
    this.#server = server;
    this.#journal = journal;
    this.#path = path;
  }

  /** Tells what did not go well, in words. */
  async run(): Promise<string[]> {
    const crew = this.#crew;
    await this.#docket.cancel(AUTOMATIC); // else there would always be something left
    if (!await this.#comes(() => this.#areUp())) return ["not all processes came up"];
    // What producers still wait for comes meanwhile.
    await crew.dismiss("producer", 2 * PATIENCE);
    if (!await this.#runsOut()) return [await this.#describeLive()];
    this.#journal.note("finished");
    if (!await this.#comes(() => this.#areForgotten())) {
      return [`not forgotten: ${(await this.#consumers()).join(", ")}`];
    }
    await crew.dismiss("worker", PATIENCE);
    return [];
  }

  /** Whether all processes that live know what a signal means. */
  #areUp(): boolean {
    const up = new Set(
      readJournal(this.#path).filter(({ what }) => what === "up").map(({ pid }) => pid),
    );
    return this.#crew.pids.every((pid) => up.has(pid));
  }

  /** Whether nothing is left to run; false when what is left does not become less. */
  async #runsOut(): Promise<boolean> {
    let least = Infinity;
    let deadline = 0;
    for (;;) {
      const count = await this.#storage.count();
      if (count === 0) return await this.#comes(() => this.#areUp());
      if (count < least) deadline = performance.now() + PATIENCE;
      else if (performance.now() > deadline) return false;
      least = Math.min(count, least);
      await pause(GLANCE);
    }
  }

  /** Whether nothing is known any more of workers that died. */
  async #areForgotten(): Promise<boolean> {
    return (await this.#consumers()).length <= this.#crew.pids.length;
  }

  async #consumers(): Promise<string[]> {
    const admin = this.#server.connect();
    try {
      return await consumersOf(admin, DOCKET);
    } finally {
      admin.disconnect();
    }
  }

  async #comes(claim: () => boolean | Promise<boolean>): Promise<boolean> {
    const deadline = performance.now() + PATIENCE;
    while (!await claim()) {
      if (performance.now() > deadline) return false;
      await pause(GLANCE);
    }
    return true;
  }

  async #describeLive(): Promise<string> {
    const { scheduled, queued, running, waiting } = await this.#storage.survey(20);
    const live = [...scheduled, ...queued, ...running, ...waiting].map((task) =>
      JSON.stringify(task)
    );
    return `stuck: ${live.join("\n")}`;
  }
}

/** What is left on Redis and should not be. */
async function leaks(url: string): Promise<string[]> {
  try {
    await assertNoLeaks(url, DOCKET);
    return [];
  } catch (error) {
    return [`leaks: ${(error as Error).message}`];
  }
}

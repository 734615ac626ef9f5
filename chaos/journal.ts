/**
 * What all processes of a run did, in the order in which it happened: lines in one file, which every process appends to.
 *
 * A line is one `write`, and is the file's before the call returns: a process that is killed in the next instant has said
 * what it said. The system orders the lines of all processes, so no clocks are compared.
 *
 * @module
 */

import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import process from "node:process";
import type { Settlement, Verdict } from "../src/storage/contract.ts";

/** One thing that one process did. */
export interface Happening {
  readonly what:
    /** The process works. */
    | "up"
    /** A call goes to the storage, under the generation that it will be. */
    | "asked"
    /** What the storage said of that call: only now it is a promise. */
    | "answered"
    /** What the storage said to a cancel. */
    | "cancelled"
    /** A worker was given a task, under a token. */
    | "claimed"
    /** A handler was called, and left. */
    | "started"
    | "left"
    /** The lease of a run is lost, as its signal says. */
    | "aborted"
    /** A worker wants a run settled, and was told whether it counted. */
    | "settling"
    | "settled"
    /** Somebody waits for a result, and what came of that. */
    | "awaited"
    | "resolved"
    /** A process was not let run, or Redis not reached. */
    | "stalled"
    /** What was done to a process, by its name. */
    | "killed"
    | "stopped"
    | "continued"
    /** A process is gone, whatever the reason. */
    | "gone"
    /** What was done to Redis. */
    | "redis killed"
    | "redis back"
    | "cut"
    /** Nothing is broken from now on. */
    | "calm"
    /** Nothing is left to run. */
    | "finished";
  /** When, on the machine's clock, in milliseconds: for figures, never for order. */
  readonly at: number;
  readonly by: string;
  readonly pid: number;
  readonly task?: string;
  readonly key?: string;
  readonly generation?: string;
  readonly token?: string;
  readonly attempt?: number;
  readonly deliveries?: number;
  readonly mode?: "add" | "replace";
  /** Of `answered`: the verdict, or that there was none: the call may have been carried out. */
  readonly verdict?: Verdict["kind"] | "unknown";
  /** Of `settling`, `settled`: as what. */
  readonly kind?: Settlement["kind"];
  /** Of `started`: the gate that it has passed. */
  readonly gate?: string;
  /** Of `settling`: the generation that comes after it. */
  readonly next?: string;
  /** Of `settled`: absent when no answer came. */
  readonly committed?: boolean;
  /** Of `settled`: how it ended. Of `resolved`: so, too, or the code of the error. Of `aborted`: the reason's code. Of `gone`: signal or code. */
  readonly outcome?: string;
  /** Of `stalled`: for how long, in milliseconds. */
  readonly ms?: number;
  /** Of faults: whom they hit. */
  readonly victim?: string;
  readonly victimPid?: number;
}

/** What is noted, besides who and when. */
export type Note = Omit<Happening, "what" | "at" | "by" | "pid">;

/** Appends what one process does. */
export class Journal implements Disposable {
  readonly #file: number;
  readonly #by: string;

  constructor(path: string, by: string) {
    this.#file = openSync(path, "a");
    this.#by = by;
  }

  /** Writes a line: it is there when this returns. */
  note(what: Happening["what"], more: Note = {}): void {
    const happening: Happening = { what, at: Date.now(), by: this.#by, pid: process.pid, ...more };
    writeSync(this.#file, `${JSON.stringify(happening)}\n`);
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
  }
}

/** Everything that happened so far. */
export function readJournal(path: string): Happening[] {
  const lines = readFileSync(path, "utf8").split("\n");
  lines.pop(); // what follows the last line break
  return lines.map((line) => JSON.parse(line) as Happening);
}

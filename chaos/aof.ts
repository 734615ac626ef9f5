/**
 * What Redis itself wrote down: the append-only file holds every change, in order, also those whose answers got lost.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ID_LENGTH } from "../src/base/ids.ts";
import { keysOf } from "../src/storage/redis/keys.ts";
import { readEnded } from "../src/storage/redis/row.ts";
import type { EndedTask } from "../src/storage/contract.ts";

/** How one generation ended, as Redis has it. */
export interface WrittenEnd extends Pick<EndedTask, "generation" | "state" | "reason" | "endedAt"> {
  readonly key: string;
}

/** What became of tasks, in order. */
export interface Written {
  /** Generations that were live, or waited to replace one that ran. */
  readonly live: ReadonlySet<string>;
  readonly ends: readonly WrittenEnd[];
  /** Of each generation the tokens that it was claimed under, in order. */
  readonly claims: ReadonlyMap<string, ReadonlySet<string>>;
}

/** Reads the file, or files, in a directory of a server. */
export function readWritten(directory: string, docket: string): Written {
  const { state, deferred, recordPrefix } = keysOf(docket);
  const live = new Set<string>();
  const ends: WrittenEnd[] = [];
  const claims = new Map<string, Set<string>>();
  for (const [name, key = "", ...values] of commandsIn(directory)) {
    switch (name.toUpperCase()) {
      case "HSET": {
        const start = key === state ? 2 : key === deferred ? 0 : -1;
        if (start < 0) break;
        for (let i = 1; i < values.length; i += 2) {
          const generation = values[i].slice(start, start + ID_LENGTH);
          live.add(generation);
          if (key !== state || values[i][0] !== "R") continue;
          const token = values[i].slice(start + ID_LENGTH, start + 2 * ID_LENGTH);
          claims.set(generation, (claims.get(generation) ?? new Set()).add(token));
        }
        break;
      }
      case "SET":
      case "PSETEX": {
        if (!key.startsWith(recordPrefix)) break;
        const record = name.toUpperCase() === "SET" ? values[0] : values[1];
        const { generation, state, reason, endedAt } = readEnded(record);
        ends.push({ key: key.slice(recordPrefix.length), generation, state, reason, endedAt });
        break;
      }
    }
  }
  return { live, ends, claims };
}

/** Every command, in order: those of Redis 7 and later are in a folder of numbered files. */
function* commandsIn(directory: string): Generator<string[]> {
  const folder = join(directory, "appendonlydir");
  let files: string[];
  try {
    files = readdirSync(folder)
      .filter((name) => name.endsWith(".incr.aof"))
      .sort((a, b) => numberOf(a) - numberOf(b))
      .map((name) => join(folder, name));
  } catch {
    files = [join(directory, "appendonly.aof")]; // before Redis 7
  }
  for (const file of files) yield* parse(readFileSync(file));
}

function numberOf(name: string): number {
  return Number(/\.(\d+)\.incr\.aof$/.exec(name)?.[1]);
}

/** Commands as clients send them; lines that begin with `#` are Redis's notes. */
function* parse(bytes: Buffer): Generator<string[]> {
  let at = 0;
  const line = (): string => {
    const end = bytes.indexOf("\r\n", at);
    const text = bytes.toString("latin1", at, end);
    at = end + 2;
    return text;
  };
  while (at < bytes.length) {
    const head = line();
    if (!head.startsWith("*")) continue;
    const command: string[] = [];
    for (let left = Number(head.slice(1)); left > 0; left--) {
      const length = Number(line().slice(1));
      command.push(bytes.toString("utf8", at, at + length));
      at += length + 2;
    }
    yield command;
  }
}

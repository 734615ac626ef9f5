/**
 * Who is measured: a column of the table.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { floorLacks } from "./floor.ts";
import { ask, module, type Program } from "./process.ts";
import type { Ability } from "./queue.ts";
import type { Place, Sample, Scenario } from "./scenario.ts";
import type { Order } from "./stage.ts";

/** One that scenarios are measured on. */
export interface Contender {
  /** In `--json`. */
  readonly name: string;
  /** The head of its column. */
  readonly title: string;
  /** What it cannot do. */
  readonly lacks: readonly Ability[];
  /** Measures once, in a process that nothing was measured in before. */
  measure(scenario: Scenario): Promise<Sample>;
}

/** What {@linkcode contender} makes one of. */
export interface Entry {
  readonly name: string;
  readonly title: string;
  readonly lacks?: readonly Ability[];
  /** What measures it. */
  readonly program: Program;
  /** What the program knows it by. */
  readonly peer: string;
  readonly place: Place;
}

/** One that a program measures. */
export function contender({ name, title, lacks = [], program, peer, place }: Entry): Contender {
  return {
    name,
    title,
    lacks,
    measure: ({ name }) => ask<Order, Sample>(program, { peer, place, part: name }),
  };
}

/** The program that measures ours in Deno. */
export const inDeno: Program = module(fileURLToPath(new URL("run.ts", import.meta.url)));

/** Ours in memory. */
export const inMemory: Contender = contender({
  name: "memory",
  title: "in memory",
  lacks: ["server"],
  program: inDeno,
  peer: "docket",
  place: { storage: "memory", url: "memory://bench" },
});

/** Ours on Redis. */
export function onRedis(url: string): Contender {
  const place = { storage: "redis", url } as const;
  return contender({ name: "docket", title: "on Redis", program: inDeno, peer: "docket", place });
}

/** The floor, in the same runtime as ours. */
export function floorInDeno(url: string): Contender {
  return contender({
    name: "floor",
    title: "raw floor",
    lacks: floorLacks,
    program: inDeno,
    peer: "floor",
    place: { storage: "redis", url },
  });
}

/** Whether a contender can do what a scenario needs. */
export function can({ lacks }: Contender, { needs = [] }: Scenario): boolean {
  return !needs.some((ability) => lacks.includes(ability));
}

/**
 * All subjects, and the process that one is filled or measured in.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { answer, ask, module } from "../process.ts";
import type { Place, Sample } from "../scenario.ts";
import { dockets } from "./dockets.ts";
import { states } from "./states.ts";
import { strikes } from "./strikes.ts";
import type { Subject } from "./subject.ts";
import { workers } from "./workers.ts";

/** In the order of the tables. */
export const subjects: readonly Subject[] = [...states, strikes, workers, dockets];

const program = module(fileURLToPath(import.meta.url));

interface Order {
  readonly name: string;
  readonly place: Place;
  readonly count: number;
  /** What filling gave; absent when it is to be filled. */
  readonly filled?: { readonly key?: string };
}

/** Fills, in a process of its own. */
export function fill({ name }: Subject, place: Place, count: number): Promise<{ key?: string }> {
  return ask<Order, { key?: string }>(program, { name, place, count });
}

/** Measures, in a process that nothing was measured in before. */
export function measure(
  { name }: Subject,
  place: Place,
  count: number,
  filled: { readonly key?: string },
): Promise<Sample> {
  return ask<Order, Sample>(program, { name, place, count, filled });
}

async function solve({ name, place, count, filled }: Order): Promise<unknown> {
  const subject = subjects.find((one) => one.name === name);
  if (!subject) throw new TypeError(`Cannot measure ${JSON.stringify(name)}: it is no subject`);
  if (filled) return await subject.measure(place, count, filled.key);
  return { key: await subject.fill(place, count) };
}

if (import.meta.main) await answer(solve);

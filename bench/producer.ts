/**
 * Puts tasks on a docket before they are drained.
 *
 * @module
 */

import { answer, ask } from "./process.ts";
import type { Place } from "./scenario.ts";
import { addInFlight, connect } from "./work.ts";

interface Order {
  readonly place: Place;
  readonly count: number;
}

/** Adds so many tasks: to a server from another process, so that the worker's stays fresh. Memory has only this one. */
export async function produce(place: Place, count: number): Promise<void> {
  const order = { place, count };
  if (place.storage === "memory") await fill(order);
  else await ask(import.meta.url, order);
}

async function fill({ place, count }: Order): Promise<void> {
  await using docket = await connect(place);
  await addInFlight(docket, count);
}

if (import.meta.main) await answer(fill);

/**
 * What breaks, and how often: the dice are thrown every quarter of a second, in the same order whatever happens.
 *
 * @module
 */

import { setTimeout as pause } from "node:timers/promises";
import type { Docket } from "../mod.ts";
import type { Crew } from "./crew.ts";
import type { Dice } from "./dice.ts";
import type { Journal } from "./journal.ts";
import type { Server } from "./server.ts";

/** How often the dice are thrown, in milliseconds. */
export const BEAT = 250;

/** How likely each fault is with each throw. */
const LIKELY = { kill: 0.08, stop: 0.02, redis: 0.02, cut: 0.05, poison: 0.01 } as const;

/** Whom it may hit. */
export interface Targets {
  readonly server: Server;
  readonly crew: Crew;
  readonly docket: Docket;
  readonly journal: Journal;
  readonly dice: Dice;
  readonly lease: number;
}

/** Breaks things for so many milliseconds. When it returns everything runs again. */
export async function breakThings(targets: Targets, span: number): Promise<void> {
  const { crew, dice } = targets;
  const mending = new Set<Promise<void>>();
  const beats = Math.floor(span / BEAT);
  const start = performance.now();
  for (let beat = 1; beat <= beats; beat++) {
    const late = start + beat * BEAT - performance.now();
    if (late > 0) await pause(late);
    for (const mend of throwDice(targets, dice)) {
      const mended = mend().finally(() => mending.delete(mended));
      mending.add(mended);
    }
  }
  crew.continueAll();
  await Promise.all(mending);
}

/** Everything is thrown in any case: what one fault needs does not shift what comes after it. */
function throwDice(targets: Targets, dice: Dice): (() => Promise<void>)[] {
  const { server, crew, docket, journal, lease } = targets;
  const kill = dice.chance(LIKELY.kill);
  const victim = dice.below(crew.size);
  const stop = dice.chance(LIKELY.stop);
  const stopped = dice.below(crew.size);
  const halt = dice.between(1.5, 4) * lease;
  const redis = dice.chance(LIKELY.redis);
  const downtime = dice.between(0, 1.5) * lease;
  const cut = dice.chance(LIKELY.cut);
  const kind = dice.chance(0.5) ? "normal" : "pubsub";
  const poison = dice.chance(LIKELY.poison);

  if (kill) crew.kill(victim);
  if (stop) crew.stop(stopped, halt);
  const mends: (() => Promise<void>)[] = [];
  if (redis && server.isUp) {
    mends.push(async () => {
      journal.note("redis killed");
      await server.bounce(downtime);
      journal.note("redis back");
    });
  } else if (cut && server.isUp) {
    mends.push(async () => {
      journal.note("cut");
      await server.cut(kind).catch(() => {}); // it was killed in this moment
    });
  }
  if (poison) {
    // Its outcome is unknown where Redis was away for too long: the journal has it.
    mends.push(() => docket.add("poison")().then(() => {}, () => {}));
  }
  return mends;
}

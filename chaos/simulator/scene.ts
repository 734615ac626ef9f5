/**
 * What every simulation has, whatever its storage and its time are.
 *
 * @module
 */

import type { EndedTask, Storage } from "../../src/storage/contract.ts";
import { check, describe, type Ending, type Figures } from "../history.ts";
import { Chronicle } from "./chronicle.ts";
import { Crew } from "./crew.ts";
import type { Plan } from "./plan.ts";
import type { Random } from "./random.ts";
import { Server, type ServerOptions, workerOf } from "./server.ts";
import type { Timeline } from "./timeline.ts";
import { Weather } from "./weather.ts";
import { isChain } from "./workload.ts";

/** What became of a simulation. */
export interface Outcome {
  readonly seed: number;
  /** What is wrong, a sentence each. */
  readonly findings: readonly string[];
  readonly figures: Figures;
  readonly trace: readonly string[];
}

/** What a {@linkcode Scene} is made of. */
export interface SceneOptions extends Pick<ServerOptions, "hearsLate"> {
  readonly random: Random;
  readonly plan: Plan;
  readonly timeline: Timeline;
  readonly storage: Storage;
}

/** All parts of a simulation. */
export interface Scene {
  readonly plan: Plan;
  readonly timeline: Timeline;
  readonly chronicle: Chronicle;
  readonly server: Server;
  readonly weather: Weather;
  readonly crew: Crew;
}

/** Puts them together. */
export function setScene({ random, plan, timeline, storage, hearsLate }: SceneOptions): Scene {
  const chronicle = new Chronicle(timeline);
  const ambush = random.fork();
  const changed = (key: string) => {
    if (timeline.now() >= plan.end || !ambush.percent(plan.ambushes)) return;
    timeline.after(0, () => {
      server.perform("*", "cancel", [[{ key }]]).catch(() => {}); // it is noted there
    });
  };
  const server: Server = new Server({ storage, timeline, chronicle, isChain, changed, hearsLate });
  const weather = new Weather(random.fork(), plan.climate);
  const crew = new Crew({ timeline, chronicle, server, weather, random: random.fork(), plan });
  return { plan, timeline, chronicle, server, weather, crew };
}

/** Puts everything on the timeline that is to happen while things break. */
export async function begin(
  { plan, timeline, weather, crew, chronicle }: Scene,
): Promise<void> {
  for (let i = 0; i < plan.producers; i++) await crew.enlist();
  for (let i = 0; i < plan.workers; i++) await crew.hire();
  for (const request of plan.requests) timeline.after(request.at, () => crew.ask(request));
  for (const fault of plan.faults) {
    timeline.after(fault.at, () => {
      chronicle.note("!", fault.kind);
      switch (fault.kind) {
        case "kill":
          if (crew.kill(fault.worker)) crew.hireAfter(fault.back);
          return;
        case "stop":
          if (crew.dismiss(fault.worker)) crew.hireAfter(fault.back);
          return;
        case "stall":
          return crew.stall(fault.worker, fault.span);
        case "kill producer":
          return crew.killProducer(fault.producer);
        case "outage":
          weather.turnDown();
          timeline.after(fault.span, () => weather.turnUp());
          return;
      }
    });
  }
}

/** Nothing comes again by itself. */
export async function endChains({ server }: Scene): Promise<void> {
  const chains = server.keys.filter(isChain);
  if (chains.length === 0) return;
  try {
    await server.perform("*", "cancel", [chains.map((key) => ({ key }))]);
  } catch {
    // It is noted there, and they stay.
  }
}

/** Looks what the storage still has when nobody is there any more. */
export async function lookAround({ server, chronicle }: Scene): Promise<string[]> {
  const { keys, storage } = server;
  const found = await storage.load(keys);
  keys.forEach((key, i) => {
    const { live, deferred, ended, dead } = found[i];
    chronicle.tell({
      kind: "found",
      key,
      live: live && chronicle.nameOf("g", live.generation),
      deferred: deferred && chronicle.nameOf("g", deferred.generation),
      ended: ended && endingOf(chronicle, ended),
      dead: dead && endingOf(chronicle, dead),
    });
  });
  const advertised = await storage.workers();
  return advertised.map(({ consumer }) => `left: ${workerOf(consumer)} is advertised`);
}

/** What the history says, and whatever else was found. */
export function outcomeOf(
  seed: number,
  { plan, chronicle, server, crew }: Scene,
  found: readonly string[],
): Outcome {
  const { findings: broken, figures } = check(chronicle.history, plan);
  const findings = [
    ...found,
    ...broken.map(describe),
    ...server.contradictions,
    ...crew.complaints,
  ];
  return { seed, findings, figures, trace: chronicle.trace };
}

function endingOf(chronicle: Chronicle, { generation, state, reason }: EndedTask): Ending {
  return { generation: chronicle.nameOf("g", generation), state, reason };
}

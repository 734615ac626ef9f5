/**
 * A whole docket, its workers and producers in one thread, on a clock and a network that a seed decides: the same seed, the
 * same history. At the end it is held against everything that was promised.
 *
 * @module
 */

import type { Millis } from "../../src/base/clock.ts";
import { MemoryStorage } from "../../src/storage/memory/handle.ts";
import type { Memory } from "../../src/storage/memory/memory.ts";
import { Requests } from "../../src/storage/memory/requests.ts";
import { Site } from "../../src/storage/memory/site.ts";
import { Upkeep } from "../../src/storage/memory/upkeep.ts";
import type { EndedTask } from "../../src/storage/contract.ts";
import { Task } from "../../src/storage/memory/task.ts";
import { Work } from "../../src/storage/memory/work.ts";
import { check, describe, type Ending, type Figures } from "../history.ts";
import { Chronicle } from "./chronicle.ts";
import { Crew } from "./crew.ts";
import { clockOf } from "./host.ts";
import { type Plan, planOf } from "./plan.ts";
import { Random } from "./random.ts";
import { Server, workerOf } from "./server.ts";
import { SimulatedTimeline } from "./timeline.ts";
import { CALM, Weather } from "./weather.ts";
import { isChain, limits } from "./workload.ts";

/** How long workers have, when nothing breaks any more, to do all that is left. */
const PATIENCE: Millis = 120_000;

/** How long records are kept. */
const KEPT: Millis = 3_600_000;

const SCALE = { requests: 40, span: 2_500, lease: 400 };

/** What became of a simulation. */
export interface Outcome {
  readonly seed: number;
  /** What is wrong, a sentence each. */
  readonly findings: readonly string[];
  readonly figures: Figures;
  readonly trace: readonly string[];
}

/** Plays a seed. */
export async function simulate(seed: number): Promise<Outcome> {
  const random = new Random(seed);
  const chance = random.fork();
  const { random: before } = Math;
  Math.random = () => chance.next(); // jitter
  try {
    return await play(seed, random);
  } finally {
    Math.random = before;
  }
}

async function play(seed: number, random: Random): Promise<Outcome> {
  const plan = planOf(random.fork(), SCALE);
  const timeline = new SimulatedTimeline(random.fork());
  const chronicle = new Chronicle(timeline);
  const site = new Site(clockOf(timeline));
  const memory: Memory = {
    clock: site.clock,
    requests: new Requests(site),
    work: new Work(site),
    upkeep: new Upkeep(site),
    hints: site.hints,
  };
  const storage = new MemoryStorage(new URL("memory://simulation"), memory, KEPT);
  const server = new Server({ storage, chronicle, isChain });
  await server.watch(new AbortController().signal);
  const weather = new Weather(random.fork(), plan.climate);
  const crew = new Crew({ timeline, chronicle, server, weather, random: random.fork(), plan });
  const findings: string[] = [];

  await begin(plan, timeline, weather, crew, chronicle);
  await timeline.until(() => false, plan.end);
  weather.climate = CALM;
  // What was on its way may still arrive, also from those who are dead by now.
  await timeline.until(() => false, plan.end + 2 * plan.climate.slowest);
  const isOver = await timeline.until(
    () => !weather.isDown && crew.isComplete && onlyChains(site) && !crew.waits,
    plan.end + PATIENCE,
  );
  if (!isOver) {
    const waits = crew.waits ? ", and somebody waits" : "";
    findings.push(`stuck: ${site.tasks.size} tasks are live when all should be over${waits}`);
  }
  const chains = liveOnes(site);
  if (!await timeline.until(() => idle(site, chains).length === 0, timeline.now() + PATIENCE)) {
    findings.push(`stuck: ${idle(site, chains).join(", ")} did not go on`);
  }
  for (const key of await server.severed()) findings.push(`severed: nobody ended chain ${key}`);
  findings.push(...await close({ plan, timeline, server, site, crew, chronicle }));

  const { findings: broken, figures } = check(chronicle.history, plan);
  findings.push(...broken.map(describe), ...server.contradictions, ...crew.complaints);
  return { seed, findings, figures, trace: chronicle.trace };
}

/** Puts everything on the timeline that is to happen while things break. */
async function begin(
  plan: Plan,
  timeline: SimulatedTimeline,
  weather: Weather,
  crew: Crew,
  chronicle: Chronicle,
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

interface Parts {
  readonly plan: Plan;
  readonly timeline: SimulatedTimeline;
  readonly server: Server;
  readonly site: Site;
  readonly crew: Crew;
  readonly chronicle: Chronicle;
}

/** Ends the chains and the workers, and looks what is left. */
async function close(
  { plan, timeline, server, site, crew, chronicle }: Parts,
): Promise<string[]> {
  const findings: string[] = [];
  const chains = server.keys.filter(isChain);
  await server.perform("*", "cancel", [chains.map((key) => ({ key }))]);
  await timeline.until(() => site.tasks.size === 0, timeline.now() + PATIENCE);
  let haveLeft = false;
  crew.dismissAll().then(() => haveLeft = true);
  if (!await timeline.until(() => haveLeft, timeline.now() + PATIENCE)) {
    findings.push("stuck: workers do not stop");
  }
  await timeline.until(() => false, timeline.now() + plan.lease * 10); // what is remembered of gates runs out
  findings.push(...crew.remains());
  return [...findings, ...await lookAround(server, site, chronicle)];
}

/** What the storage still has when nobody is there any more. */
async function lookAround(server: Server, site: Site, chronicle: Chronicle): Promise<string[]> {
  const findings: string[] = [];
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
  for (const { consumer } of await storage.workers()) {
    findings.push(`left: ${workerOf(consumer)} is advertised`);
  }
  for (const gate of limits()) {
    for (let i = 1; i <= gate.max; i++) {
      const task = new Task(`probe${i}`, `probe${i}`, undefined, "");
      const entry = { key: task.key, token: "", gates: [gate], ttl: 0 };
      const { kind } = site.tasks.gates.judge(entry, task, 0, () => false);
      if (kind !== "pass") findings.push(`left: ${gate.id} has no place number ${i}`);
    }
  }
  return findings;
}

function endingOf(chronicle: Chronicle, { generation, state, reason }: EndedTask): Ending {
  return { generation: chronicle.nameOf("g", generation), state, reason };
}

/** Whether all that is live comes again by itself. */
function onlyChains(site: Site): boolean {
  for (const task of site.tasks) if (!isChain(task.key)) return false;
  return true;
}

/** The chains that have not come to another run since. */
function idle(site: Site, before: ReadonlyMap<string, string>): string[] {
  return [...before.keys()].filter((key) => site.tasks.get(key)?.generation === before.get(key));
}

function liveOnes(site: Site): Map<string, string> {
  return new Map([...site.tasks].map(({ key, generation }) => [key, generation]));
}

/**
 * A whole docket, its workers and producers in one thread, on a clock and a network that a seed decides: the same seed, the
 * same history. At the end it is held against everything that was promised.
 *
 * @module
 */

import { type Millis, systemClock } from "../../src/base/clock.ts";
import { MemoryStorage } from "../../src/storage/memory/handle.ts";
import type { Memory } from "../../src/storage/memory/memory.ts";
import { Requests } from "../../src/storage/memory/requests.ts";
import { Site } from "../../src/storage/memory/site.ts";
import { Task } from "../../src/storage/memory/task.ts";
import { Upkeep } from "../../src/storage/memory/upkeep.ts";
import { Work } from "../../src/storage/memory/work.ts";
import { clockOf } from "./host.ts";
import { planOf } from "./plan.ts";
import { Random } from "./random.ts";
import {
  begin,
  endChains,
  lookAround,
  type Outcome,
  outcomeOf,
  type Scene,
  setScene,
} from "./scene.ts";
import { SimulatedTimeline } from "./timeline.ts";
import { CALM } from "./weather.ts";
import { isChain, limits } from "./workload.ts";

/** How long workers have, when nothing breaks any more, to do all that is left. */
const PATIENCE: Millis = 120_000;

/** How long records are kept. */
const KEPT: Millis = 3_600_000;

const SCALE = { requests: 40, span: 2_500, lease: 400 };

/** Plays a seed. */
export async function simulate(seed: number): Promise<Outcome> {
  const random = new Random(seed);
  const chance = random.fork();
  const [{ random: before }, { timer }] = [Math, systemClock];
  Math.random = () => chance.next(); // jitter
  // Real time plays no part: a worker that was killed would look at the event loop for ever, and be kept for it.
  systemClock.timer = () => () => {};
  try {
    return await play(seed, random);
  } finally {
    Math.random = before;
    systemClock.timer = timer;
  }
}

async function play(seed: number, random: Random): Promise<Outcome> {
  const plan = planOf(random.fork(), SCALE);
  const timeline = new SimulatedTimeline(random.fork());
  const site = new Site(clockOf(timeline));
  const memory: Memory = {
    clock: site.clock,
    requests: new Requests(site),
    work: new Work(site),
    upkeep: new Upkeep(site),
    hints: site.hints,
  };
  const storage = new MemoryStorage(new URL("memory://simulation"), memory, KEPT);
  const scene = setScene({ random, plan, timeline, storage });
  const { server, weather, crew } = scene;
  await server.watch(new AbortController().signal);
  const findings: string[] = [];

  await begin(scene);
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
  findings.push(...await close(scene, timeline, site));

  return outcomeOf(seed, scene, findings);
}

/** Ends the chains and the workers, and looks what is left. */
async function close(
  scene: Scene,
  timeline: SimulatedTimeline,
  site: Site,
): Promise<string[]> {
  const { plan, crew } = scene;
  const findings: string[] = [];
  await endChains(scene);
  await timeline.until(() => site.tasks.size === 0, timeline.now() + PATIENCE);
  let haveLeft = false;
  crew.dismissAll().then(() => haveLeft = true);
  if (!await timeline.until(() => haveLeft, timeline.now() + PATIENCE)) {
    findings.push("stuck: workers do not stop");
  }
  await timeline.until(() => false, timeline.now() + plan.lease * 10); // what is remembered of gates runs out
  findings.push(...crew.remains());
  findings.push(...await lookAround(scene), ...heldPlaces(site));
  return findings;
}

/** The places at gates that somebody still has. */
function heldPlaces(site: Site): string[] {
  const findings: string[] = [];
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

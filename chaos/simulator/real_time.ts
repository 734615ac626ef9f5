/**
 * The same workers, producers and faults in front of a storage that lives in real time. A seed decides what is to happen, and
 * not the order of everything: no two histories are alike, and all are held against the same rules.
 *
 * @module
 */

import { type Millis, sleep, systemClock } from "../../src/base/clock.ts";
import type { Storage } from "../../src/storage/contract.ts";
import { type Plan, planOf } from "./plan.ts";
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
import { RealTimeline } from "./timeline.ts";
import { CALM } from "./weather.ts";
import { isChain } from "./workload.ts";

/** How long workers have, when nothing breaks any more, to do all that is left: also on a very busy machine. */
const PATIENCE: Millis = 60_000;

const SCALE = { requests: 16, span: 1_200, lease: 500 };

/** So often it is looked whether something has come true, and whether this process was held up. */
const GLANCE: Millis = 20;

/** Plays a seed on a storage that nobody else uses. */
export async function simulateInRealTime(seed: number, storage: Storage): Promise<Outcome> {
  const random = new Random(seed);
  const plan = planOf(random.fork(), SCALE);
  const timeline = new RealTimeline();
  const scene = setScene({ random, plan, timeline, storage, hearsLate: true });
  const over = new AbortController();
  await scene.server.watch(over.signal);
  const watching = watchTime(scene, over.signal);
  try {
    return outcomeOf(seed, scene, await play(plan, scene));
  } finally {
    over.abort();
    timeline.stop();
    await watching;
  }
}

async function play(plan: Plan, scene: Scene): Promise<string[]> {
  const { weather, crew, server, timeline } = scene;
  const findings: string[] = [];
  const expect = async (what: string, isSo: () => boolean | Promise<boolean>) => {
    const end = timeline.now() + PATIENCE;
    while (!await isSo()) {
      if (timeline.now() > end) return void findings.push(`stuck: ${what}`);
      await sleep(systemClock, GLANCE);
    }
  };

  await begin(scene);
  await expect("time", () => timeline.now() >= plan.end);
  weather.climate = CALM;
  await sleep(systemClock, 2 * plan.climate.slowest);
  const onlyChains = async () => [...(await liveOnes(scene)).keys()].every(isChain);
  await expect(
    "something is live, or waits, when all should be over",
    () => !weather.isDown && crew.isComplete && !crew.waits && onlyChains(),
  );
  const before = await liveOnes(scene);
  await expect("a chain did not go on", async () => {
    const after = await liveOnes(scene);
    return [...before].every(([key, generation]) => after.get(key) !== generation);
  });
  for (const key of await server.severed()) findings.push(`severed: nobody ended chain ${key}`);
  await endChains(scene);
  await expect("a chain did not end", async () => (await liveOnes(scene)).size === 0);
  let haveLeft = false;
  void crew.dismissAll().then(() => haveLeft = true);
  await expect("workers do not stop", () => haveLeft);
  findings.push(...crew.remains());
  // Those who were killed are advertised for some seconds more.
  await expect("somebody is advertised", async () => (await server.storage.workers()).length === 0);
  // As the next worker would: what is left of the dead goes.
  await expect("the dead are not forgotten", async () => {
    const { retired, repaired } = await server.storage.sweep({ limit: 500, pause: 0, silence: 1 });
    return retired + repaired === 0;
  });
  return [...findings, ...await lookAround(scene)];
}

async function liveOnes({ server: { keys, storage } }: Scene): Promise<Map<string, string>> {
  const found = keys.length > 0 ? await storage.load(keys) : [];
  return new Map(found.flatMap(({ live }) => live ? [[live.key, live.generation]] : []));
}

/** Where this process itself was held up, all workers may have lost their leases. */
async function watchTime({ chronicle, timeline, plan }: Scene, over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    const before = timeline.now();
    await sleep(systemClock, GLANCE, over);
    const late = timeline.now() - before - GLANCE;
    if (over.aborted || late < plan.lease / 10) continue;
    chronicle.note("!", `nothing happened for ${late.toFixed(0)} ms`);
    chronicle.tell({ kind: "adrift" });
    await sleep(systemClock, plan.lease, over);
    chronicle.tell({ kind: "steady" });
  }
}

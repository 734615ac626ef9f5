/**
 * Workers: what it costs that there are many. They only say that they live, as workers do every other second.
 *
 * @module
 */

import { Redis } from "ioredis";
import { randomId } from "../../src/base/ids.ts";
import { encodeIntroduction } from "../../src/docket/presence.ts";
import { NEW, type Storage } from "../../src/storage/contract.ts";
import { perUnit } from "../cost.ts";
import { Meter } from "../meter.ts";
import type { Place, Sample } from "../scenario.ts";
import { connect } from "./work.ts";
import { freshMetrics, measureFresh } from "./fresh.ts";
import { least, measureSweep, open } from "./looks.ts";
import { bytesEach, inChunks, type Subject } from "./subject.ts";

const HEARTBEATS = 10_000;
const ROUND = 100;

/** They stay advertised as long as this measures. */
const SPAN = 600_000;

/** Workers that know ten tasks each. */
export const workers: Subject = {
  name: "workers",
  title: "workers that give signs of life",
  counts: [10, 100, 1_000],
  mostRepeated: 1_000,
  metrics: {
    heartbeat: { label: "heartbeat: Redis CPU µs", digits: 1 },
    heartbeatCommands: { label: "heartbeat: Redis commands", digits: 2 },
    workers: { label: "`workers()`, ms", digits: 2 },
    sweep: { label: "one call of the sweep, ms", digits: 2 },
    ...freshMetrics,
    bytes: bytesEach,
  },
  fill,
  measure,
};

async function fill(place: Place, count: number): Promise<undefined> {
  await using storage = await open(place);
  await inChunks(count, ROUND, async (from, to) => {
    const ids = Array.from({ length: to - from }, (_, i) => from + i);
    await Promise.all(ids.map((id) => arrive(storage, id)));
  });
}

/** It says what it is, and asks for work once: so the storage knows it as one that may hold some. */
async function arrive(storage: Storage, id: number): Promise<void> {
  const names = Array.from({ length: 10 }, (_, i) => [`task_${i}`, ["customer"]] as const);
  const said = encodeIntroduction({ startedAt: Date.now(), concurrency: 10, tasks: names });
  await storage.advertise(consumerOf(id), SPAN, said);
  await storage.step({
    consumer: consumerOf(id),
    lane: 0,
    call: 0,
    token: randomId(),
    commits: [],
    want: 1,
    from: NEW,
    maxDeliveries: 5,
  });
}

async function measure(place: Place, count: number): Promise<Sample> {
  using meter = new Meter(place, Redis);
  await using docket = await connect(place);
  await using storage = await open(place);
  const list = await least(20, () => docket.workers());
  const sweep = await measureSweep(storage);
  const cost = await meter.during(() => beat(storage, count));
  const { redisCpu, redisCommands } = perUnit(cost, HEARTBEATS);
  return {
    heartbeat: redisCpu,
    heartbeatCommands: redisCommands,
    workers: list,
    sweep,
    ...await measureFresh(place),
  };
}

async function beat(storage: Storage, count: number): Promise<void> {
  await inChunks(HEARTBEATS, ROUND, async (from, to) => {
    const ids = Array.from({ length: to - from }, (_, i) => (from + i) % count);
    await Promise.all(ids.map((id) => storage.advertise(consumerOf(id), SPAN, undefined)));
  });
}

function consumerOf(id: number): string {
  return `host-1#${id}~${`${id}`.padStart(22, "0")}`;
}

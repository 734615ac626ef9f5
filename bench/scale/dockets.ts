/**
 * Dockets: what it costs that many share one Redis, each with a worker that has nothing to do.
 *
 * @module
 */

import { Redis } from "ioredis";
import { type Docket, Worker } from "../../mod.ts";
import { perUnit } from "../cost.ts";
import { Meter } from "../meter.ts";
import type { Place, Sample } from "../scenario.ts";
import { connect, customer, type Welcome } from "./work.ts";
import { bytesEach, inChunks, type Subject } from "./subject.ts";

/** So many at once come and go: more would wait for each other longer than they are willing to. */
const AT_ONCE = 50;

/** Milliseconds until all workers have settled down; and how many are measured: each sweeps about once in them. */
const SETTLE = 2_000;
const SPAN = 8_000;

/** Each docket has so many tasks added, all of them at the same time. */
const ADDS_EACH = 20;

/** Dockets with one task that is due tomorrow. */
export const dockets: Subject = {
  name: "dockets",
  title: "dockets, each with an idle worker",
  counts: [10, 100, 1_000],
  mostRepeated: 0,
  metrics: {
    connections: { label: "connections each", digits: 1 },
    idleCommands: { label: "idle: Redis commands per second each", digits: 1 },
    idleRedis: { label: "idle: Redis CPU µs per second each" },
    addRedis: { label: "task added and run: Redis CPU µs", digits: 1 },
    addCommands: { label: "task added and run: Redis commands", digits: 1 },
    bytes: bytesEach,
  },
  fill,
  measure,
};

async function fill(place: Place, count: number): Promise<undefined> {
  await inChunks(count, AT_ONCE, async (from, to) => {
    const some = Array.from({ length: to - from }, async (_, i) => {
      await using docket = await connectNth(place, from + i);
      await docket.add<Welcome>("welcome", { delay: { days: 1 } })(customer(1));
    });
    await Promise.all(some);
  });
}

async function measure(place: Place, count: number): Promise<Sample> {
  using meter = new Meter(place, Redis);
  const connections = await countConnections(place);
  let left = count * ADDS_EACH;
  const ran = Promise.withResolvers<void>();
  const welcome: Welcome = () => {
    if (--left === 0) ran.resolve();
  };
  const stop = new AbortController();
  const stages: Stage[] = [];
  await inChunks(count, AT_ONCE, async (from, to) => {
    const some = Array.from({ length: to - from }, async (_, i) => {
      stages.push(await begin(place, from + i, welcome, stop.signal));
    });
    await Promise.all(some);
  });
  await pause(SETTLE);

  const opened = await countConnections(place) - connections;
  const idle = await meter.during(() => pause(SPAN));
  const busy = await meter.during(async () => {
    for (let i = 0; i < ADDS_EACH; i++) {
      await Promise.all(stages.map(({ docket }) => docket.add(welcome)(customer(i))));
    }
    await ran.promise;
  });

  stop.abort();
  await Promise.all(stages.map(({ running }) => running));
  await inChunks(count, AT_ONCE, (from, to) => {
    return Promise.all(stages.slice(from, to).map(({ docket }) => docket.close()));
  });
  const perSecond = perUnit(idle, idle.seconds * count);
  const perTask = perUnit(busy, count * ADDS_EACH);
  return {
    connections: opened / count,
    idleCommands: perSecond.redisCommands,
    idleRedis: perSecond.redisCpu,
    addRedis: perTask.redisCpu,
    addCommands: perTask.redisCommands,
  };
}

interface Stage {
  readonly docket: Docket;
  readonly running: Promise<void>;
}

async function begin(
  place: Place,
  n: number,
  welcome: Welcome,
  signal: AbortSignal,
): Promise<Stage> {
  const docket = await connectNth(place, n);
  docket.register({ welcome });
  return { docket, running: new Worker(docket).runForever({ signal }) };
}

function connectNth(place: Place, n: number): Promise<Docket> {
  return connect(place, { name: `bench-${n}`, connectTimeout: "60s", commandTimeout: "60s" });
}

async function countConnections({ url }: Place): Promise<number> {
  const redis = new Redis(url);
  try {
    return Number(/^connected_clients:(\d+)/m.exec(await redis.info("clients"))?.[1]);
  } finally {
    redis.disconnect();
  }
}

function pause(millis: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, millis));
}

/**
 * What fresh tasks cost, whatever else is there: they are added, and drained by one worker.
 *
 * @module
 */

import { Redis } from "ioredis";
import { type Docket, Worker } from "../../mod.ts";
import { perUnit } from "../cost.ts";
import type { Customer } from "../load.ts";
import { Meter } from "../meter.ts";
import type { Metric, Place, Sample } from "../scenario.ts";
import { addInFlight, connect } from "./work.ts";

const COUNT = 10_000;
const PASSES = 3;
const WARM_UP = 4_000;
const CONCURRENCY = 100;

/** Nobody takes over what a filler left running, as long as this measures. */
const LEASE = { minutes: 10 };

/** The rows of {@linkcode measureFresh}. */
export const freshMetrics: Readonly<Record<string, Metric>> = {
  addRedis: { label: "add: Redis CPU µs", digits: 1 },
  addCommands: { label: "add: Redis commands", digits: 2 },
  addClient: { label: "add: client CPU µs", digits: 1 },
  drainRedis: { label: "drain: Redis CPU µs", digits: 1 },
  drainCommands: { label: "drain: Redis commands", digits: 2 },
  drainClient: { label: "drain: client CPU µs", digits: 1 },
  drained: { label: "drained per second" },
};

/**
 * Adds 10,000 tasks, hundreds in flight, and drains as many, those that wait longest first; three times. The best counts:
 * what a busy machine adds to it is not the docket's.
 */
export async function measureFresh(place: Place): Promise<Sample> {
  using meter = new Meter(place, Redis);
  await warmUp(place);
  await using docket = await connect(place);
  const drain = drainer(docket);
  const passes: Sample[] = [];
  for (let pass = 0; pass < PASSES; pass++) passes.push(await measurePass(meter, docket, drain));
  const least = (metric: string) => Math.min(...passes.map((sample) => sample[metric]));
  return {
    ...Object.fromEntries(Object.keys(freshMetrics).map((metric) => [metric, least(metric)])),
    drained: Math.max(...passes.map(({ drained }) => drained)),
  };
}

async function measurePass(meter: Meter, docket: Docket, drain: Drain): Promise<Sample> {
  const adds = perUnit(await meter.during(() => addInFlight(docket, COUNT)), COUNT);
  let ran = 0;
  const cost = await meter.during(async () => ran = await drain(COUNT));
  const drains = perUnit(cost, ran);
  return {
    addRedis: adds.redisCpu,
    addCommands: adds.redisCommands,
    addClient: adds.clientCpu,
    drainRedis: drains.redisCpu,
    drainCommands: drains.redisCommands,
    drainClient: drains.clientCpu,
    drained: drains.rate,
  };
}

/** Beside the docket that is measured, so that nothing of it is left there. */
async function warmUp(place: Place): Promise<void> {
  await using docket = await connect(place, { name: "warm-up" });
  const drain = drainer(docket);
  await addInFlight(docket, WARM_UP);
  await drain(WARM_UP);
}

/** Runs at least so many, and tells how many: what was claimed with the last of them runs as well. */
type Drain = (count: number) => Promise<number>;

function drainer(docket: Docket): Drain {
  let ran = 0;
  let enough = Infinity;
  let done = new AbortController();
  docket.register({
    welcome(customer: Customer): void {
      if (customer.customerId >= 0) ran++;
      if (ran === enough) done.abort();
    },
  });
  return async (count) => {
    [ran, enough, done] = [0, count, new AbortController()];
    await using worker = new Worker(docket, {
      concurrency: CONCURRENCY,
      redeliveryTimeout: LEASE,
    });
    await worker.runForever({ signal: done.signal });
    return ran;
  };
}

/**
 * What a limit costs: no-op tasks of a thousand customers, one at a time for each, beside the same without the limit.
 *
 * @module
 */

import { ConcurrencyLimit, type Docket, task, Worker } from "../../mod.ts";
import type { Customer } from "../load.ts";
import { Meter } from "../meter.ts";
import { produce } from "../producer.ts";
import type { Place, Sample, Scenario } from "../scenario.ts";
import { connect } from "../work.ts";

const COUNT = 10_000;
const CUSTOMERS = 1_000;
const CONCURRENCY = 100;

/** Drains 10,000 tasks over 1,000 keys. */
export const limit: Scenario = {
  name: "limit",
  title: "ConcurrencyLimit(1) over 1,000 keys",
  metrics: {
    rate: { label: "drained per second" },
    share: { label: "of what is drained without it, %" },
    redisCommands: { label: "Redis commands per task", digits: 2 },
  },

  async measure(place: Place): Promise<Sample> {
    await drain(place, undefined); // warms up
    const without = await drain(place, undefined);
    const by = ({ customerId }: Customer) => customerId % CUSTOMERS;
    const limited = await drain(place, new ConcurrencyLimit<[Customer]>({ max: 1, by }));
    const rate = COUNT / limited.seconds;
    const share = 100 * without.seconds / limited.seconds;
    const { commands } = limited;
    return commands === undefined
      ? { rate, share }
      : { rate, share, redisCommands: commands / COUNT };
  },
};

async function drain(
  place: Place,
  limit: ConcurrencyLimit<[Customer]> | undefined,
): Promise<{ readonly seconds: number; readonly commands?: number }> {
  using meter = new Meter(place);
  await using docket = await connect(place);
  await produce(place, COUNT);
  const { seconds, server } = await meter.during(() => drainAll(docket, limit));
  return { seconds, commands: server?.commands };
}

async function drainAll(docket: Docket, limit: ConcurrencyLimit<[Customer]> | undefined) {
  const done = new AbortController();
  let left = COUNT;
  const finish = (_customer: Customer): void => {
    if (--left === 0) done.abort();
  };
  docket.register(
    limit
      ? task("welcome", { limit }, (_context, customer: Customer): void => finish(customer))
      : { welcome: finish },
  );
  await using worker = new Worker(docket, { concurrency: CONCURRENCY });
  await worker.runForever({ signal: done.signal });
}

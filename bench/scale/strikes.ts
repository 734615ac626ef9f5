/**
 * Strikes: what they cost those who add and those who run.
 *
 * @module
 */

import { randomId } from "../../src/base/ids.ts";
import { toRule } from "../../src/base/strikes.ts";
import type { Place, Sample } from "../scenario.ts";
import { connect, customer, type Welcome } from "./work.ts";
import { freshMetrics, measureFresh } from "./fresh.ts";
import { least, open } from "./looks.ts";
import { bytesEach, inChunks, type Subject } from "./subject.ts";

/** Each of one customer, none of whom is served. */
export const strikes: Subject = {
  name: "strikes",
  title: "strikes, each of one customer",
  counts: [10, 100, 1_000, 10_000],
  mostRepeated: 10_000,
  metrics: {
    connect: { label: "connecting and adding the first task, ms", digits: 1 },
    ...freshMetrics,
    bytes: bytesEach,
  },
  fill,
  async measure(place) {
    const fresh = await measureFresh(place);
    return { ...fresh, connect: await measureConnect(place) };
  },
};

async function fill(place: Place, count: number): Promise<undefined> {
  await using storage = await open(place);
  await inChunks(count, 1_000, async (from, to) => {
    const some = Array.from({ length: to - from }, (_, i) => strikeOf(1_000_000 + from + i));
    await Promise.all(some.map((rule) => storage.strike(rule, true, randomId())));
  });
}

function strikeOf(value: number): string {
  return toRule({ task: "welcome", parameter: "customer.customerId", value });
}

async function measureConnect(place: Place): Promise<Sample[string]> {
  return await least(9, async () => {
    await using docket = await connect(place);
    await docket.add<Welcome>("welcome")(customer(1));
  });
}

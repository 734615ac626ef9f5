/**
 * How many tasks can be added per second.
 *
 * @module
 */

import type { Docket } from "../../mod.ts";
import { costMetrics, perUnit } from "../cost.ts";
import { COUNTS } from "../load.ts";
import { Meter } from "../meter.ts";
import type { Counts, Place, Sample, Scenario } from "../scenario.ts";
import { addInFlight, addOneByOne, connect } from "../work.ts";

type Add = (docket: Docket, count: number) => Promise<void>;

/** A web server that handles one request at a time. */
export const addsAwaited = adds(
  "adds-awaited",
  "adds, awaited one by one",
  addOneByOne,
  COUNTS["adds-awaited"],
);

/** A busy one. */
export const addsInFlight = adds(
  "adds-in-flight",
  "adds, 100s in flight",
  addInFlight,
  COUNTS["adds-in-flight"],
);

function adds(name: string, title: string, add: Add, counts: Counts): Scenario {
  return {
    name,
    title,
    metrics: costMetrics("add"),

    async measure(place: Place): Promise<Sample> {
      using meter = new Meter(place);
      const count = counts[place.storage];
      await using docket = await connect(place);
      await add(docket, count / 10); // warms up

      return perUnit(await meter.during(() => add(docket, count)), count);
    },
  };
}

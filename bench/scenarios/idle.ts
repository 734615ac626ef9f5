/**
 * What a worker costs that has nothing to do.
 *
 * @module
 */

import { Worker } from "../../mod.ts";
import { perUnit } from "../cost.ts";
import { Meter } from "../meter.ts";
import type { Place, Sample, Scenario } from "../scenario.ts";
import { connect } from "../work.ts";

/** Milliseconds until the worker has settled down. */
const SETTLE = 500;

/** How many milliseconds are measured. */
const SPAN = 3_000;

/** A worker with nothing to do. */
export const idle: Scenario = {
  name: "idle",
  title: "idle worker",
  metrics: {
    clientCpu: { label: "client CPU ms per second", digits: 2 },
    redisCommands: { label: "Redis commands per second", digits: 1 },
    sentCommands: { label: "of these sent by the client", digits: 1 },
  },

  async measure(place: Place): Promise<Sample> {
    using meter = new Meter(place);
    await using docket = await connect(place);
    await using worker = new Worker(docket);
    const stop = new AbortController();
    const running = worker.runForever({ signal: stop.signal });
    await pause(SETTLE);

    const cost = await meter.during(() => pause(SPAN));

    stop.abort();
    await running;
    const { clientCpu, redisCommands, sentCommands } = perUnit(cost, cost.seconds);
    return { clientCpu: clientCpu / 1_000, redisCommands, sentCommands };
  },
};

function pause(millis: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, millis));
}

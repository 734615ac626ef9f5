/**
 * What gauges tell while the storage does not.
 *
 * @module
 */

import { deepStrictEqual as deepEqual } from "node:assert/strict";
import { meters } from "../../src/instrumentation/meters.ts";
import { Gauges } from "../../src/worker/gauges.ts";
import { aborted, altered, onMemory, type Stage } from "../_harness.ts";

onMemory("Gauges", (test) => {
  test("tell nothing any more that the storage has not told for long", async (stage) => {
    let silent = false;
    const real = await stage.open();
    const storage = altered(real, {
      survey: async (limit, options) => {
        if (silent) await aborted(options!.signal!);
        return await real.survey(limit, options);
      },
    });
    const gauges = new Gauges({
      storage,
      clock: stage.clock,
      docket: stage.name,
      worker: "w",
    });
    meters.read();
    gauges.look();
    await stage.eventually(() => depthsOf(stage).includes(0));

    silent = true;
    gauges.look(); // and never again: whoever looks waits for the storage, too
    await stage.advance(10_000);
    deepEqual(depthsOf(stage), []);

    silent = false;
    gauges.look();
    await stage.eventually(() => depthsOf(stage).includes(0));
    gauges.forget();
    await stage.advance(100);
  });
});

function depthsOf(stage: Stage): readonly number[] {
  return [...meters.tallies].filter(({ labels }) => labels.docket === stage.name)
    .flatMap(({ levels: { docket_queue_depth: depth } }) => depth ?? []);
}

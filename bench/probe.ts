/**
 * How soon a handler starts after its task was added.
 *
 * @module
 */

import { percentile } from "./measure.ts";
import type { Sample } from "./scenario.ts";

const WARM_UP = 50;
const SAMPLES = 350;

/** Producer and worker share a process, and so a clock. */
export class Probe {
  #started = (_at: number): void => {};

  /** To be called when the handler starts. */
  readonly hit = (): void => this.#started(performance.now());

  /** Adds one task after the other, each to a worker that is idle. */
  async sample(add: () => Promise<unknown>): Promise<Sample> {
    const samples: number[] = [];
    for (let i = 0; i < WARM_UP + SAMPLES; i++) {
      const start = new Promise<number>((resolve) => this.#started = resolve);
      const before = performance.now();
      await add();
      samples.push(await start - before);
      await pause(2 + 3 * Math.random()); // the worker is idle again, and no timer of its own in step with this
    }
    const counted = samples.slice(WARM_UP);
    return { p50: percentile(counted, 0.5), p99: percentile(counted, 0.99) };
  }
}

function pause(millis: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, millis));
}

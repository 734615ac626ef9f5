/**
 * What it costs to be watched: tasks that do nothing, drained without any instrumentation, with nobody who listens, and
 * with a reader of metrics. They take turns, each in a process of its own.
 *
 * @module
 */

import { argv } from "node:process";
import config from "../../deno.json" with { type: "json" };
import { perUnit } from "../cost.ts";
import { drain } from "../drain.ts";
import { ask, module } from "../process.ts";
import type { Counts, Sample, Scenario } from "../scenario.ts";
import type { Order } from "../stage.ts";
import { turns } from "../turns.ts";

const COUNTS: Counts = { memory: 150_000, redis: 40_000 };
const CONCURRENCY = 100;
const PASSES = 5;

/** Far more often than a Prometheus asks, so that some of it is within the second that is measured; in milliseconds. */
const SCRAPE = 250;

/** Drains while nobody listens. */
const silent: Scenario = {
  name: "watched-silent",
  title: "while nobody listens",
  metrics: { rate: { label: "per second" } },

  async measure(stage) {
    const count = COUNTS[stage.place.storage];
    return perUnit(await drain(stage, { concurrency: CONCURRENCY, count }), count);
  },
};

/** Drains while a reader of metrics asks. */
const read: Scenario = {
  ...silent,
  name: "watched-read",
  title: "metrics read",

  async measure(stage) {
    const reading = setInterval(await readMetrics(), SCRAPE);
    const sample = await silent.measure(stage);
    clearInterval(reading);
    return sample;
  },
};

/** Its parts. */
export const watchedParts: readonly Scenario[] = [silent, read];

/** How it is watched. `"without"`: no code of ours looks whether it is. */
const WAYS = ["without", "silent", "read"] as const;

/** Drains as often as it has to, to tell small differences from noise. */
export const watched: Scenario = {
  name: "watched",
  title: "instrumentation",
  metrics: {
    rate: { label: "drained per second while nobody listens" },
    silent: { label: "of what is drained with it taken out, %", digits: 1 },
    read: { label: "of what is drained with it taken out, metrics read, %", digits: 1 },
  },
  needs: ["docket"],

  async measure(stage) {
    using map = ImportMap.make();
    const rates = { without: [] as number[], silent: [] as number[], read: [] as number[] };
    for (let pass = 0; pass < PASSES; pass++) {
      for (const way of turns(WAYS, pass)) {
        const part = stage.order(way === "read" ? read.name : silent.name);
        const flags = way === "without" ? ["--import-map", map.file] : [];
        const { rate } = await ask<Order, Sample>(module(argv[1], flags), part);
        rates[way].push(rate);
      }
    }
    // Whatever disturbs makes it slower: the fastest of each was disturbed least.
    const [without, silently, whileRead] = WAYS.map((way) => Math.max(...rates[way]));
    return {
      rate: silently,
      silent: 100 * silently / without,
      read: 100 * whileRead / without,
    };
  },
};

/** Puts what does nothing in the place of what looks who watches. */
class ImportMap implements Disposable {
  readonly file: string;

  private constructor(file: string) {
    this.file = file;
  }

  static make(): ImportMap {
    const root = new URL("../../", import.meta.url);
    const at = (path: string) => new URL(path, root).href;
    const imports = {
      ...config.imports,
      [config.name]: at("mod.ts"),
      [at("src/worker/observer.ts")]: at("bench/without/observer.ts"),
      [at("src/instrumentation/meters.ts")]: at("bench/without/meters.ts"),
      [at("src/instrumentation/spans.ts")]: at("bench/without/spans.ts"),
    };
    const file = Deno.makeTempFileSync({ suffix: ".json" });
    Deno.writeTextFileSync(file, JSON.stringify({ imports }));
    return new ImportMap(file);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.file);
  }
}

/** What a scrape costs the process that is scraped. */
async function readMetrics(): Promise<() => unknown> {
  const { metricsPage } = await import("../../src/cli/metrics.ts");
  return await metricsPage();
}

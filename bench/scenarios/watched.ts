/**
 * What it costs to be watched: tasks that do nothing, drained without any instrumentation, with nobody who listens, and
 * with a reader of metrics. They take turns, each in a process of its own.
 *
 * @module
 */

import config from "../../deno.json" with { type: "json" };
import { answer, ask } from "../process.ts";
import type { Counts, Place, Sample, Scenario } from "../scenario.ts";
import { turns } from "../turns.ts";
import { drainOnce } from "./drain.ts";

const COUNTS: Counts = { memory: 150_000, redis: 40_000 };
const CONCURRENCY = 100;
const PASSES = 5;

/** Far more often than a Prometheus asks, so that some of it is within the second that is measured; in milliseconds. */
const SCRAPE = 250;

/** How it is watched. `"without"`: no code of ours looks whether it is. */
const WAYS = ["without", "silent", "read"] as const;

interface Order {
  readonly place: Place;
  readonly way: typeof WAYS[number];
}

/** Drains as often as it has to, to tell small differences from noise. */
export const watched: Scenario = {
  name: "watched",
  title: "instrumentation",
  metrics: {
    rate: { label: "drained per second while nobody listens" },
    silent: { label: "of what is drained with it taken out, %", digits: 1 },
    read: { label: "of what is drained with it taken out, metrics read, %", digits: 1 },
  },

  async measure(place: Place): Promise<Sample> {
    using map = ImportMap.make();
    const rates = { without: [] as number[], silent: [] as number[], read: [] as number[] };
    for (let pass = 0; pass < PASSES; pass++) {
      for (const way of turns(WAYS, pass)) {
        const flags = way === "without" ? ["--import-map", map.file] : [];
        rates[way].push(await ask<Order, number>(import.meta.url, { place, way }, flags));
      }
    }
    // Whatever disturbs makes it slower: the fastest of each was disturbed least.
    const [without, silent, read] = WAYS.map((way) => Math.max(...rates[way]));
    return { rate: silent, silent: 100 * silent / without, read: 100 * read / without };
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

async function drain({ place, way }: Order): Promise<number> {
  const reading = way === "read" ? setInterval(await readMetrics(), SCRAPE) : undefined;
  const count = COUNTS[place.storage];
  const { seconds } = await drainOnce(place, CONCURRENCY, count);
  clearInterval(reading);
  return count / seconds;
}

/** What a scrape costs the process that is scraped. */
async function readMetrics(): Promise<() => unknown> {
  const { metricsPage } = await import("../../src/cli/metrics.ts");
  return await metricsPage();
}

if (import.meta.main) await answer(drain);

/**
 * What a worker serves, and where.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import type { Worker } from "../worker/worker.ts";
import { healthPages } from "./health.ts";
import { serve, type Served, type Site } from "./http.ts";
import { metricsPage } from "./metrics.ts";
import type { Values, WORKER } from "./options.ts";

const log = getLogger(["docket", "worker"]);

/** Where what is served. */
export type Places = Pick<
  Values<typeof WORKER>,
  "metricsPort" | "metricsHost" | "healthPort" | "healthHost"
>;

/**
 * Serves metrics and health where they are asked for: both from one server where that is the same place.
 *
 * @throws {CommandError} When a port cannot be had.
 */
export async function serveAll(
  { metricsPort, metricsHost, healthPort, healthHost }: Places,
  worker: () => Worker | undefined,
): Promise<AsyncDisposable> {
  const sites: Site[] = [];
  if (metricsPort !== undefined) {
    sites.push({
      host: metricsHost,
      port: metricsPort,
      pages: { "/metrics": await metricsPage() },
    });
  }
  if (healthPort !== undefined) {
    const pages = healthPages(worker);
    const same = sites.findIndex(({ host, port }) => host === healthHost && port === healthPort);
    if (same < 0) sites.push({ host: healthHost, port: healthPort, pages });
    else sites[same] = { ...sites[same], pages: { ...sites[same].pages, ...pages } };
  }
  return await openAll(sites);
}

/** All of them, or none. */
async function openAll(sites: readonly Site[]): Promise<AsyncDisposable> {
  const served: Served[] = [];
  const close = async () => {
    await Promise.all(served.map((one) => one[Symbol.asyncDispose]()));
  };
  try {
    for (const site of sites) {
      const one = await serve(site);
      served.push(one);
      const paths = Object.keys(site.pages).join(", ");
      log.info("Serving {paths} on {url}", { paths, url: one.url });
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { [Symbol.asyncDispose]: close };
}

/**
 * A worker process: it works until it is asked to end, or killed.
 *
 * @module
 */

import { configure } from "@logtape/logtape";
import { Worker } from "../mod.ts";
import { endWithParent } from "./child.ts";
import { Journal } from "./journal.ts";
import { watchPulse } from "./pulse.ts";
import { asked, connect, MAX_DELIVERIES, type Setup } from "./setup.ts";

async function main(setup: Setup): Promise<void> {
  endWithParent();
  const end = asked();
  await configure({
    sinks: { stderr: (record) => console.error(record.level, record.message.join("")) },
    loggers: [
      { category: ["docket"], sinks: ["stderr"], lowestLevel: "error" },
      { category: ["logtape", "meta"], sinks: [] },
    ],
  });
  const journal = new Journal(setup.journal, setup.name);
  const docket = await connect(setup, journal);
  const { name, lease, concurrency } = setup;
  const worker = new Worker(docket, {
    name,
    concurrency,
    maxDeliveries: MAX_DELIVERIES,
    redeliveryTimeout: lease,
    reconnectionDelay: 250,
  });
  void watchPulse(setup.url, journal, lease / 4); // renewals are due as often

  const stop = new AbortController();
  const work = worker.runForever({ signal: stop.signal });
  journal.note("up");
  await end;
  stop.abort();
  await work;
  await docket.close();
  Deno.exit(0);
}

if (import.meta.main) await main(JSON.parse(Deno.args[0]));

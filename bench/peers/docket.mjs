/**
 * The docket as npm has it, with the default settings: every guarantee, records kept for 15 minutes.
 *
 * @module
 */

import { Docket, Worker } from "@docket/docket";

/** Opens a docket. */
export async function open(url, name) {
  const docket = await Docket.connect({ name, url });
  const add = docket.add("welcome");
  return {
    add,
    worker: (concurrency, handler) => start(docket, concurrency, handler),
    close: () => docket.close(),
  };
}

function start(docket, concurrency, handler) {
  const stop = new AbortController();
  const worker = new Worker(docket, { concurrency });
  let running;
  return {
    /** Until the worker has signed off: the last task is settled by then. */
    run(count) {
      let left = count;
      const welcome = () => {
        handler();
        if (--left === 0) stop.abort();
      };
      docket.register({ welcome });
      return running = worker.runForever({ signal: stop.signal });
    },
    async close() {
      stop.abort();
      await running;
      await worker[Symbol.asyncDispose]();
    },
  };
}

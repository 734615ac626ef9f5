/**
 * The docket with its default settings: every guarantee, records kept for 15 minutes. The package is given to it: the sources
 * in Deno, the npm package in Node.
 *
 * @module
 */

import type * as Package from "../mod.ts";
import type { Customer } from "./load.ts";
import type { Handler, Open, Queue, QueueWorker } from "./queue.ts";

type Welcome = (customer: Customer) => unknown;

/** How to open a docket. */
export function docketOf({ Docket, Retry, task, Worker }: typeof Package): Open {
  return async (url, name, { attempts = 1 } = {}): Promise<Queue> => {
    const docket = await Docket.connect({ name, url });
    const add = docket.add<Welcome>("welcome");

    function register(welcome: Welcome): void {
      const retry = new Retry({ attempts });
      docket.register(
        attempts === 1
          ? { welcome }
          : task("welcome", { retry }, (_context, customer: Customer) => welcome(customer)),
      );
    }

    return {
      add,
      schedule: (customer, when) => docket.add<Welcome>("welcome", { when })(customer),
      async addAll(customers, when) {
        const call = docket.call<Welcome>("welcome", { when });
        return await docket.addAll(customers.map((customer) => call(customer)));
      },
      call: async (customer) => (await add(customer)).result(),
      worker: (concurrency, handler) =>
        Promise.resolve(start(register, new Worker(docket, { concurrency }), handler)),
      close: () => docket.close(),
    };
  };
}

function start(
  register: (welcome: Welcome) => void,
  worker: Package.Worker,
  handler: Handler,
): QueueWorker {
  const stop = new AbortController();
  const finish = () => stop.abort();
  let running: Promise<void> | undefined;
  return {
    /** Until the worker has signed off: the last task is settled by then. */
    run(count, settled) {
      let left = count;
      const ended = () => {
        settled?.();
        if (--left === 0) finish();
      };
      register((customer) => {
        const result = handler(customer);
        if (result instanceof Promise) return result.then(ended);
        ended();
        return result;
      });
      return running = worker.runForever({ signal: stop.signal });
    },
    finish,
    async close() {
      finish();
      await running;
      await worker[Symbol.asyncDispose]();
    },
  };
}

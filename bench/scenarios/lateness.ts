/**
 * How much later than they are due scheduled tasks start.
 *
 * @module
 */

import { customers } from "../load.ts";
import { percentile, wallClock } from "../measure.ts";
import type { Scenario } from "../scenario.ts";

const COUNT = 2_000;

/** Milliseconds from one task to the next. */
const STEP = 2;

/** Time to schedule them all before the first is due, in milliseconds. */
const LEAD = 1_000;

/** One task every two milliseconds. */
export const lateness: Scenario = {
  name: "lateness",
  title: `lateness of ${COUNT.toLocaleString("en")} tasks scheduled over ${COUNT * STEP / 1_000} s`,
  metrics: { p50: { label: "p50 ms", digits: 1 }, p99: { label: "p99 ms", digits: 1 } },
  needs: ["schedule"],

  async measure(stage) {
    const now = wallClock();
    const samples: number[] = [];
    const queue = await stage.open();
    const worker = await queue.worker(10, ({ customerId }) => {
      samples.push(now() - dueOf(customerId));
    });
    const running = worker.run(COUNT);

    const first = Math.ceil(now()) + LEAD;
    const dueOf = (customerId: number) => first + customerId * STEP;
    await Promise.all(
      Array.from(
        customers(COUNT),
        (customer) => queue.schedule(customer, dueOf(customer.customerId)),
      ),
    );
    await running;

    await worker.close();
    await queue.close();
    return { p50: percentile(samples, 0.5), p99: percentile(samples, 0.99) };
  },
};

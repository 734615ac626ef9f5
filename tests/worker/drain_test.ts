/**
 * Draining a worker while its server is slow.
 *
 * @module
 */

import { strictEqual as equal } from "node:assert/strict";
import { kill } from "node:process";
import { test } from "node:test";
import { Docket, task, Worker } from "@docket/docket";
import { startRedis } from "../../scripts/redis.ts";

test("Worker.close() leaves nothing behind with a read that the server still believes in", async () => {
  // 33, 75: the socket of the blocking read is closed, and the server has not noticed yet when a task is given back.
  await using redis = await startRedis();
  await using docket = await Docket.connect({ name: "drain", url: redis.url });
  const started = Promise.withResolvers<void>();
  let runs = 0;
  const long = task("long", async ({ signal }): Promise<number> => {
    if (++runs > 1) return runs;
    started.resolve();
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    throw signal.reason;
  });
  const execution = await docket.add(long)();
  const worker = new Worker(docket, { concurrency: 2, gracePeriod: 0, redeliveryTimeout: "10m" });
  const running = worker.runForever();
  await started.promise;
  await new Promise((resolve) => setTimeout(resolve, 100)); // by then it blocks, for what comes next

  kill(redis.pid, "SIGSTOP");
  const looking = docket.execution("nothing"); // so that the server reads this connection before it hears of the other's end
  await new Promise((resolve) => setTimeout(resolve, 50));
  const closing = worker.close();
  await new Promise((resolve) => setTimeout(resolve, 50));
  kill(redis.pid, "SIGCONT");
  await Promise.all([looking, closing, running]);
  await using other = new Worker(docket, { redeliveryTimeout: "10m" });
  const rest = other.runUntilFinished();

  equal(await execution.result({ timeout: "30s" }), 2);
  await rest;
});

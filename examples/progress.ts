/**
 * Progress across processes: a child process runs the task, this one follows it. Two processes cannot share a memory, so
 * this example needs a Redis: that of `REDIS_URL`, or one of its own that it starts and stops.
 *
 * @module
 */
import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { Docket, task, Worker } from "@docket/docket";
import { provideRedis } from "../scripts/redis.ts";

const importRows = task("importRows", async ({ progress }, rows: number): Promise<string> => {
  progress.update({ total: rows, message: "reading" });
  for (let row = 1; row <= rows; row++) {
    await new Promise((resolve) => setTimeout(resolve, 1)); // some work
    progress.increment(); // costs next to nothing: what comes fast travels together
    if (row === rows / 2) progress.update({ message: "more than half" });
  }
  return `${rows} rows by ${process.pid}`;
});

/** The child: runs what is there. */
async function work(name: string): Promise<void> {
  const options = { name, tasks: [importRows], executionTtl: "1m" };
  await using docket = await Docket.connect(options); // at DOCKET_URL
  await using worker = new Worker(docket, { name: "child" });
  await worker.runUntilFinished();
}

/** The parent: knows nothing but the task's name and its types. */
async function follow(): Promise<void> {
  await using redis = await provideRedis();
  const name = `progress-${crypto.randomUUID()}`;
  await using docket = await Docket.connect({ name, url: redis.url });
  const execution = await docket.add<typeof importRows>("importRows")(500);

  await using child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", fileURLToPath(import.meta.url), name],
    env: { DOCKET_URL: redis.url }, // not in the arguments, where everybody can see them
  }).spawn();

  const states: string[] = [];
  const reports: number[] = [];
  for await (const event of execution.events({ signal: AbortSignal.timeout(20_000) })) {
    if (event.kind === "state") {
      states.push(event.state);
      console.log(event.worker ? `${event.state} by ${event.worker}` : event.state);
    } else {
      reports.push(event.current);
      console.log(`  ${event.current} of ${event.total}: ${event.message}`);
    }
  }

  const { code } = await child.status;
  equal(code, 0);
  equal(await execution.result(), `500 rows by ${child.pid}`);
  deepEqual(states, ["queued", "running", "completed"]);
  equal(reports.at(-1), 500); // the last word of a run always comes
  ok(reports.every((current, i) => i === 0 || current >= reports[i - 1]));
}

const [name] = Deno.args;
if (name === undefined) await follow();
else await work(name);

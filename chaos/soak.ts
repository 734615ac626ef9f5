/**
 * A soak: one worker with much to do for long, and nothing that breaks. Neither its heap nor Redis may grow.
 *
 * @module
 */

import { setTimeout as pause } from "node:timers/promises";
import { Redis } from "ioredis";
import { format, markdown } from "../bench/table.ts";
import { Docket, type Execution, ExecutionFailedError } from "../mod.ts";
import { startRedis } from "../scripts/redis.ts";
import { type Sample, slope } from "./slope.ts";
import { RECORD_TTL, type SoakTasks } from "./soak_worker.ts";

/** Tasks a second. */
const RATE = 200;

/** How often some are added, in milliseconds. */
const BEAT = 50;

/** While so many have not ended, no more are added: on a machine that is too slow for the rate, there is less of it. */
const MOST_WAITING = 500;

/** Of the time, until the heap has what it keeps: compiled code, buffers, what is made at first use. */
const WARM_UP = 0.2;

/** Megabytes a minute that the heap may grow by. */
const STEEPEST = 1;

/** Megabytes by which Redis may hold more at the end: tables shrink late. Five bytes of each of 120,000 tasks would be more. */
const SLACK = 0.5;

const MEGABYTE = 1_048_576;
const MINUTE = 60_000;
const DOCKET = "soak";

/** Soaks for so many milliseconds, and prints what was found. False when something has grown. */
export async function soak(span: number): Promise<boolean> {
  await using server = await startRedis();
  // A machine that is busy for a while delays the soak, and does not end it.
  await using docket = await Docket.connect({
    name: DOCKET,
    url: server.url,
    commandTimeout: MINUTE,
  });
  const worker = new Soaked(server.url);
  const admin = new Redis(server.socket, { protocol: 2 });
  try {
    await work(docket, 5_000); // until everything has been there once
    const before = await restingMemory(docket, admin);
    const first = worker.samples.length;
    const added = await work(docket, span);
    const samples = worker.samples.slice(first); // while it worked
    const after = await restingMemory(docket, admin);
    const steepness = slope(samples.slice(Math.ceil(samples.length * WARM_UP)));
    return report({ span, added, before, after, steepness, samples });
  } finally {
    admin.disconnect();
    await worker.end();
  }
}

/** What was found. Memory is in bytes, steepness in bytes a millisecond. */
interface Found {
  readonly span: number;
  readonly added: number;
  readonly before: number;
  readonly after: number;
  readonly steepness: number;
  readonly samples: readonly Sample[];
}

function report({ span, added, before, after, steepness, samples }: Found): boolean {
  const perMinute = steepness * MINUTE / MEGABYTE;
  const growth = (after - before) / MEGABYTE;
  const megabytes = (bytes: number) => `${format(bytes / MEGABYTE, 2)} MB`;
  const isFlat = perMinute < STEEPEST;
  const isBack = growth < SLACK;
  console.log(markdown([
    ["", ""],
    ["tasks run", `${added}`],
    ["tasks a second", format(added / span * 1_000, 1)],
    ["the worker's heap at first", megabytes(samples[0].bytes)],
    ["and at last", megabytes(samples[samples.length - 1].bytes)],
    ["its slope after the warm-up", `${format(perMinute, 3)} MB a minute`],
    ["Redis before", megabytes(before)],
    ["and after", megabytes(after)],
  ]));
  if (!isFlat) console.error(`The heap grows by ${STEEPEST} MB a minute, or more`);
  if (!isBack) console.error(`Redis holds ${SLACK} MB more than before, or more`);
  return isFlat && isBack;
}

/** Adds tasks at the rate, or as fast as they end, and waits until all have. Tells how many. */
async function work(docket: Docket, span: number): Promise<number> {
  const portion = RATE * BEAT / 1_000;
  const beats = Math.round(span / BEAT);
  const waiting = new Set<Promise<unknown>>();
  const start = performance.now();
  let added = 0;
  for (let beat = 0; beat < beats; beat++) {
    const early = start + beat * BEAT - performance.now();
    if (early > 0) await pause(early);
    for (let i = 0; i < portion && waiting.size < MOST_WAITING; i++) {
      const ended = runOne(docket, added++).finally(() => waiting.delete(ended));
      waiting.add(ended);
    }
  }
  await Promise.all(waiting);
  return added;
}

/** Adds a task and waits until it has ended: those that are to fail do. */
async function runOne(docket: Docket, i: number): Promise<void> {
  const execution = await add(docket, i);
  const error = await execution.result().then(() => undefined, (error) => error);
  const isToFail = execution.task === "fall";
  if (error instanceof ExecutionFailedError === isToFail) return;
  throw new Error(`${execution.task} ${isToFail ? "did not fail" : "failed"}`, { cause: error });
}

/** Of each ten tasks some fail at first, some for good, some come later, and some have to wait for each other. */
function add(docket: Docket, i: number): Promise<Execution<unknown>> {
  switch (i % 10) {
    case 0:
      return docket.add<SoakTasks["stumble"]>("stumble")();
    case 1:
      return docket.add<SoakTasks["fall"]>("fall")();
    case 2:
      return docket.add<SoakTasks["quick"]>("quick", { delay: 500 })({ name: "Jane" });
    case 3:
    case 4:
      return docket.add<SoakTasks["limited"]>("limited")(i % 40);
    default:
      return docket.add<SoakTasks["quick"]>("quick")({ name: "John" });
  }
}

/** What Redis holds once all records are gone, in bytes. */
async function restingMemory(docket: Docket, admin: Redis): Promise<number> {
  const deadline = performance.now() + 2 * RECORD_TTL + MINUTE;
  await pause(RECORD_TTL);
  for (;;) {
    // Keys that have expired go one after the other: none of a record, or of what waited, may be left.
    const records = await countKeys(admin, `{${DOCKET}}:r:*`);
    const { counts } = await docket.snapshot({ limit: 1 });
    const isLeft = records + counts.scheduled + counts.queued + counts.running > 0;
    if (!isLeft || performance.now() > deadline) break;
    await pause(500);
  }
  const info = await admin.info("memory");
  return Number(/^used_memory:(\d+)/m.exec(info)?.[1]);
}

async function countKeys(admin: Redis, pattern: string): Promise<number> {
  let count = 0;
  let cursor = "0";
  do {
    const [next, keys] = await admin.scan(cursor, "MATCH", pattern, "COUNT", 1_000);
    count += keys.length;
    cursor = next;
  } while (cursor !== "0");
  return count;
}

/** The worker process, which tells now and then how large its heap is. */
class Soaked {
  readonly samples: Sample[] = [];
  readonly #process: Deno.ChildProcess;
  readonly #reading: Promise<void>;

  constructor(url: string) {
    const script = new URL("soak_worker.ts", import.meta.url).href;
    this.#process = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--v8-flags=--expose-gc", script, url, DOCKET],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#reading = this.#read();
  }

  async end(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.status;
    await this.#reading;
    await this.#process.stdin.close().catch(() => {}); // broken already
  }

  async #read(): Promise<void> {
    let text = "";
    for await (const chunk of this.#process.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (text + chunk).split("\n");
      text = lines.pop()!;
      for (const line of lines) this.samples.push(JSON.parse(line) as Sample);
    }
  }
}

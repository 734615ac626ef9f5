/**
 * What a worker has run it forgets.
 *
 * @module
 */

import { ok } from "node:assert/strict";
import { env } from "node:process";
import { test } from "node:test";
import { randomId } from "../../src/base/ids.ts";
import { assertNoLeaks } from "../_leaks.ts";
import type { Growth } from "./_draining.ts";

/** Ten bytes a task. What the heap of a process at rest varies by is a tenth of that. */
const BOUND = 2_000_000;

/** Long enough for a machine that does much else. */
const PATIENCE = 120_000;

const url = env.REDIS_URL;
if (!url) throw new Error("Cannot test the worker's heap: set REDIS_URL, or run `deno task test`");

// Invariants 50, 77, 80.
test("Worker does not grow while it drains 200,000 tasks, and leaves nothing on Redis", async () => {
  const docket = `heap-${randomId()}`;

  const { before, after, tasks } = await drainInOwnProcess(url, docket);

  const growth = after - before;
  ok(growth < BOUND, `the heap grew by ${growth} bytes, ${growth / tasks} a task, from ${before}`);
  await assertNoLeaks(url, docket);
});

test("Worker does not grow while it drains 200,000 tasks in memory", async () => {
  const { before, after, tasks } = await drainInOwnProcess("memory://heap", "heap");

  const growth = after - before;
  ok(growth < BOUND, `the heap grew by ${growth} bytes, ${growth / tasks} a task, from ${before}`);
});

/** Alone in its process, so that what other tests do to the heap is not counted. */
async function drainInOwnProcess(url: string, docket: string): Promise<Growth> {
  const module = new URL("_draining.ts", import.meta.url).href;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", "--v8-flags=--expose-gc", module, url, docket],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
    signal: AbortSignal.timeout(PATIENCE),
  });
  const { success, stdout } = await child.output();
  ok(success, "the draining process did not end well");
  return JSON.parse(new TextDecoder().decode(stdout));
}

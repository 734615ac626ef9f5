/**
 * A minute in which everything breaks at once: workers and producers are killed and stopped, connections cut, Redis killed,
 * and tasks kill their processes. Afterwards each accepted task has ended in exactly one way, and nothing is left (F01–F06,
 * F09, F13, F15, F25, F52–F54). `deno task chaos` is the same for longer, under other seeds.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, ok } from "node:assert/strict";
import { test } from "node:test";
import { toTable } from "../../chaos/figures.ts";
import { runChaos } from "../../chaos/run.ts";

/** With it every fault strikes within the minute, whatever the machine. */
const SEED = 22;

test("chaos: of what was accepted nothing is lost, stuck or ended twice, whatever breaks", async () => {
  const outcome = await runChaos({ seed: SEED, span: 60_000 });

  const { findings, evidence, happenings, verdict: { figures } } = outcome;
  deepEqual(findings, [], `seed ${SEED}, ${evidence}\n${toTable(outcome)}`);
  // It did break, and there was something to break.
  for (const what of ["killed", "stopped", "redis killed", "cut"] as const) {
    ok(happenings.some((happening) => happening.what === what), `nothing was ${what}`);
  }
  ok(figures.ended.dead > 0, "there was no poison");
  for (const state of ["completed", "failed", "cancelled"] as const) {
    ok(figures.ended[state] > 0, `nothing ${state}`);
  }
});

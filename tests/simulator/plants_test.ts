// A check that cannot fail is none: the simulator finds what is planted. `deno task plant --on simulator` plants all.
import { deepStrictEqual as deepEqual, ok } from "node:assert/strict";
import { test } from "node:test";
import { survey } from "../../scripts/plant.ts";
import { bugs } from "../../scripts/plants/bugs.ts";
import { gateBugs } from "../../scripts/plants/gates.ts";
import { protocolBugs } from "../../scripts/plants/protocol.ts";

/** Those that show within a few seeds. */
const QUICK = [
  "a settlement counts under any token",
  "a replacement is lost when the run ends",
  "a step that is sent again claims again",
];

test("the simulator finds planted bugs of the protocol", async () => {
  const chosen = protocolBugs.filter(({ name }) => QUICK.includes(name));

  const findings = await survey("simulator", chosen, "", { isWell: true });

  deepEqual(findings.map(({ bug }) => bug), QUICK);
  for (const { bug, ok: found, what } of findings) ok(found, `${bug}: ${what}`);
});

test("every planted bug fits the sources", async () => {
  for (const { name, memory, redis, simulator } of [...bugs, ...gateBugs, ...protocolBugs]) {
    for (const patch of [memory, redis, simulator]) {
      if (!patch) continue;
      const source = await Deno.readTextFile(new URL(`../../${patch.file}`, import.meta.url));
      const times = source.split(patch.find).length - 1;
      ok(times === 1, `${name}: ${patch.file} has ${JSON.stringify(patch.find)} ${times} times`);
    }
  }
});
